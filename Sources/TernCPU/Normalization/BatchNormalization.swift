import CMicrokernels
import TernCore
import TernGraph

/// Batch normalisation forward and backward, with a relu behind it or without.
///
/// Sums of pieces of the tensor that stay in the cache; those of a channel put together; every piece normalised
/// (``ChannelValues/twice(_:first:combine:second:)``). The moments of the pieces are combined as Chan, Golub and
/// LeVeque (1979) do, so that the tensor is read from memory twice and not three times, and a large mean
/// costs no digits.
struct BatchNormalization {
  let values: ChannelValues
  let epsilon: Float
  let rectifies: Bool
  let threads: Threads
  let kernels: BatchNormKernels

  /// In the workspace: two sums of every piece and stored channel, then three to five numbers of each.
  private var sumCount: Int { values.chunkCount * values.storedChannelCount }

  private struct Room {
    let sums: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)
    let mean: UnsafeMutablePointer<Float>
    let scale: UnsafeMutablePointer<Float>
    let shift: UnsafeMutablePointer<Float>
    let sumPart: UnsafeMutablePointer<Float>
    let productPart: UnsafeMutablePointer<Float>

    init(_ start: UnsafeMutablePointer<Float>, sums: Int, channels: Int) {
      self.sums = (start, start + sums)
      let rest = start + 2 * sums
      mean = rest
      scale = rest + channels
      shift = rest + 2 * channels
      sumPart = rest + 3 * channels
      productPart = rest + 4 * channels
    }
  }

  private var workspaceByteCount: Int { 4 * (2 * sumCount + 5 * values.storedChannelCount) }

  private func room(_ addresses: Addresses) -> Room {
    Room(addresses.workspace(), sums: sumCount, channels: values.storedChannelCount)
  }

  private func deviation(_ variance: Float) -> Float { (variance + epsilon).squareRoot() }

  /// Inputs: input, weight, bias; outputs: output, mean, variance.
  func forward() -> Lowering {
    let (values, rectifies, kernels) = (values, rectifies, kernels)
    return Lowering(workspaceByteCount: workspaceByteCount) { addresses in
      let (x, weight, bias) = (addresses.inputs[0], addresses.input(1), addresses.input(2))
      let (y, means) = (addresses.outputs[0], addresses.output(1))
      let variances = addresses.output(2)
      let room = room(addresses)
      let run = values.twice(
        threads,
        first: { piece in
          let at = piece.chunk * values.storedChannelCount + piece.firstChannel
          kernels.moments(x, piece, room.sums.0 + at, room.sums.1 + at)
        },
        combine: { channel in
          let (mean, variance) = moments(of: channel, room)
          means[channel] = mean
          variances[channel] = variance
          room.mean[channel] = mean
          room.scale[channel] = weight[channel] / deviation(variance)
          room.shift[channel] = bias[channel]
        },
        second: { piece in
          let first = piece.firstChannel
          kernels.normalize(
            x, y, piece, room.mean + first, room.scale + first, room.shift + first, rectifies)
        })
      return {
        clearPadding(room)
        try run()
      }
    }
  }

  /// Inputs: dy, input, mean, variance, weight, and where it rectifies the bias; outputs: d input, d weight,
  /// d bias.
  func backward() -> Lowering {
    let (values, rectifies, kernels) = (values, rectifies, kernels)
    return Lowering(workspaceByteCount: workspaceByteCount) { addresses in
      let (dy, x) = (addresses.inputs[0], addresses.inputs[1])
      let (means, variances, weight) = (addresses.input(2), addresses.input(3), addresses.input(4))
      let bias = rectifies ? addresses.input(5) : nil
      let (dx, dWeight, dBias) = (addresses.outputs[0], addresses.output(1), addresses.output(2))
      let room = room(addresses)
      let run = values.twice(
        threads,
        first: { piece in
          let first = piece.firstChannel
          let at = piece.chunk * values.storedChannelCount + first
          kernels.sumGradients(
            dy, x, piece, room.mean + first, room.scale + first, room.shift + first, rectifies,
            room.sums.0 + at, room.sums.1 + at)
        },
        combine: { channel in
          let (sum, product) = (total(room.sums.0, channel), total(room.sums.1, channel))
          let deviation = Double(deviation(variances[channel]))
          let count = Double(values.countPerChannel)
          dBias[channel] = Float(sum)
          dWeight[channel] = Float(product / deviation)
          room.sumPart[channel] = Float(sum / count)
          room.productPart[channel] = Float(product / (deviation * deviation) / count)
        },
        second: { piece in
          let first = piece.firstChannel
          kernels.differentiate(
            dy, x, dx, piece, room.mean + first, room.scale + first, room.shift + first, rectifies,
            room.sumPart + first, room.productPart + first)
        })
      return {
        clearPadding(room)
        for channel in 0..<values.channelCount {
          room.mean[channel] = means[channel]
          room.scale[channel] = weight[channel] / deviation(variances[channel])
          room.shift[channel] = bias?[channel] ?? 0
        }
        try run()
      }
    }
  }

  /// Channels that only fill up a block stay zero.
  private func clearPadding(_ room: Room) {
    for channel in values.channelCount..<values.storedChannelCount {
      room.mean[channel] = 0
      room.scale[channel] = 0
      room.shift[channel] = 0
      room.sumPart[channel] = 0
      room.productPart[channel] = 0
    }
  }

  private func total(_ sums: UnsafeMutablePointer<Float>, _ channel: Int) -> Double {
    var result = 0.0
    for chunk in 0..<values.chunkCount {
      result += Double(sums[chunk * values.storedChannelCount + channel])
    }
    return result
  }

  /// The mean and the variance of a channel, from those of its pieces.
  private func moments(of channel: Int, _ room: Room) -> (mean: Float, variance: Float) {
    var mean = 0.0
    for chunk in 0..<values.chunkCount {
      mean +=
        Double(values.pixelCount(ofChunk: chunk))
        * Double(room.sums.0[chunk * values.storedChannelCount + channel])
    }
    let count = Double(values.countPerChannel)
    mean /= count
    var squares = 0.0
    for chunk in 0..<values.chunkCount {
      let at = chunk * values.storedChannelCount + channel
      let distance = Double(room.sums.0[at]) - mean
      squares +=
        Double(room.sums.1[at]) + Double(values.pixelCount(ofChunk: chunk)) * distance * distance
    }
    return (Float(mean), Float(squares / count))
  }
}

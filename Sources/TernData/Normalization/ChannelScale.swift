/// What becomes of a sample's values on the way into the network: x · factor + offset, by channel.
public struct ChannelScale: Sendable {
  let factors: [Float]
  let offsets: [Float]
  /// What each of the 256 bytes of a pixel becomes, by channel; empty for vectors.
  let table: [Float]

  /// - Parameter hasBytes: whether the values may come from bytes.
  init(_ normalization: Normalization, hasBytes: Bool) {
    let (means, deviations) = (normalization.means, normalization.deviations)
    factors = deviations.map { Float(1 / $0) }
    offsets = zip(means, deviations).map { Float(-$0 / $1) }
    table =
      hasBytes
      ? zip(means, deviations).flatMap { mean, deviation in
        (0..<256).map { Float((Double($0) / 255 - mean) / deviation) }
      } : []
  }

  /// Leaves values as they are, and bytes in [0, 1].
  public static func identity(for dataset: any Dataset) -> ChannelScale {
    identity(channels: dataset.sampleShape[0], hasBytes: dataset.isPictures)
  }

  static func identity(channels: Int, hasBytes: Bool) -> ChannelScale {
    ChannelScale(
      Normalization(
        means: [Double](repeating: 0, count: channels),
        deviations: [Double](repeating: 1, count: channels)),
      hasBytes: hasBytes)
  }

  /// Scales a sample in place.
  func apply(to sample: UnsafeMutablePointer<Float>, planeSize: Int) {
    for channel in factors.indices {
      let (factor, offset) = (factors[channel], offsets[channel])
      let plane = sample + channel * planeSize
      for i in 0..<planeSize { plane[i] = plane[i] * factor + offset }
    }
  }
}

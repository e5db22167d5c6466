import COneDNN
import TernCore
import TernGraph

extension BatchNorm: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = try request.inputs[0].normalizableLayout(request.context)
    return LayoutAssignment(inputs: [layout, .dense, .dense], outputs: [layout, .dense, .dense])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let descriptor = try context.batchNormalization(
      node.inputs[0], epsilon, rectifies: false)
    return context.lowering(
      of: descriptor, inputs: [(.source, 0), (.scale, 1), (.shift, 2)],
      outputs: [(.destination, 0), (.mean, 1), (.variance, 2)])
  }
}

extension BatchNormBackward: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(1) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = try request.inputs[1].normalizableLayout(request.context)
    return LayoutAssignment(
      inputs: [layout, layout, .dense, .dense, .dense], outputs: [layout, .dense, .dense])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try lower(node, context, rectifies: false)
  }

  /// - Parameter rectifies: whether the mask of a relu behind the normalisation is input 5.
  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let forward = try context.batchNormalization(
      node.inputs[1], epsilon, rectifies: rectifies)
    let descriptor = try PrimitiveDescriptor("batch_normalization_backward", context.engine) {
      var data = try context.normalizable(node.inputs[1]).raw
      return tern_dnnl_batch_normalization_backward(
        $0, $1, $2, &data, epsilon, rectifies, forward.handle)
    }
    // oneDNN insists on a shift, though no derivative depends on it: any vector will do.
    return context.lowering(
      of: descriptor,
      inputs: [
        (.destinationGradient, 0), (.source, 1), (.mean, 2), (.variance, 3), (.scale, 4),
        (.shift, 4),
      ] + (rectifies ? [(.workspace, 5)] : []),
      outputs: [(.sourceGradient, 0), (.scaleGradient, 1), (.shiftGradient, 2)])
  }
}

extension Operand {
  /// The layout in which the operand is normalised: its own, if its channels are innermost.
  fileprivate func normalizableLayout(_ context: CPUContext) throws -> Layout {
    try ChannelFormat(self, context) == nil ? .dense : layout
  }
}

extension CPUContext {
  /// A tensor [N, C, *] as oneDNN normalises it: with two spatial axes.
  fileprivate func normalizable(_ operand: Operand) throws -> MemoryDescriptor {
    if operand.layout != .dense { return try descriptor(operand) }
    let x = operand.shape
    let pixels = x.elementCount(in: 2..<x.rank)
    // A single pixel's channels are side by side, which is a format oneDNN has faster code for.
    return try (pixels == 1 ? ChannelFormat.channelsLast : .dense)
      .descriptor([x[0], x[1], pixels, 1])
  }

  /// The forward primitive for a tensor; with `rectifies` a relu follows, and its mask is kept in
  /// oneDNN's workspace.
  func batchNormalization(_ operand: Operand, _ epsilon: Float, rectifies: Bool) throws
    -> PrimitiveDescriptor
  {
    try PrimitiveDescriptor("batch_normalization_forward", engine) {
      var data = try normalizable(operand).raw
      return tern_dnnl_batch_normalization_forward($0, $1, $2, &data, epsilon, rectifies)
    }
  }
}

extension NormalizeRows: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (rows, length) = (node.inputs[0].shape[0], node.inputs[0].shape[1])
    return Lowering { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      let (means, deviations) = (addresses.output(1), addresses.output(2))
      return context.threads.loop(rows, grain: max(1, Threads.elementwiseGrain / length)) { range in
        for row in range {
          let (x, y) = (x + row * length, y + row * length)
          let mean = sum(length) { $0.load(x) } / Float(length)
          let variance =
            sum(length) { lanes in
              let distance = lanes.load(x) - mean
              return lanes.masking(distance * distance)
            } / Float(length)
          let scale = 1 / (variance + epsilon).squareRoot()
          forEachLanes(in: 0..<length) { $0.store(($0.load(x) - mean) * scale, y) }
          means[row] = mean
          deviations[row] = scale
        }
      }
    }
  }
}

extension NormalizeRowsBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (rows, length) = (node.inputs[0].shape[0], node.inputs[0].shape[1])
    return Lowering { addresses in
      let (dy, y, scales) = (addresses.input(0), addresses.input(1), addresses.input(2))
      let dx = addresses.output(0)
      return context.threads.loop(rows, grain: max(1, Threads.elementwiseGrain / length)) { range in
        for row in range {
          let (dy, y, dx) = (dy + row * length, y + row * length, dx + row * length)
          let mean = sum(length) { $0.load(dy) } / Float(length)
          let correlation = sum(length) { $0.load(dy) * $0.load(y) } / Float(length)
          let scale = scales[row]
          forEachLanes(in: 0..<length) { lanes in
            lanes.store(
              (lanes.load(dy) - mean - lanes.load(y) * correlation) * scale, dx)
          }
        }
      }
    }
  }
}

/// The sum of the vectors that `term` gives along a row, in stretches short enough that rounding
/// errors do not pile up.
@inline(__always)
private func sum(_ count: Int, _ term: (Lanes) -> Vector) -> Float {
  var total: Float = 0
  var start = 0
  while start < count {
    let end = min(start &+ 1024, count)
    var part = Vector(repeating: 0)
    forEachLanes(in: start..<end) { part += term($0) }
    total += part.laneSum
    start = end
  }
  return total
}

import TernCore
import TernGraph

extension Operations.BatchNorm: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = try request.inputs[0].normalizableLayout(request.context)
    return LayoutAssignment(inputs: [layout, .dense, .dense], outputs: [layout, .dense, .dense])
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try lower(node, context, rectifies: false)
  }

  /// - Parameter rectifies: whether a relu follows.
  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    BatchNormalization(
      values: try ChannelValues(node.inputs[0], context), epsilon: epsilon, rectifies: rectifies,
      threads: context.threads, kernels: BatchNormKernels(node.inputs[0].type.dataType)
    ).forward()
  }
}

extension Operations.BatchNormBackward: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(1) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = try request.inputs[1].normalizableLayout(request.context)
    return LayoutAssignment(
      inputs: [layout, layout, .dense, .dense, .dense], outputs: [layout, .dense, .dense])
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try lower(node, context, rectifies: false)
  }

  /// - Parameter rectifies: whether a relu follows the normalisation, whose bias is input 5 then.
  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    BatchNormalization(
      values: try ChannelValues(node.inputs[1], context), epsilon: epsilon, rectifies: rectifies,
      threads: context.threads, kernels: BatchNormKernels(node.inputs[1].type.dataType)
    ).backward()
  }
}

extension Operand {
  /// The layout in which the operand is normalised: its own, if its channels are innermost.
  fileprivate func normalizableLayout(_ context: CPUContext) throws -> Layout {
    try ChannelFormat(self, context) == nil ? .dense : layout
  }
}

extension Operations.NormalizeRows: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? lower(node, context, Bfloat16.self)
      : lower(node, context, Float.self)
  }

  private func lower<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) -> Lowering {
    let (rows, length) = (node.inputs[0].shape[0], node.inputs[0].shape[1])
    return Lowering { addresses in
      let (x, y) = (addresses.input(0, of: element), addresses.output(0, of: element))
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

extension Operations.NormalizeRowsBackward: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? lower(node, context, Bfloat16.self)
      : lower(node, context, Float.self)
  }

  private func lower<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) -> Lowering {
    let (rows, length) = (node.inputs[0].shape[0], node.inputs[0].shape[1])
    return Lowering { addresses in
      let (dy, y) = (addresses.input(0, of: element), addresses.input(1, of: element))
      let (scales, dx) = (addresses.input(2), addresses.output(0, of: element))
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

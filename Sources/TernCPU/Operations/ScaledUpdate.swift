import TernCore
import TernGraph

extension Operations.ScaledUpdate: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { update.isSupported(inputs.dropLast()) }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    [request.inputs[1].layout] + request.inputs.dropFirst().map { _ in nil }
  }

  /// Zeros in padded places stay zeros, whatever they are multiplied by but what is not finite: then everything is lost.
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = request.inputs[0].layout
    let state = update.stateNames.map { _ in layout }
    return LayoutAssignment(
      inputs: [layout, layout, .dense, .dense] + state + [.dense], outputs: [layout] + state)
  }

  /// The elements whose gradients are multiplied at a time: they stay in the first-level cache.
  private static let blockLength = 2048

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].storedCount
    let size = Self.blockLength
    return Lowering(workspaceByteCount: 4 * size * context.threads.count) { addresses in
      let update = UpdateArguments(
        learningRate: addresses.input(2), step: addresses.integerInput(3),
        outputs: node.outputs.indices.map(addresses.output)
      ).update(update.rule)
      let (gradient, scale) = (addresses.input(1), addresses.input(node.inputs.count - 1))
      let blocks = addresses.workspace()
      return context.threads.partitioned(count, grain: Threads.elementwiseGrain, alignment: 16) {
        range, part in
        for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
          let own = start..<min(start + size, range.upperBound)
          let scaled = blocks + part * size - start
          let factor = Vector(repeating: scale[0])
          transform(own, gradient, to: scaled) { $0 * factor }
          update(own, UnsafePointer(scaled))
        }
      }
    }
  }
}

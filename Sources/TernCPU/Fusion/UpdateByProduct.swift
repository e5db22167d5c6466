import TernCore
import TernGraph
import TernRuntime

/// The update of a matrix W [O, I] by the gradient aᵀ·b of a [N, O] and b [N, I], which is never
/// stored: a few rows of it at a time stay in the cache until they are used.
///
/// Inputs: W, a, learning rate [], step [], W's state, b. Outputs: W and its state.
struct UpdateByProduct: CPUOperation {
  let update: Operations.OptimizerUpdate

  var name: String { "matmul_" + update.name }
  var detail: String { update.detail }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    [TensorType](repeating: inputs[0], count: 1 + update.stateNames.count)
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    var cost = Cost.elementwise(inputs, outputs, flopsPerElement: 6)
    cost.flops += 2 * inputs[0].elementCount * inputs[1].shape[0]
    return cost
  }

  var inPlacePairs: [InPlacePair] { update.inPlacePairs }

  /// The bytes of the gradient that are computed at a time: half of the second-level cache, so that the
  /// parameter passes through the other half.
  private static let tileByteCount = HostCache.secondLevelByteCount / 2

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (rows, columns) = (node.inputs[0].shape[0], node.inputs[0].shape[1])
    let batch = node.inputs[1].shape[0]
    let tileRows = min(rows, max(1, Self.tileByteCount / 4 / columns))
    let tileCount = (rows + tileRows - 1) / tileRows
    let tileElementCount = tileRows * columns
    return Lowering(
      workspaceByteCount: 4 * tileElementCount * context.threads.count,
      implementation: Lowering.name(
        UpdateProblem.fused, calling: "sgemm \(tileRows) rows at a time")
    ) { addresses in
      let update = UpdateArguments(
        learningRate: addresses.input(2), step: addresses.integerInput(3),
        outputs: node.outputs.indices.map(addresses.output)
      ).update(update.rule)
      let (a, b) = (addresses.input(1), addresses.input(node.inputs.count - 1))
      let tiles = addresses.workspace()
      return context.threads.partitioned(tileCount) { range, part in
        let tile = tiles + part * tileElementCount
        for index in range {
          let first = index * tileRows
          let count = min(tileRows, rows - first)
          multiply(
            MatrixView(a + first, stride: rows, isTransposed: true),
            MatrixView(b, stride: columns), m: count, n: columns, k: batch, into: tile,
            stride: columns)
          let start = first * columns
          update(start..<start + count * columns, UnsafePointer(tile - start))
        }
      }
    }
  }
}

extension Graph {
  /// With the gradients of large matrices computed where they are used, by the update.
  func computingGradientsInUpdates(_ context: CPUContext) throws -> Graph {
    try mergingGradientsIntoUpdates { update, own, gradient in
      guard let product = gradient.operation as? Operations.MatMul, product.transposesA,
        !product.transposesB, type(own.inputs[1]).shape.rank == 2,
        gradient.inputs.allSatisfy({ type($0).shape.rank == 2 })
      else { return nil }
      let problem = UpdateProblem(
        update: update, parameter: type(own.inputs[1]).shape,
        batch: type(gradient.inputs[0]).shape[0])
      return problem.isFused(context) ? UpdateByProduct(update: update) : nil
    }
  }
}

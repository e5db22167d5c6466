import TernCore
import TernGraph

/// Batch normalisation by the statistics of the batch, then relu. Inputs and outputs as of
/// ``Operations/BatchNorm``; what
/// the relu let through, the backward pass computes again.
struct RectifiedBatchNorm: CPUOperation {
  let base: Operations.BatchNorm

  var name: String { base.name + "_relu" }
  var detail: String { base.detail }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try base.outputTypes(for: inputs)
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    base.cost(inputs: inputs, outputs: outputs)
  }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] { try base.wishes(request) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment { try base.layouts(request) }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try base.lower(node, context, rectifies: true)
  }
}

/// Inputs: as ``BatchNormBackward``, with the gradient at the relu's output, and the bias.
struct RectifiedBatchNormBackward: CPUOperation {
  let base: Operations.BatchNormBackward

  var name: String { base.name + "_relu" }
  var detail: String { base.detail }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try base.outputTypes(for: Array(inputs.dropLast()))
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    base.cost(inputs: inputs, outputs: outputs)
  }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] { try base.wishes(request) }

  var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    var assignment = try base.layouts(request)
    assignment.inputs.append(.dense)
    return assignment
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try base.lower(node, context, rectifies: true)
  }
}

extension Graph {
  /// With every relu merged into the batch normalisation before it, forward and backward.
  func fusingBatchNormReLU() throws -> Graph {
    let readers = GraphReaders(self)
    var chains: [Int: BatchNormReLU] = [:]
    for index in nodes.indices {
      guard let chain = BatchNormReLU(forward: index, readers) else { continue }
      for node in [chain.forward, chain.relu, chain.reluBackward, chain.backward] {
        chains[node] = chain
      }
    }
    if chains.isEmpty { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      switch (chains[index], node.operation) {
      case (_?, let operation as Operations.BatchNorm):
        let outputs = try rewriter.append(
          RectifiedBatchNorm(base: operation), node.inputs.map { rewriter[$0] },
          scope: node.scope)
        for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
      case (let chain?, let operation as Operations.BatchNormBackward):
        let outputs = try rewriter.append(
          RectifiedBatchNormBackward(base: operation),
          (node.inputs + [nodes[chain.forward].inputs[2]]).map { rewriter[$0] }, scope: node.scope)
        for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
      case (_?, _): rewriter.replace(node.outputs[0], with: rewriter[node.inputs[0]])
      case (nil, _): rewriter.copy(node)
      }
    }
    return rewriter.finish()
  }
}

/// A batch normalisation and the relu that alone reads it, forward and backward.
private struct BatchNormReLU {
  let forward: Int
  let relu: Int
  let reluBackward: Int
  let backward: Int

  init?(forward: Int, _ readers: GraphReaders) {
    let nodes = readers.graph.nodes
    guard nodes[forward].operation is Operations.BatchNorm,
      let relu = readers.onlyReader(of: nodes[forward].outputs[0]), readers.isReLU(relu),
      let reluBackward = readers.backwardNode(ofReLU: relu),
      let backward = readers.onlyReader(of: nodes[reluBackward].outputs[0]),
      nodes[backward].operation is Operations.BatchNormBackward,
      nodes[backward].inputs[2] == nodes[forward].outputs[1]
    else { return nil }
    (self.forward, self.relu, self.reluBackward, self.backward) = (
      forward, relu, reluBackward, backward
    )
  }
}

import TernCore

extension Graph {
  /// With a product Aᵀ·B and the sum over A's rows made one: the gradients of a linear layer's weight and bias.
  package func joiningBiasGradients() throws -> Graph {
    let readers = GraphReaders(self)
    /// By the product, the sum that goes with it.
    var sums: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() {
      guard let sum = node.operation as? Operations.Reduce, sum.function == .sum, sum.axes == [0],
        !sum.keepsAxes, type(node.inputs[0]).shape.rank == 2,
        type(node.outputs[0]).dataType == .float32,
        let product = readers.allReaders(of: node.inputs[0]).first(where: {
          isWeightGradient($0, of: node.inputs[0]) && sums[$0] == nil
        }),
        // Both are computed where the product was.
        readers.allReaders(of: node.outputs[0]).allSatisfy({ $0 > product })
      else { continue }
      sums[product] = index
    }
    if sums.isEmpty { return self }
    let gone = Set(sums.values)
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !gone.contains(index) {
      guard let sum = sums[index] else {
        rewriter.copy(node)
        continue
      }
      let outputs = try rewriter.append(
        Operations.LinearBackwardWeight(), [rewriter[node.inputs[1]], rewriter[node.inputs[0]]],
        scope: node.scope)
      rewriter.replace(node.outputs[0], with: outputs[0])
      rewriter.replace(nodes[sum].outputs[0], with: outputs[1])
    }
    return rewriter.finish()
  }

  /// Whether a node is a product Aᵀ·B of matrices with A as given.
  private func isWeightGradient(_ index: Int, of left: ValueID) -> Bool {
    let node = nodes[index]
    guard let product = node.operation as? Operations.MatMul else { return false }
    return product.transposesA && !product.transposesB && node.inputs[0] == left
      && type(node.inputs[1]).shape.rank == 2 && type(node.outputs[0]).dataType == .float32
  }
}

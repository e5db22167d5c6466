import TernCore

extension Operations {
  /// The gradient of log_softmax over [N, C] and nll_loss, in one.
  ///
  /// Inputs: the gradient of the loss, target [N] (int32), the sum of the weights that count [],
  /// log-probabilities [N, C], optionally class weights [C] → d logits [N, C].
  package struct CrossEntropyBackward: Operation {
    package let loss: NLLLoss

    package init(_ loss: NLLLoss) { self.loss = loss }

    package var name: String { "cross_entropy_backward" }
    package var detail: String { loss.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 4...5)
      try expectRank(inputs[3], 2, "log-probabilities", "[N, C]")
      return [inputs[3]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 5)
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let backward = NLLLossBackward(forward: loss, inputShape: inputs[3].shape)
      let slope = try inputs[0].builder.apply(
        backward, Array(inputs.prefix(3) + inputs.dropFirst(4)))[0]
      return [try slope.apply(SoftmaxBackward(axis: 1, isLogarithmic: true), inputs[3])]
    }
  }
}

extension Graph {
  /// With the gradients of log_softmax and nll_loss merged, where the classes are innermost.
  package func fusingCrossEntropyBackward() throws -> Graph {
    let readers = GraphReaders(self)
    /// Per log_softmax, backward, the loss whose gradient it alone reads.
    var losses: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() {
      guard let softmax = node.operation as? Operations.SoftmaxBackward, softmax.isLogarithmic,
        softmax.axis == 1, type(node.inputs[1]).shape.rank == 2,
        let loss = readers.producer(of: node.inputs[0]),
        nodes[loss].operation is Operations.NLLLossBackward,
        readers.onlyReader(of: node.inputs[0]) == index
      else { continue }
      losses[index] = loss
    }
    if losses.isEmpty { return self }
    let gone = Set(losses.values)
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !gone.contains(index) {
      guard let loss = losses[index].map({ nodes[$0] }),
        let backward = loss.operation as? Operations.NLLLossBackward
      else {
        rewriter.copy(node)
        continue
      }
      let inputs = loss.inputs.prefix(3) + [node.inputs[1]] + loss.inputs.dropFirst(3)
      let outputs = try rewriter.append(
        Operations.CrossEntropyBackward(backward.forward), inputs.map { rewriter[$0] },
        scope: node.scope)
      rewriter.replace(node.outputs[0], with: outputs[0])
    }
    return rewriter.finish()
  }
}

import TernCore

extension Graph {
  /// With log_softmax, the loss of its classes and the gradient of both made one, where nothing else reads the
  /// log-probabilities. To be called behind ``fusingCrossEntropyBackward()``.
  ///
  /// - Parameter maximumRows: the most samples; what each of them adds to the divisor of a mean is summed anew
  ///   wherever gradients are computed.
  package func joiningCrossEntropyAndGradient(maximumRows: Int) throws -> Graph {
    let readers = GraphReaders(self)
    let overwriters = firstOverwriters
    /// By the loss: the log_softmax before it, and the gradient.
    var merged: [Int: (softmax: Int, backward: Int)] = [:]
    for (index, node) in nodes.enumerated() {
      guard let loss = node.operation as? Operations.NLLLoss, loss.reduction != .none,
        let softmax = readers.producer(of: node.inputs[0]),
        let operation = nodes[softmax].operation as? Operations.Softmax, operation.isLogarithmic,
        operation.axis == 1, type(node.inputs[0]).shape.rank == 2,
        type(node.inputs[0]).shape[0] <= maximumRows,
        let backward = readers.onlyReader(of: node.outputs[1]),
        (nodes[backward].operation as? Operations.CrossEntropyBackward)?.loss == loss,
        Array(nodes[backward].inputs.dropFirst()) == [
          node.inputs[1], node.outputs[1], node.inputs[0],
        ]
          + node.inputs.dropFirst(2),
        let scores = readers.readers(of: node.inputs[0]), scores.sorted() == [index, backward]
      else { continue }
      // The gradient is computed where the loss was: what arrives there has to be the same.
      let arriving = nodes[backward].inputs[0]
      if case .node(let producer, _) = self[arriving].source, producer >= index { continue }
      guard overwriters[root(of: arriving)] ?? .max > backward,
        nodes[softmax].inputs.allSatisfy({ overwriters[root(of: $0)] ?? .max > index })
      else { continue }
      merged[index] = (softmax, backward)
    }
    if merged.isEmpty { return self }
    let gone = Set(merged.values.flatMap { [$0.softmax, $0.backward] })
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !gone.contains(index) {
      guard let (softmax, backward) = merged[index],
        let loss = node.operation as? Operations.NLLLoss
      else {
        rewriter.copy(node)
        continue
      }
      let inputs =
        [nodes[backward].inputs[0], nodes[softmax].inputs[0]] + node.inputs.dropFirst()
      let outputs = try rewriter.append(
        Operations.CrossEntropyWithGradient(loss), inputs.map { rewriter[$0] }, scope: node.scope)
      rewriter.replace(node.outputs[0], with: outputs[0])
      rewriter.replace(nodes[backward].outputs[0], with: outputs[1])
    }
    return rewriter.finish()
  }
}

import TernCore

extension Graph {
  /// With what computes a parameter's gradient merged into the update that alone reads it.
  ///
  /// The merged node reads what the update did, with the first input of the other in the gradient's place and its
  /// second one at the end.
  ///
  /// - Parameter merged: the operation in place of an update and the node of its gradient; `nil` leaves both.
  package func mergingGradientsIntoUpdates(
    _ merged: (_ update: Operations.OptimizerUpdate, _ own: Node, _ gradient: Node) ->
      (any Operation)?
  ) throws -> Graph {
    let readers = GraphReaders(self)
    var operations: [Int: any Operation] = [:]
    var producers: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() {
      guard let update = node.operation as? Operations.OptimizerUpdate,
        let producer = readers.producer(of: node.inputs[1]),
        readers.onlyReader(of: node.inputs[1]) == index, nodes[producer].inputs.count == 2,
        let operation = merged(update, node, nodes[producer])
      else { continue }
      operations[index] = operation
      producers[index] = producer
    }
    if operations.isEmpty { return self }
    let gone = Set(producers.values)
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !gone.contains(index) {
      guard let operation = operations[index], let producer = producers[index] else {
        rewriter.copy(node)
        continue
      }
      var inputs = node.inputs
      inputs[1] = nodes[producer].inputs[0]
      inputs.append(nodes[producer].inputs[1])
      let outputs = try rewriter.append(
        operation, inputs.map { rewriter[$0] }, scope: node.scope)
      for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
    }
    return rewriter.finish()
  }

  /// With gradients multiplied by a number where the update reads them.
  ///
  /// - Parameter claim: whether the device does it for an update of so many elements. Most of what is small is better
  ///   left to a launch or a loop for many parameters.
  package func scalingGradientsInUpdates(
    where claim: (_ update: Operations.OptimizerUpdate, _ isGuarded: Bool, _ count: Int) -> Bool
  ) throws -> Graph {
    try mergingGradientsIntoUpdates { update, own, gradient in
      guard (gradient.operation as? Operations.Binary)?.function == .mul,
        type(gradient.inputs[0]) == type(own.inputs[1]),
        type(gradient.inputs[1]) == TensorType([], type(own.inputs[1]).dataType),
        claim(update, update.isGuarded(own.inputs.count), type(own.inputs[0]).elementCount)
      else { return nil }
      return Operations.ScaledUpdate(update)
    }
  }
}

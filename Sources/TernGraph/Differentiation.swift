import TernCore

extension GraphBuilder {
  /// The gradients of `outputs` with respect to `targets`, as tensors of the same graph.
  ///
  /// Reverse-mode differentiation: the nodes between are visited from last to first, each adds
  /// nodes that compute what arrives at its inputs, and where a value was read several times the
  /// contributions are summed.
  ///
  /// - Parameters:
  ///   - outputs: what is differentiated, each with the gradient arriving at it (its cotangent);
  ///     for a scalar loss a constant 1.
  ///   - targets: what to differentiate by.
  /// - Returns: one tensor per target, of the target's shape; `nil` where no path leads to it.
  public func gradients(
    of outputs: [(value: Tensor, cotangent: Tensor)], withRespectTo targets: [Tensor]
  ) throws -> [Tensor?] {
    var isNeeded = [Bool](repeating: false, count: graph.values.count)
    for target in targets { isNeeded[target.id.index] = true }
    let forward = graph.nodes
    for node in forward where node.inputs.contains(where: { isNeeded[$0.index] }) {
      for output in node.outputs { isNeeded[output.index] = true }
    }

    var arriving: [ValueID: Tensor] = [:]
    func add(_ cotangent: Tensor, to id: ValueID) throws {
      let expected = graph.type(id).shape
      precondition(
        cotangent.shape == expected, "gradient of shape \(cotangent.shape) for \(expected)")
      arriving[id] = try arriving[id].map { try $0 + cotangent } ?? cotangent
    }
    for (value, cotangent) in outputs { try add(cotangent, to: value.id) }

    for node in forward.reversed() {
      let cotangents = node.outputs.map { arriving[$0] }
      let needed = node.inputs.map { isNeeded[$0.index] }
      guard cotangents.contains(where: { $0 != nil }), needed.contains(true) else { continue }
      let gradients = try scope(node.scope.isEmpty ? "backward" : "backward.\(node.scope)") {
        try node.operation.gradient(
          NodeGradient(
            inputs: node.inputs.map(tensor), outputs: node.outputs.map(tensor),
            cotangents: cotangents, needed: needed))
      }
      for (index, gradient) in gradients.enumerated() where needed[index] {
        if let gradient { try add(gradient, to: node.inputs[index]) }
      }
    }
    return targets.map { arriving[$0.id] }
  }

  /// The gradients of a scalar `loss`.
  public func gradients(of loss: Tensor, withRespectTo targets: [Tensor]) throws -> [Tensor?] {
    try gradients(of: [(loss, constant(1, loss.shape))], withRespectTo: targets)
  }
}

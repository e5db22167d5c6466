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
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func gradients(
    of outputs: [(value: Tensor, cotangent: Tensor)], withRespectTo targets: [Tensor]
  ) throws -> [Tensor?] {
    try gradients(of: outputs, withRespectTo: targets, throughNodesFrom: 0)
  }

  /// - Parameter start: the nodes before this one are not gone through, so that of two targets of which
  ///   one depends on the other each gets what arrives at it alone.
  func gradients(
    of outputs: [(value: Tensor, cotangent: Tensor)], withRespectTo targets: [Tensor],
    throughNodesFrom start: Int
  ) throws -> [Tensor?] {
    var isNeeded = [Bool](repeating: false, count: graph.values.count)
    for target in targets { isNeeded[target.id.index] = true }
    let forward = graph.nodes[start...]
    for node in forward where node.inputs.contains(where: { isNeeded[$0.index] }) {
      for output in node.outputs { isNeeded[output.index] = true }
    }

    var arriving: [ValueID: ArrivingGradient] = [:]
    func add(_ cotangent: Tensor, to id: ValueID) throws {
      let expected = graph.type(id).shape
      precondition(
        cotangent.shape == expected, "gradient of shape \(cotangent.shape) for \(expected)")
      try arriving[id, default: ArrivingGradient()].add(cotangent)
    }
    for (value, cotangent) in outputs { try add(cotangent, to: value.id) }

    for node in forward.reversed() {
      // All nodes that read the outputs were visited: what arrives there is complete.
      let backward = node.scope.isEmpty ? Node.backwardScope : "\(Node.backwardScope).\(node.scope)"
      let cotangents = try scope(backward) { try node.outputs.map { try arriving[$0]?.total() } }
      let needed = node.inputs.map { isNeeded[$0.index] }
      guard cotangents.contains(where: { $0 != nil }), needed.contains(true) else { continue }
      let gradients = try scope(backward) {
        try node.operation.gradient(
          NodeGradient(
            inputs: node.inputs.map(tensor), outputs: node.outputs.map(tensor),
            cotangents: cotangents, needed: needed))
      }
      for (index, gradient) in gradients.enumerated() where needed[index] {
        if let gradient { try add(gradient, to: node.inputs[index]) }
      }
    }
    return try scope(Node.backwardScope) { try targets.map { try arriving[$0.id]?.total() } }
  }

  /// The gradients of a scalar `loss`.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func gradients(of loss: Tensor, withRespectTo targets: [Tensor]) throws -> [Tensor?] {
    try gradients(of: [(loss, constant(1, loss.shape))], withRespectTo: targets)
  }
}

/// The contributions to the gradient of one value.
private struct ArrivingGradient {
  private var sum: Tensor?
  /// Gradients of slices along one axis, zero elsewhere.
  private var slices: [PaddedSlice] = []

  mutating func add(_ contribution: Tensor) throws {
    if let slice = PaddedSlice(contribution), slices.first.map({ $0.axis == slice.axis }) ?? true {
      slices.append(slice)
    } else {
      try addToSum(contribution)
    }
  }

  private mutating func addToSum(_ contribution: Tensor) throws {
    sum = try sum.map { try $0 + contribution } ?? contribution
  }

  /// Leaves only slices that do not overlap one another, in their order.
  private mutating func sortSlices() throws {
    var apart: [PaddedSlice] = []
    for slice in slices.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      if let last = apart.last, last.range.overlaps(slice.range) {
        try addToSum(slice.padded)
      } else {
        apart.append(slice)
      }
    }
    slices = apart
  }

  /// The sum of all contributions. Slices that cover the value are put side by side instead, as they
  /// are where a recurrent network reads its input step by step, or its gates from one product.
  mutating func total() throws -> Tensor {
    try sortSlices()
    if let first = slices.first {
      let covered = slices.reduce(0) { $0 + $1.range.count }
      var terms = slices.map(\.padded)
      if slices.count > 1, covered == first.padded.shape[first.axis] {
        terms = [try Tensor.cat(slices.map(\.slice), dim: first.axis)]
      }
      if let sum { terms.insert(sum, at: 0) }
      sum = try terms.dropFirst().reduce(terms[0]) { try $0 + $1 }
      slices = []
    }
    return sum!
  }
}

/// A tensor that is zero but for a range along one axis: the gradient of what ``Narrow`` reads.
private struct PaddedSlice {
  let padded: Tensor
  let slice: Tensor
  let axis: Int
  let range: Range<Int>

  init?(_ tensor: Tensor) {
    let graph = tensor.builder.graph
    guard case .node(let index, output: 0) = graph[tensor.id].source,
      let pad = graph.nodes[index].operation as? Operations.Pad, pad.mode == .constant(0),
      (pad.before + pad.after).allSatisfy({ $0 >= 0 })
    else { return nil }
    let axes = pad.before.indices.filter { pad.before[$0] + pad.after[$0] > 0 }
    guard axes.count == 1 else { return nil }
    padded = tensor
    slice = tensor.builder.tensor(graph.nodes[index].inputs[0])
    axis = axes[0]
    range = pad.before[axis]..<tensor.shape[axis] - pad.after[axis]
  }
}

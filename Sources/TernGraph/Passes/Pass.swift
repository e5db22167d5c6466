import TernCore

/// A rewriting of a graph: builds a new graph from an old one, node by node, and keeps track of
/// which value became which.
package struct GraphRewriter {
  package private(set) var graph = Graph()
  private var map: [ValueID?]
  private let source: Graph

  package init(_ source: Graph) {
    self.source = source
    map = [ValueID?](repeating: nil, count: source.values.count)
    for id in source.inputs { graph.inputs.append(copyLeaf(id)) }
    for id in source.variables { graph.variables.append(copyLeaf(id)) }
  }

  private mutating func copyLeaf(_ id: ValueID) -> ValueID {
    graph.values.append(source[id])
    let copy = ValueID(graph.values.count - 1)
    map[id.index] = copy
    return copy
  }

  /// What `id` of the old graph is in the new one.
  package subscript(id: ValueID) -> ValueID {
    mutating get {
      if let mapped = map[id.index] { return mapped }
      guard let constant = source.constants.first(where: { $0.id == id }) else {
        preconditionFailure("value \(id) read before it was rewritten")
      }
      let copy = copyLeaf(id)
      graph.constants.append((copy, constant.value))
      return copy
    }
  }

  /// Makes `id` of the old graph mean `replacement` of the new one.
  package mutating func replace(_ id: ValueID, with replacement: ValueID) {
    map[id.index] = replacement
  }

  /// Appends an operation on values of the new graph.
  package mutating func append(
    _ operation: any Operation, _ inputs: [ValueID], scope: String
  ) throws(ShapeError) -> [ValueID] {
    try graph.append(operation, inputs, scope: scope)
  }

  /// Appends a constant.
  package mutating func append(_ value: HostTensor) -> ValueID {
    graph.values.append(ValueInfo(type: value.type, source: .constant, name: ""))
    let id = ValueID(graph.values.count - 1)
    graph.constants.append((id, value))
    return id
  }

  /// Changes how a value of the new graph is stored.
  package mutating func setLayout(_ id: ValueID, _ layout: Layout) { graph[id].layout = layout }

  /// Carries a node over as it is; returns its outputs in the new graph.
  @discardableResult
  package mutating func copy(_ node: Node) -> [ValueID] {
    copy(node, reading: node.inputs.map { self[$0] })
  }

  /// Carries a node over, but lets it read other values of the new graph, of the same types.
  @discardableResult
  package mutating func copy(_ node: Node, reading inputs: [ValueID]) -> [ValueID] {
    let index = graph.nodes.count
    var outputs: [ValueID] = []
    for (position, old) in node.outputs.enumerated() {
      var info = source[old]
      info.source = .node(index, output: position)
      graph.values.append(info)
      let id = ValueID(graph.values.count - 1)
      outputs.append(id)
      map[old.index] = id
    }
    graph.nodes.append(
      Node(operation: node.operation, inputs: inputs, outputs: outputs, scope: node.scope))
    return outputs
  }

  /// Appends `build`'s operations in place of a node, and lets its outputs take the node's.
  package mutating func expand(
    _ node: Node, _ build: ([Tensor]) throws -> [Tensor]
  ) throws {
    let inputs = node.inputs.map { self[$0] }
    let builder = GraphBuilder(graph)
    // The builder's alone, which it would copy otherwise to append to it.
    graph = Graph()
    let outputs = try builder.scope(node.scope) { try build(inputs.map(builder.tensor)) }
    graph = builder.graph
    for (old, new) in zip(node.outputs, outputs) { map[old.index] = new.id }
  }

  /// The new graph, with the old one's outputs and assignments.
  package consuming func finish() -> Graph {
    for (name, id) in source.outputs { graph.outputs.append((name, self[id])) }
    for (variable, value) in source.assignments {
      graph.assignments.append((self[variable], self[value]))
    }
    return graph
  }
}

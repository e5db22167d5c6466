import TernCore

extension Graph {
  /// Without the nodes that no output and no assignment depends on.
  package func removingDeadNodes() -> Graph {
    var isLive = [Bool](repeating: false, count: values.count)
    for (_, id) in outputs { isLive[id.index] = true }
    for (_, id) in assignments { isLive[id.index] = true }
    var keep = [Bool](repeating: false, count: nodes.count)
    for index in nodes.indices.reversed()
    where nodes[index].outputs.contains(where: { isLive[$0.index] }) {
      keep[index] = true
      for input in nodes[index].inputs { isLive[input.index] = true }
    }
    guard keep.contains(false) else { return self }
    var rewriter = GraphRewriter(self)
    for index in nodes.indices where keep[index] { rewriter.copy(nodes[index]) }
    return rewriter.finish()
  }

  /// With every node that `isSupported` rejects replaced by its decomposition.
  ///
  /// - Throws: a ``TernError`` naming the node where there is none.
  package func decomposing(unless isSupported: (Node, Graph) -> Bool) throws -> Graph {
    var graph = self
    // A decomposition may itself contain nodes to decompose.
    for _ in 0..<4 {
      if graph.nodes.allSatisfy({ isSupported($0, graph) }) { return graph }
      var rewriter = GraphRewriter(graph)
      for node in graph.nodes {
        if isSupported(node, graph) {
          rewriter.copy(node)
        } else {
          try rewriter.expand(node) { inputs in
            guard let outputs = try node.operation.decomposition(inputs) else {
              throw TernError(.runtime, "the device has no kernel for \(node.label)")
            }
            return outputs
          }
        }
      }
      graph = rewriter.finish()
    }
    return graph
  }

  /// With every node that has a decomposition replaced by it.
  package func takenApart() throws -> Graph {
    try decomposing { node, graph in
      let builder = GraphBuilder(graph)
      return (try? node.operation.decomposition(node.inputs.map(builder.tensor))) == nil
    }
  }

  /// With an explicit node at the end for every assignment that its producer does not carry out in
  /// place.
  package func materializingAssignments() throws -> Graph {
    var graph = self
    // A variable assigned to another is read before any is written: a ← b, b ← a swaps them.
    for index in graph.assignments.indices
    where graph[graph.assignments[index].value].source == .variable {
      let value = graph.assignments[index].value
      let copy = try graph.append(Operations.Reorder(), [value], scope: graph[value].name)[0]
      graph[copy].layout = graph[value].layout
      graph.assignments[index].value = copy
    }
    for index in graph.assignments.indices {
      let (variable, value) = graph.assignments[index]
      if case .node(let node, let output) = graph[value].source,
        graph.nodes[node].operation.inPlacePairs.contains(where: {
          $0.required && $0.output == output && graph.nodes[node].inputs[$0.input] == variable
        })
      {
        continue
      }
      let stored = try graph.append(
        Operations.Assign(), [variable, value], scope: graph[variable].name)
      graph[stored[0]].layout = graph[variable].layout
      graph.assignments[index].value = stored[0]
    }
    return graph
  }
}

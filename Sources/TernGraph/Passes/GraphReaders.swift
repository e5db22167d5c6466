/// Who computes and who reads every value of a graph.
package struct GraphReaders {
  package let graph: Graph
  /// Per value, the nodes that read it, once per input.
  private let readers: [[Int]]
  /// The values that are read after the step.
  private let kept: Set<ValueID>

  package init(_ graph: Graph) {
    self.graph = graph
    var readers = [[Int]](repeating: [], count: graph.values.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { readers[input.index].append(index) }
    }
    self.readers = readers
    kept = Set(graph.outputs.map(\.id)).union(graph.assignments.map(\.value))
  }

  /// The nodes that read a value; `nil` where it is also read after the step.
  package func readers(of id: ValueID) -> [Int]? { kept.contains(id) ? nil : readers[id.index] }

  /// The nodes of the step that read a value, once per input.
  package func allReaders(of id: ValueID) -> [Int] { readers[id.index] }

  /// Whether a node of the step reads a value.
  package func isReadInStep(_ id: ValueID) -> Bool { !readers[id.index].isEmpty }

  /// The node that alone reads a value.
  package func onlyReader(of id: ValueID) -> Int? {
    guard let readers = readers(of: id), readers.count == 1 else { return nil }
    return readers[0]
  }

  /// The node that computes a value as its first output.
  package func producer(of id: ValueID) -> Int? {
    guard case .node(let index, output: 0) = graph[id].source else { return nil }
    return index
  }

  /// Whether a node is a relu, forward.
  package func isReLU(_ index: Int) -> Bool {
    (graph.nodes[index].operation as? Operations.Unary)?.function == .relu
  }

  /// The only node that differentiates a relu.
  package func backwardNode(ofReLU index: Int) -> Int? {
    let output = graph.nodes[index].outputs[0]
    let backward = readers[output.index].filter { isReLUBackward($0, saved: output) }
    return backward.count == 1 ? backward[0] : nil
  }

  /// Whether a node is a relu, backward, by the output `saved`.
  package func isReLUBackward(_ index: Int, saved: ValueID) -> Bool {
    let node = graph.nodes[index]
    return (node.operation as? Operations.UnaryBackward)?.function == .relu
      && node.inputs[1] == saved
  }
}

import TernCore

extension Graph {
  /// With elementwise operations of which only parts are read computed part by part: each part then joins
  /// the chain that reads it. Gates of recurrent cells are packed so.
  package func takingPartsFirst() throws -> Graph {
    let readers = GraphReaders(self)
    /// The parts that are read of a node; `nil` where that is not all.
    func parts(_ node: Node) -> [Int]? {
      guard Operations.ElementwiseChain.Function(node.operation) != nil,
        let readers = readers.readers(of: node.outputs[0]), readers.count > 1,
        node.inputs.allSatisfy({ type($0) == type(node.outputs[0]) && self[$0].source != .variable }
        )
      else { return nil }
      let parts = readers.compactMap { nodes[$0].operation as? Operations.Narrow }
      // No element is computed twice.
      guard parts.count == readers.count, Set(parts.map(\.axis)).count == 1 else { return nil }
      var end = 0
      for part in parts.sorted(by: { $0.start < $1.start }) {
        if part.start < end { return nil }
        end = part.start + part.length
      }
      return readers
    }
    var producers: [Int: Node] = [:]
    var moved: Set<Int> = []
    for (index, node) in nodes.enumerated() {
      guard let parts = parts(node) else { continue }
      moved.insert(index)
      for part in parts { producers[part] = node }
    }
    if moved.isEmpty { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !moved.contains(index) {
      guard let producer = producers[index] else {
        rewriter.copy(node)
        continue
      }
      let inputs = try producer.inputs.map { input in
        try rewriter.append(node.operation, [rewriter[input]], scope: node.scope)[0]
      }
      let outputs = try rewriter.append(producer.operation, inputs, scope: producer.scope)
      rewriter.replace(node.outputs[0], with: outputs[0])
    }
    return rewriter.finish()
  }
}

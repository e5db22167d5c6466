extension Graph {
  /// With the nodes from `first` on moved forward: each runs as soon as what it reads has been computed, not behind
  /// all nodes that were written down before it.
  ///
  /// - Parameter first: the first of the nodes that move; none of them may write over what others read.
  package func runningAtOnce(from first: Int) -> Graph {
    /// Per node that moves, the last of the others that it waits for; -1 where it waits for none.
    var anchors: [Int: Int] = [:]
    var followers: [Int: [Int]] = [:]
    for index in first..<nodes.count {
      let anchor = nodes[index].inputs.reduce(-1) { latest, input in
        guard case .node(let producer, _) = self[input].source else { return latest }
        return max(latest, anchors[producer] ?? producer)
      }
      anchors[index] = anchor
      followers[anchor, default: []].append(index)
    }
    let order = (followers[-1] ?? []) + (0..<first).flatMap { [$0] + (followers[$0] ?? []) }
    var result = self
    result.nodes = order.map { nodes[$0] }
    for (place, node) in result.nodes.enumerated() {
      for (position, output) in node.outputs.enumerated() {
        result[output].source = .node(place, output: position)
      }
    }
    return result
  }
}

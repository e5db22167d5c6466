// Values that lie inside a bucket from the beginning: nothing is copied into it, or out of it.

extension Planner {
  /// The bucket that a value is part of, and where it begins there, in bytes.
  struct Whole {
    let id: ValueID
    let offset: Int
  }

  /// Where parts may begin: as vectors like it.
  private static let partAlignment = 64

  /// The values that can be computed in the bucket that they are put into.
  func bucketParts() -> [ValueID: Whole] {
    var result: [ValueID: Whole] = [:]
    for node in graph.nodes {
      guard let bucket = node.operation as? Operations.Bucket else { continue }
      for part in bucket.parts(node, in: graph) {
        let id = node.inputs[part.position]
        guard part.offset % Self.partAlignment == 0, result[id] == nil, isComputedAnywhere(id),
          graph[id].byteCount == graph.type(id).byteCount
        else { continue }
        result[id] = Whole(id: node.outputs[0], offset: part.offset)
      }
    }
    return result
  }

  /// Whether the node that computes a value writes it wherever it is told to.
  private func isComputedAnywhere(_ id: ValueID) -> Bool {
    guard case .node(let index, let output) = graph[id].source else { return false }
    let operation = graph.nodes[index].operation
    return !operation.isView
      && !operation.inPlacePairs.contains { $0.required && $0.output == output }
  }

  /// Places a value in the bucket that it becomes part of, a bucket around its parts, or the parts of a bucket that
  /// the host writes.
  ///
  /// - Returns: whether the value has its place.
  mutating func placeInBucket(
    _ output: ValueID, _ position: Int, of node: Node, at step: Int, _ lastUse: [Int]
  ) -> Bool {
    if let parts = node.operation as? Operations.BucketParts,
      let whole = fixed[node.inputs[0].index]
    {
      let part = parts.parts(node, in: graph)[position]
      guard part.offset % Self.partAlignment == 0 else { return false }
      fixed[output.index] = .init(region: whole.region, offset: whole.offset + part.offset)
      return true
    }
    if let whole = wholes[output] {
      let block = blockOf[whole.id.index] ?? blocks.count
      if block == blocks.count {
        blocks.append(
          Block(
            byteCount: graph[whole.id].byteCount, first: step,
            last: max(lastUse[whole.id.index], step)))
        blockOf[whole.id.index] = block
      }
      blocks[block].last = max(blocks[block].last, lastUse[output.index])
      blockOf[output.index] = block
      offsetInBlock[output.index] = whole.offset
      return true
    }
    // Parts of it are there already.
    return blockOf[output.index] != nil
  }
}

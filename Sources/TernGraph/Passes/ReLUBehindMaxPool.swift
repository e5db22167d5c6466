extension Graph {
  /// With relu after max pooling instead of before it, forward and backward: the maximum of
  /// rectified values is the rectified maximum, and there are fewer of them.
  ///
  /// Where a whole window is negative the position of its maximum changes, but no gradient flows
  /// there either way.
  ///
  /// - Parameter asOne: whether pooling and relu are one operation, forward and backward.
  package func movingReLUBehindMaxPool(asOne: Bool = false) throws -> Graph {
    let readers = GraphReaders(self)
    var swaps: [Int: ReLUSwap] = [:]
    for index in nodes.indices {
      guard let swap = ReLUSwap(pool: index, readers) else { continue }
      for node in swap.nodes { swaps[node] = swap }
    }
    if swaps.isEmpty { return self }

    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      guard let swap = swaps[index] else {
        rewriter.copy(node)
        continue
      }
      switch index {
      case swap.relu:
        // Its other readers are rewritten as well.
        rewriter.replace(node.outputs[0], with: rewriter[node.inputs[0]])
      case swap.pool where asOne:
        let pool = node.operation as! Operations.MaxPool2D
        let pooled = try rewriter.append(
          Operations.RectifiedMaxPool2D(pool), [rewriter[nodes[swap.relu].inputs[0]]],
          scope: node.scope)
        for (old, new) in zip(node.outputs, pooled) { rewriter.replace(old, with: new) }
      case swap.poolBackward where asOne:
        let pool = node.operation as! Operations.MaxPool2DBackward
        let rectified = rewriter[nodes[swap.pool].outputs[0]]
        let spread = try rewriter.append(
          Operations.RectifiedMaxPool2DBackward(pool),
          node.inputs.map { rewriter[$0] } + [rectified],
          scope: node.scope)
        rewriter.replace(node.outputs[0], with: spread[0])
      case swap.pool:
        let pooled = try rewriter.append(
          node.operation, [rewriter[nodes[swap.relu].inputs[0]]], scope: node.scope)
        let rectified = try rewriter.append(
          Operations.Unary(.relu), [pooled[0]], scope: nodes[swap.relu].scope)
        rewriter.replace(node.outputs[0], with: rectified[0])
        rewriter.replace(node.outputs[1], with: pooled[1])
      case swap.poolBackward:
        let rectified = rewriter[nodes[swap.pool].outputs[0]]
        let masked = try rewriter.append(
          Operations.UnaryBackward(.relu), [rewriter[node.inputs[0]], rectified], scope: node.scope)
        let spread = try rewriter.append(
          node.operation, [masked[0], rewriter[node.inputs[1]]], scope: node.scope)
        rewriter.replace(node.outputs[0], with: spread[0])
      default:
        rewriter.replace(node.outputs[0], with: rewriter[node.inputs[0]])
      }
    }
    return rewriter.finish()
  }
}

/// A relu, the max pooling that reads it, and, in a training step, the same two backward.
private struct ReLUSwap {
  let relu: Int
  let pool: Int
  let poolBackward: Int?
  let reluBackward: Int?

  var nodes: [Int] { [relu, pool] + [poolBackward, reluBackward].compactMap(\.self) }

  /// - Returns: `nil` where something else looks at the values in between.
  init?(pool: Int, _ readers: GraphReaders) {
    let node = readers.graph.nodes[pool]
    guard node.operation is Operations.MaxPool2D,
      let relu = readers.producer(of: node.inputs[0]), readers.isReLU(relu),
      let rectifiedReaders = readers.readers(of: node.inputs[0]),
      let indexReaders = readers.readers(of: node.outputs[1])
    else { return nil }
    self.relu = relu
    self.pool = pool
    guard let poolBackward = indexReaders.first else {
      guard rectifiedReaders == [pool] else { return nil }
      (self.poolBackward, reluBackward) = (nil, nil)
      return
    }
    let backward = readers.graph.nodes[poolBackward]
    guard indexReaders == [poolBackward], backward.operation is Operations.MaxPool2DBackward,
      let reluBackward = readers.onlyReader(of: backward.outputs[0]),
      readers.isReLUBackward(reluBackward, saved: node.inputs[0]),
      Set(rectifiedReaders) == [pool, reluBackward]
    else { return nil }
    (self.poolBackward, self.reluBackward) = (poolBackward, reluBackward)
  }
}

import TernCore

extension Graph {
  /// With every batch normalisation merged with the sum and the relu behind it and with the running
  /// statistics that it is for, and with the relu's gradient merged into its own.
  package func fusingBatchNorm() throws -> Graph {
    let readers = GraphReaders(self)
    var taken: Set<Int> = []
    var fusions: [Int: BatchNormFusion] = [:]
    // The last first: of two that are added up, the one that is computed last adds the other.
    for index in nodes.indices.reversed() {
      guard let fusion = BatchNormFusion(index, readers, taken) else { continue }
      taken.formUnion(fusion.absorbed)
      fusions[fusion.last] = fusion
    }
    if fusions.isEmpty { return self }
    var backward: [Int: BatchNormFusion] = [:]
    for fusion in fusions.values {
      if let index = fusion.backward { backward[index] = fusion }
    }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      if let fusion = fusions[index] {
        let outputs = try rewriter.append(
          fusion.operation, fusion.inputs.map { rewriter[$0] },
          scope: nodes[fusion.forward].scope)
        for (old, new) in zip(fusion.outputs, outputs) { rewriter.replace(old, with: new) }
      } else if let fusion = backward[index] {
        let outputs = try rewriter.append(
          Operations.RectifiedBatchNormBackward(epsilon: fusion.operation.epsilon),
          (nodes[fusion.reluBackward!].inputs.prefix(1) + node.inputs.dropFirst()
            + [nodes[fusion.forward].inputs[2]]).map { rewriter[$0] }, scope: node.scope)
        for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
      } else if !taken.contains(index) {
        rewriter.copy(node)
      }
    }
    return rewriter.finish()
  }
}

/// A batch normalisation with the nodes that are merged with it.
private struct BatchNormFusion {
  let forward: Int
  let operation: Operations.FusedBatchNorm
  let inputs: [ValueID]
  /// The values in whose places the outputs stand.
  let outputs: [ValueID]
  /// What no longer runs by itself.
  let absorbed: Set<Int>
  /// Where all is computed.
  let last: Int
  /// The gradients of the relu and of the normalisation, where those are one after the other.
  private(set) var reluBackward: Int?
  private(set) var backward: Int?

  /// - Parameter taken: nodes that other fusions have.
  init?(_ forward: Int, _ readers: GraphReaders, _ taken: Set<Int>) {
    let graph = readers.graph
    let node = graph.nodes[forward]
    guard let base = node.operation as? Operations.BatchNorm, !taken.contains(forward) else {
      return nil
    }
    var last = forward
    var absorbed: Set = [forward]
    var output = node.outputs[0]
    var residual: ValueID?
    // A sum, if it is with a tensor of the same shape.
    if let sum = readers.onlyReader(of: output), !taken.contains(sum),
      (graph.nodes[sum].operation as? Operations.Binary)?.function == .add,
      let other = graph.nodes[sum].inputs.first(where: { $0 != output }),
      graph.type(other) == graph.type(output)
    {
      (residual, last, output) = (other, sum, graph.nodes[sum].outputs[0])
      absorbed.insert(sum)
    }
    var rectifies = false
    if let relu = readers.onlyReader(of: output), readers.isReLU(relu), !taken.contains(relu) {
      (rectifies, last) = (true, relu)
      absorbed.insert(relu)
      if residual == nil, let other = readers.backwardNode(ofReLU: relu), !taken.contains(other),
        let next = readers.onlyReader(of: graph.nodes[other].outputs[0]),
        graph.nodes[next].operation is Operations.BatchNormBackward,
        graph.nodes[next].inputs[0] == graph.nodes[other].outputs[0],
        graph.nodes[next].inputs[1] == node.inputs[0],
        graph.nodes[next].inputs[2] == node.outputs[1]
      {
        (reluBackward, backward) = (other, next)
        absorbed.formUnion([other, next])
      }
      output = graph.nodes[relu].outputs[0]
    }
    let statistics = node.outputs[1...].compactMap {
      RunningStatistic($0, readers, taken)
    }
    let hasRunning = statistics.count == 2
    if hasRunning { absorbed.formUnion(statistics.flatMap(\.nodes)) }
    guard absorbed.count > 1 else { return nil }
    // All is computed where the last of them was: nobody else may read before that.
    for index in absorbed where index != reluBackward && index != backward {
      for id in graph.nodes[index].outputs {
        for reader in readers.allReaders(of: id) where !absorbed.contains(reader) && reader < last {
          return nil
        }
      }
    }
    self.forward = forward
    self.last = last
    self.absorbed = absorbed
    operation = Operations.FusedBatchNorm(
      epsilon: base.epsilon, addsResidual: residual != nil, rectifies: rectifies,
      running: hasRunning ? statistics.map(\.blend) : [])
    inputs =
      node.inputs + (residual.map { [$0] } ?? []) + (hasRunning ? statistics.map(\.variable) : [])
    outputs = [output] + node.outputs[1...] + (hasRunning ? statistics.map(\.value) : [])
  }
}

/// What a running statistic becomes: a sum of itself and of the batch's, each scaled.
private struct RunningStatistic {
  let variable: ValueID
  let value: ValueID
  let blend: Operations.FusedBatchNorm.Blend
  let nodes: [Int]

  init?(_ batch: ValueID, _ readers: GraphReaders, _ taken: Set<Int>) {
    let graph = readers.graph
    func scale(_ index: Int) -> Float? {
      guard
        case .affine(let scale, let shift)? =
          (graph.nodes[index].operation as? Operations.Unary)?.function, shift == 0
      else { return nil }
      return scale
    }
    for scaled in readers.allReaders(of: batch) {
      guard let share = scale(scaled),
        let sum = readers.onlyReader(of: graph.nodes[scaled].outputs[0]),
        (graph.nodes[sum].operation as? Operations.Binary)?.function == .add,
        graph.nodes[sum].inputs[1] == graph.nodes[scaled].outputs[0],
        let kept = readers.producer(of: graph.nodes[sum].inputs[0]), let keep = scale(kept),
        readers.onlyReader(of: graph.nodes[kept].outputs[0]) == sum
      else { continue }
      let (variable, value) = (graph.nodes[kept].inputs[0], graph.nodes[sum].outputs[0])
      // It is overwritten at once: nothing else may read it, and it is no other's either.
      guard graph[variable].source == .variable, readers.allReaders(of: variable) == [kept],
        readers.allReaders(of: value).isEmpty, !graph.outputs.contains(where: { $0.id == value }),
        !graph.outputs.contains(where: { $0.id == variable }),
        graph.assignments.filter({ $0.value == value }).map(\.variable) == [variable],
        !graph.assignments.contains(where: { $0.value == variable }),
        taken.isDisjoint(with: [scaled, kept, sum])
      else { continue }
      self.variable = variable
      self.value = value
      blend = .init(keep: keep, share: share)
      nodes = [scaled, kept, sum]
      return
    }
    return nil
  }
}

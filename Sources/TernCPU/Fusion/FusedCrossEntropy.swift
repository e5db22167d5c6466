import TernCore
import TernGraph

/// log_softmax and nll_loss in one traversal.
///
/// Inputs: logits [N, C], target [N] (int32), optionally class weights [C]. Outputs: the loss, the
/// sum of the weights that count, and the log-probabilities [N, C].
struct FusedCrossEntropy: CPUOperation {
  let loss: Operations.NLLLoss

  var name: String { "cross_entropy" }
  var detail: String { loss.detail }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try loss.outputTypes(for: inputs) + [inputs[0]]
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    .elementwise(inputs, outputs, flopsPerElement: 6)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let rows = SoftmaxRows(node.inputs[0].shape, axis: 1)
    let targets = ClassTargets(loss, node.inputs[0].shape)
    let softmax = Operations.Softmax(axis: 1, isLogarithmic: true)
    let hasWeight = node.inputs.count == 3
    return Lowering(workspaceByteCount: 2 * 4 * rows.outer) { addresses in
      let (x, y, classes) = (addresses.input(0), addresses.output(2), addresses.integerInput(1))
      let weight = hasWeight ? addresses.input(2) : nil
      let losses = addresses.workspace()
      let weights = losses + rows.outer
      let forward = rows.contiguous(context.threads) { row in
        softmax.logarithm(x + row * rows.length, y + row * rows.length, rows.length)
        (losses[row], weights[row]) = targets.loss(y, classes[row], weight, at: row)
      }
      let check = targets.check(name, classes)
      let total = loss.total(
        rows.outer, loss: addresses.output(0), weightSum: addresses.output(1)
      ) { (losses[$0], weights[$0]) }
      return {
        try check()
        try forward()
        total()
      }
    }
  }
}

/// The gradient of ``FusedCrossEntropy`` in one traversal.
extension Operations.CrossEntropyBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let shape = node.inputs[3].shape
    let rows = SoftmaxRows(shape, axis: 1)
    let targets = ClassTargets(loss, shape)
    let softmax = Operations.SoftmaxBackward(axis: 1, isLogarithmic: true)
    let hasWeight = node.inputs.count == 5
    return Lowering { addresses in
      let (dy, classes, weightSum) = (
        addresses.input(0), addresses.integerInput(1), addresses.input(2)
      )
      let weight = hasWeight ? addresses.input(4) : nil
      let (y, dx) = (addresses.input(3), addresses.output(0))
      // The forward pass found every target to be a class.
      return rows.contiguous(context.threads) { row in
        targets.backward(
          loss.gradient(dy, weightSum, at: row), classes[row], weight, dx, at: row)
        let start = row * rows.length
        softmax.backward(dx + start, y + start, dx + start, rows.length)
      }
    }
  }
}

extension Graph {
  /// With log_softmax and nll_loss merged, forward and backward, where the classes are innermost.
  func fusingCrossEntropy() throws -> Graph {
    let readers = GraphReaders(self)
    /// The log_softmax over rows that computes a value.
    func logSoftmax(of id: ValueID) -> Int? {
      guard type(id).shape.rank == 2, let index = readers.producer(of: id),
        let softmax = nodes[index].operation as? Operations.Softmax, softmax.isLogarithmic,
        softmax.axis == 1
      else { return nil }
      return index
    }
    /// Per loss, the log_softmax before it.
    var forward: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() where node.operation is Operations.NLLLoss {
      if let softmax = logSoftmax(of: node.inputs[0]), !forward.values.contains(softmax) {
        forward[index] = softmax
      }
    }
    /// Per log_softmax, backward, the loss whose gradient it alone reads.
    var backward: [Int: Int] = [:]
    for (index, node) in nodes.enumerated() {
      guard let softmax = node.operation as? Operations.SoftmaxBackward, softmax.isLogarithmic,
        let loss = readers.producer(of: node.inputs[0]),
        nodes[loss].operation is Operations.NLLLossBackward,
        readers.onlyReader(of: node.inputs[0]) == index,
        let producer = logSoftmax(of: node.inputs[1]), forward.values.contains(producer)
      else { continue }
      backward[index] = loss
    }
    if forward.isEmpty { return self }
    let (merged, gone) = (Set(forward.values), Set(backward.values))
    // The merged node stands where the log_softmax stood: others read its log-probabilities.
    let losses = Dictionary(uniqueKeysWithValues: forward.map { ($0.value, $0.key) })
    guard losses.allSatisfy({ softmax, loss in canMove(loss, to: softmax) }) else { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !gone.contains(index) && forward[index] == nil {
      if merged.contains(index) {
        let loss = nodes[losses[index]!]
        let inputs = [node.inputs[0]] + loss.inputs.dropFirst()
        let outputs = try rewriter.append(
          FusedCrossEntropy(loss: loss.operation as! Operations.NLLLoss),
          inputs.map { rewriter[$0] },
          scope: loss.scope)
        rewriter.replace(loss.outputs[0], with: outputs[0])
        rewriter.replace(loss.outputs[1], with: outputs[1])
        rewriter.replace(node.outputs[0], with: outputs[2])
      } else if let loss = backward[index].map({ nodes[$0] }) {
        let inputs = loss.inputs.prefix(3) + [node.inputs[1]] + loss.inputs.dropFirst(3)
        let outputs = try rewriter.append(
          Operations.CrossEntropyBackward(
            (loss.operation as! Operations.NLLLossBackward).forward),
          inputs.map { rewriter[$0] }, scope: node.scope)
        rewriter.replace(node.outputs[0], with: outputs[0])
      } else {
        rewriter.copy(node)
      }
    }
    return rewriter.finish()
  }

  /// Whether everything that a node reads beyond its first input is computed before node `place`.
  private func canMove(_ node: Int, to place: Int) -> Bool {
    nodes[node].inputs.dropFirst().allSatisfy { id in
      guard case .node(let producer, _) = self[id].source else { return true }
      return producer < place
    }
  }
}

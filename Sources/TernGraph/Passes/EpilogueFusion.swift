import TernCore

extension Graph {
  /// With every product and convolution merged with the sum, the relu, or the gradient of a relu that alone
  /// reads its result: the addition of gradients from several branches among them.
  package func fusingEpilogues() throws -> Graph {
    let readers = GraphReaders(self)
    let overwriters = firstOverwriters
    var taken: Set<Int> = []
    var fusions: [Int: EpilogueFusion] = [:]
    // The last first: of two products that are added up, the one that is computed last adds the other.
    for index in nodes.indices.reversed() {
      guard let fusion = EpilogueFusion(index, readers, taken, overwriters) else { continue }
      taken.formUnion(fusion.absorbed)
      fusions[fusion.last] = fusion
    }
    if fusions.isEmpty { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      if let fusion = fusions[index] {
        let outputs = try rewriter.append(
          fusion.operation, fusion.inputs.map { rewriter[$0] },
          scope: nodes[fusion.absorbed[0]].scope)
        rewriter.replace(node.outputs[0], with: outputs[0])
      } else if !taken.contains(index) {
        rewriter.copy(node)
      }
    }
    return rewriter.finish()
  }

  /// Per value that is overwritten, the first node that does it.
  package var firstOverwriters: [ValueID: Int] {
    var result: [ValueID: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for pair in node.operation.inPlacePairs where pair.required {
        let id = root(of: node.inputs[pair.input])
        result[id] = min(result[id] ?? index, index)
      }
    }
    return result
  }

  /// The value whose memory another is a view of.
  package func root(of id: ValueID) -> ValueID {
    guard case .node(let index, output: 0) = self[id].source, nodes[index].operation.isView else {
      return id
    }
    return root(of: nodes[index].inputs[0])
  }
}

/// A product with the nodes that are merged with it.
private struct EpilogueFusion {
  let operation: Operations.ProductWithEpilogue
  let inputs: [ValueID]
  /// What no longer runs by itself, the product first.
  let absorbed: [Int]
  /// Where all is computed.
  let last: Int

  /// - Parameter taken: nodes that other fusions have.
  init?(
    _ product: Int, _ readers: GraphReaders, _ taken: Set<Int>, _ overwriters: [ValueID: Int]
  ) {
    let graph = readers.graph
    let node = graph.nodes[product]
    guard let base = Operations.ProductWithEpilogue.Base(node.operation) else { return nil }
    var output = node.outputs[0]
    let type = graph.type(output)
    var absorbed = [product]
    var inputs = node.inputs
    /// The node that alone reads the result so far, if no other fusion has it.
    func next() -> Int? { readers.onlyReader(of: output).flatMap { taken.contains($0) ? nil : $0 } }
    func absorb(_ index: Int) {
      absorbed.append(index)
      output = graph.nodes[index].outputs[0]
    }
    /// Whether a value is a part of another, which a chain reads where it is.
    func isPart(_ id: ValueID) -> Bool {
      guard let producer = readers.producer(of: id) else { return false }
      let node = graph.nodes[producer]
      return node.operation is Operations.Narrow
        || node.operation.isView && isPart(node.inputs[0])
    }
    var addsTensor = false
    if let sum = next(), (graph.nodes[sum].operation as? Operations.Binary)?.function == .add,
      let other = graph.nodes[sum].inputs.first(where: { $0 != output }),
      graph.type(other) == type, !isPart(other)
    {
      addsTensor = true
      inputs.append(other)
      absorb(sum)
    }
    var activation: Operations.ProductWithEpilogue.Activation?
    if let index = next() {
      let reader = graph.nodes[index]
      if readers.isReLU(index) {
        activation = .relu
        absorb(index)
      } else if (reader.operation as? Operations.UnaryBackward)?.function == .relu,
        reader.inputs[0] == output, reader.inputs[1] != output
      {
        activation = .reluBackward
        inputs.append(reader.inputs[1])
        absorb(index)
      }
    }
    let last = absorbed.last!
    // What the product reads is still there where all is computed.
    guard absorbed.count > 1,
      inputs.allSatisfy({ overwriters[graph.root(of: $0)] ?? .max >= last })
    else { return nil }
    operation = .init(base: base, addsTensor: addsTensor, activation: activation)
    (self.inputs, self.absorbed, self.last) = (inputs, absorbed, last)
  }
}

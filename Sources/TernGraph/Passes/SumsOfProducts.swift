import TernCore

extension Graph {
  /// With sums of products Aᵀ·B, and of sums over rows, made one product and one sum over the rows of all
  /// together: the gradient of a recurrent network's weights, which arrives step by step.
  ///
  /// The terms are added up in another order.
  ///
  /// - Parameter fewest: the terms from which on it is done.
  package func joiningSummedProducts(fewest: Int = 4) throws -> Graph {
    let readers = GraphReaders(self)
    var sums: [Int: [Int]] = [:]
    for (index, node) in nodes.enumerated() {
      guard (node.operation as? Operations.Binary)?.function == .add,
        node.inputs[0] != node.inputs[1],
        type(node.inputs[0]) == type(node.inputs[1])
      else { continue }
      var terms: [Int] = []
      var inner: [Int] = []
      for input in node.inputs {
        guard let producer = readers.producer(of: input), readers.onlyReader(of: input) == index
        else { break }
        if let others = sums[producer] {
          terms += others
          inner.append(producer)
        } else if isSumOfRows(producer) {
          terms.append(producer)
        } else {
          break
        }
      }
      guard let first = terms.first, inner.count + terms.count >= 2,
        terms.allSatisfy({ fits($0, first) }),
        node.inputs.allSatisfy({ id in
          readers.producer(of: id).map { inner.contains($0) || terms.contains($0) } ?? false
        })
      else { continue }
      for other in inner { sums[other] = nil }
      sums[index] = terms
    }
    sums = sums.filter { $1.count >= fewest }
    if sums.isEmpty { return self }
    return try joining(sums, readers)
  }

  /// Whether a node adds up over the rows of its inputs [R, *].
  private func isSumOfRows(_ index: Int) -> Bool {
    let node = nodes[index]
    guard node.inputs.allSatisfy({ type($0).shape.rank == 2 }) else { return false }
    switch node.operation {
    case let product as Operations.MatMul: return product.transposesA && !product.transposesB
    case let sum as Operations.Reduce: return sum.function == .sum && sum.axes == [0]
    default: return false
    }
  }

  /// Whether two sums over rows are of one kind.
  private func fits(_ a: Int, _ b: Int) -> Bool {
    let (x, y) = (nodes[a], nodes[b])
    return x.operation.isEqual(to: y.operation) && types(x.inputs) == types(y.inputs)
  }

  private func joining(_ sums: [Int: [Int]], _ readers: GraphReaders) throws -> Graph {
    // What the terms read may be joined already, as the gradient of what all of them come from is.
    var joined: [Set<ValueID>: (node: Int, order: [ValueID])] = [:]
    for (index, node) in nodes.enumerated() {
      guard let cat = node.operation as? Operations.Cat, cat.axis == 0 else { continue }
      let order = node.inputs.map { rows(of: $0, readers) }
      if Set(order).count == order.count { joined[Set(order)] = (index, order) }
    }
    /// By the node at whose place the sum is computed.
    var places: [Int: (sum: Int, terms: [Int], given: (position: Int, cat: Int)?)] = [:]
    var gone: Set<Int> = []
    for (sum, terms) in sums.sorted(by: { $0.key < $1.key }) {
      var (place, order, given) = (sum, terms, Optional<(position: Int, cat: Int)>.none)
      for position in nodes[terms[0]].inputs.indices {
        let operands = terms.map { nodes[$0].inputs[position] }
        guard given == nil, let known = joined[Set(operands)],
          Set(operands).count == operands.count,
          readers.allReaders(of: nodes[sum].outputs[0]).allSatisfy({ $0 > known.node }),
          places[max(sum, known.node)] == nil
        else { continue }
        let byOperand = Dictionary(uniqueKeysWithValues: zip(operands, terms))
        order = known.order.map { byOperand[$0]! }
        place = max(sum, known.node)
        given = (position, known.node)
      }
      guard places[place] == nil else { continue }
      places[place] = (sum, order, given)
      gone.formUnion(terms + adds(below: sum, Set(terms), readers))
    }
    var rewriter = GraphRewriter(self)
    var cats: [[ValueID]: ValueID] = [:]
    for (index, node) in nodes.enumerated() {
      if !gone.contains(index) { rewriter.copy(node) }
      guard let (sum, terms, given) = places[index] else { continue }
      let first = nodes[terms[0]]
      var inputs: [ValueID] = []
      for position in first.inputs.indices {
        let operands = terms.map { nodes[$0].inputs[position] }
        let shape = type(operands[0]).shape
        if let given, given.position == position {
          let rows = Operations.Reshape([terms.count * shape[0], shape[1]])
          inputs += try rewriter.append(
            rows, [rewriter[nodes[given.cat].outputs[0]]], scope: nodes[sum].scope)
        } else if let known = cats[operands] {
          inputs.append(known)
        } else {
          let cat = try rewriter.append(
            Operations.Cat(axis: 0), operands.map { rewriter[$0] }, scope: nodes[sum].scope)
          cats[operands] = cat[0]
          inputs += cat
        }
      }
      let outputs = try rewriter.append(first.operation, inputs, scope: nodes[sum].scope)
      rewriter.replace(nodes[sum].outputs[0], with: outputs[0])
    }
    return rewriter.finish()
  }

  /// The value [R, *] of which another [1, R, *] is a view.
  private func rows(of id: ValueID, _ readers: GraphReaders) -> ValueID {
    guard let producer = readers.producer(of: id), nodes[producer].operation is Operations.Reshape,
      type(id).shape.dimensions == [1] + type(nodes[producer].inputs[0]).shape.dimensions
    else { return id }
    return nodes[producer].inputs[0]
  }

  /// A sum and the sums of which it is one.
  private func adds(below sum: Int, _ terms: Set<Int>, _ readers: GraphReaders) -> [Int] {
    [sum]
      + nodes[sum].inputs.compactMap(readers.producer).filter { !terms.contains($0) }
      .flatMap { adds(below: $0, terms, readers) }
  }
}

extension Operation {
  fileprivate func isEqual(to other: any Operation) -> Bool { (other as? Self) == self }
}

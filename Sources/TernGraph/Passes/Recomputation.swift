import TernCore

/// What a plan computes again in its backward pass, so that it needs no memory in between.
///
/// Source: Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016; which values are
/// given up is decided value by value, by the memory that is freed for the work that is added, as Jain et al.
/// ("Checkmate: breaking the memory wall with optimal tensor rematerialization", 2020) put the problem.
package struct Recomputation: Sendable, CustomStringConvertible {
  /// The nodes that run once more.
  package fileprivate(set) var nodeCount = 0
  /// Their work as a part of what the step does without them, by arithmetic and bytes.
  package fileprivate(set) var addedWork = 0.0
  /// The bytes of the arenas if nothing was computed again.
  package let arenaByteCountBefore: Int
  /// The same with it.
  package let arenaByteCount: Int

  package var description: String {
    "\(nodeCount) operations run again, about \(Int((100 * addedWork).rounded())) % more work, so that the values of "
      + "a step take \(arenaByteCount >> 20) MiB, not \(arenaByteCountBefore >> 20)"
  }
}

extension Plan {
  /// Plans a graph within a number of bytes for the values of a step: where there are more, values that wait
  /// for the backward pass are given up and computed again, by the same nodes, so that every result has the
  /// same bits.
  ///
  /// - Throws: ``TernError`` of kind `outOfMemory` with the least number of bytes that was come to.
  package init(
    _ graph: Graph, arenaByteCount limit: Int, maximumArenaByteCount: Int = .max,
    workspaceByteCount: (Node) throws -> Int = { _ in 0 }
  ) throws {
    func plan(_ graph: Graph, _ workspaces: [Int]) throws -> Plan {
      var planner = Planner(graph, maximumArenaByteCount: maximumArenaByteCount)
      return try planner.plan(workspaces)
    }
    let workspaces = try graph.workspaceByteCounts(workspaceByteCount)
    var result = try plan(graph, workspaces)
    let before = result.arenaByteCount
    if before > limit {
      var search = try RecomputationSearch(graph, workspaces)
      var least = before
      // What is live at once fits into a little more memory, since values lie beside one another.
      var target = limit
      while result.arenaByteCount > limit {
        guard try search.reduce(to: target) else {
          throw TernError(
            .outOfMemory,
            "\(limit >> 20) MiB are too few for the values of a step, which take \(before >> 20) MiB, or "
              + "\(least >> 20) MiB where what can be is computed again")
        }
        result = try plan(search.graph, search.workspaces)
        least = min(least, result.arenaByteCount)
        target -= max(result.arenaByteCount - limit, target / 200)
      }
      result.recomputation = Recomputation(
        nodeCount: search.addedNodeCount, addedWork: search.addedWork / search.originalWork,
        arenaByteCountBefore: before, arenaByteCount: result.arenaByteCount)
    }
    self = result
  }
}

/// An operation that is computed again by another one: because it writes over what it reads, or because less is to
/// do when some of its results are still there.
package protocol RepeatableOperation: Operation {
  /// What computes outputs once more, with the same bits.
  var repetition: Repetition { get }
}

/// What computes some outputs of a node once more.
package struct Repetition: Sendable {
  /// A value of the node that is computed again.
  package enum Source: Sendable {
    case input(Int)
    /// An output that is kept.
    case output(Int)
  }

  package let operation: any Operation
  package let reads: [Source]
  /// The positions of the outputs that it gives; the others cannot be had again.
  package let outputs: [Int]

  package init(_ operation: any Operation, reading reads: [Source], outputs: [Int]) {
    (self.operation, self.reads, self.outputs) = (operation, reads, outputs)
  }
}

extension Node {
  /// The node that computes this one's values again; it names outputs of the first run as its own.
  fileprivate var again: Node {
    guard let repetition = (operation as? any RepeatableOperation)?.repetition else { return self }
    return Node(
      operation: repetition.operation,
      inputs: repetition.reads.map {
        switch $0 {
        case .input(let position): inputs[position]
        case .output(let position): outputs[position]
        }
      }, outputs: repetition.outputs.map { outputs[$0] }, scope: scope)
  }
}

/// Gives values up, one after the other, wherever most memory is taken at once.
private struct RecomputationSearch {
  private(set) var graph: Graph
  /// The scratch memory of each node, in bytes.
  private(set) var workspaces: [Int]
  private(set) var addedNodeCount = 0
  private(set) var addedWork = 0.0
  private(set) var originalWork = 0.0
  /// Values that are computed a second time: they are not given up once more.
  private var copies: Set<ValueID> = []

  // What is known of the graph as it stands.
  private var blocks: [Planner.Block] = []
  private var blockOf: [Int?] = []
  /// Per value, the steps that read it itself, not a view of it.
  private var readers: [[Int]] = []
  private var outputs: Set<ValueID> = []
  /// Per variable, the step that overwrites it.
  private var overwritten: [ValueID: Int] = [:]

  /// Operations that a device does in the time in which it moves a byte.
  private static let operationsPerByte = 12.0
  /// The most nodes that are run again for one value.
  private static let largestChain = 48

  init(_ graph: Graph, _ workspaces: [Int]) throws {
    self.graph = graph
    self.workspaces = workspaces
    try update()
    originalWork = max(graph.nodes.reduce(0) { $0 + work($1) }, 1)
  }

  /// Gives values up until no more than so many bytes are taken at once.
  ///
  /// - Returns: false where none is left that helps.
  mutating func reduce(to limit: Int) throws -> Bool {
    while true {
      let (step, byteCount) = peak()
      if byteCount <= limit { return true }
      guard let choice = best(at: step) else { return false }
      apply(choice)
      try update()
    }
  }

  private mutating func update() throws {
    var planner = Planner(graph, maximumArenaByteCount: .max)
    _ = try planner.findLifetimes(workspaces)
    (blocks, blockOf) = (planner.blocks, planner.blockOf)
    readers = [[Int]](repeating: [], count: graph.values.count)
    overwritten = [:]
    for (step, node) in graph.nodes.enumerated() {
      for id in Set(node.inputs) { readers[id.index].append(step) }
      for pair in node.operation.inPlacePairs where pair.required {
        overwritten[root(node.inputs[pair.input])] = step
      }
    }
    outputs = Set(graph.outputs.map(\.id))
  }

  /// What a view is a view of.
  private func root(_ id: ValueID) -> ValueID {
    var id = id
    while case .node(let index, _) = graph[id].source, graph.nodes[index].operation.isView {
      id = graph.nodes[index].inputs[0]
    }
    return id
  }

  /// The time of a node, in bytes moved.
  private func work(_ node: Node) -> Double {
    if node.operation.isView { return 0 }
    let cost = graph.cost(of: node)
    return max(Double(cost.flops) / Self.operationsPerByte, Double(cost.bytes))
  }

  /// Where most bytes are taken at once, and how many.
  private func peak() -> (step: Int, byteCount: Int) {
    var changes = [Int](repeating: 0, count: graph.nodes.count + 2)
    for block in blocks {
      changes[block.first] += Planner.aligned(block.byteCount)
      changes[min(block.last, graph.nodes.count) + 1] -= Planner.aligned(block.byteCount)
    }
    var (taken, best) = (0, (step: 0, byteCount: 0))
    for step in graph.nodes.indices {
      taken += changes[step]
      if taken > best.byteCount { best = (step, taken) }
    }
    return best
  }

  // MARK: Choosing

  /// Values of a block that are read after a step, and the nodes that compute them again before that.
  private struct Choice {
    let values: [ValueID]
    let position: Int
    let nodes: [Int]
    let gain: Double
  }

  /// What frees most memory at a step for the work that it adds.
  private func best(at step: Int) -> Choice? {
    var members: [Int: [ValueID]] = [:]
    for (index, block) in blockOf.enumerated() {
      if let block, blocks[block].first < step, step < blocks[block].last {
        members[block, default: []].append(ValueID(index))
      }
    }
    return members.compactMap { choice(for: $1, in: blocks[$0], at: step) }
      .max { ($0.gain, $1.values[0]) < ($1.gain, $0.values[0]) }
  }

  private func choice(for values: [ValueID], in block: Planner.Block, at step: Int) -> Choice? {
    // What is read or made at the step has to be there.
    guard
      values.allSatisfy({
        !copies.contains($0) && !outputs.contains($0) && !readers[$0.index].contains(step)
          && producer(of: $0) != step
      })
    else { return nil }
    let late = values.filter {
      (producer(of: $0) ?? 0) < step && (readers[$0.index].last ?? -1) > step
    }
    guard let position = late.compactMap({ readers[$0.index].first { $0 > step } }).min() else {
      return nil
    }
    var chain = Chain(position: position, smallByteCount: block.byteCount / 64)
    for value in late {
      guard collect(value, into: &chain) else { return nil }
    }
    let freed = block.byteCount - chain.keptByteCount
    guard freed > 0, freed >= block.byteCount / 2 else { return nil }
    let added = chain.nodes.reduce(0) { $0 + work(graph.nodes[$1].again) }
    return Choice(
      values: late, position: position, nodes: chain.nodes,
      gain: Double(freed) / max(added, 1))
  }

  private func producer(of id: ValueID) -> Int? {
    if case .node(let index, _) = graph[id].source { index } else { nil }
  }

  /// The nodes that compute values again, in order.
  private struct Chain {
    let position: Int
    /// What is kept rather than computed again.
    let smallByteCount: Int
    var nodes: [Int] = []
    var seen: Set<Int> = []
    var keptByteCount = 0
  }

  /// Adds the node that computes a value, and before it those that compute what it reads and is gone by then.
  ///
  /// - Returns: false where that cannot be.
  private func collect(_ value: ValueID, into chain: inout Chain) -> Bool {
    guard let index = producer(of: value) else { return true }
    guard !chain.seen.contains(index) else { return true }
    chain.seen.insert(index)
    let node = graph.nodes[index].again
    guard chain.seen.count <= RecomputationSearch.largestChain, node.outputs.contains(value),
      !node.operation.inPlacePairs.contains(where: \.required)
    else { return false }
    for input in node.inputs {
      let source = root(input)
      guard producer(of: source) != nil else {
        // A variable is another after its update.
        guard overwritten[source] ?? .max > chain.position else { return false }
        if producer(of: input) != nil, !collect(input, into: &chain) { return false }
        continue
      }
      // What is overwritten in place by what comes of it is gone too.
      guard overwritten[source] ?? .max > chain.position else { return false }
      if (readers[input.index].last ?? -1) >= chain.position,
        !graph.nodes[producer(of: input)!].operation.isView
      {
        continue
      }
      // What the node itself gave the first time is kept.
      if graph[input].byteCount <= chain.smallByteCount || producer(of: input) == index {
        chain.keptByteCount += graph[input].byteCount
      } else if !collect(input, into: &chain) {
        return false
      }
    }
    chain.nodes.append(index)
    return true
  }

  // MARK: Applying

  private mutating func apply(_ choice: Choice) {
    var copy: [ValueID: ValueID] = [:]
    var added: [Node] = []
    for index in choice.nodes {
      var node = graph.nodes[index].again
      addedWork += work(node)
      if !node.operation.isView { addedNodeCount += 1 }
      node.inputs = node.inputs.map { copy[$0] ?? $0 }
      node.outputs = node.outputs.map { old in
        graph.values.append(graph[old])
        let new = ValueID(graph.values.count - 1)
        copy[old] = new
        copies.insert(new)
        return new
      }
      added.append(node)
    }
    let given = Set(choice.values)
    for step in choice.position..<graph.nodes.count {
      graph.nodes[step].inputs = graph.nodes[step].inputs.map {
        given.contains($0) ? copy[$0] ?? $0 : $0
      }
    }
    graph.nodes.insert(contentsOf: added, at: choice.position)
    workspaces.insert(contentsOf: choice.nodes.map { workspaces[$0] }, at: choice.position)
    for (index, node) in graph.nodes.enumerated() {
      for (position, id) in node.outputs.enumerated() {
        graph[id].source = .node(index, output: position)
      }
    }
  }
}

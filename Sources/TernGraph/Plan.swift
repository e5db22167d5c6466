import TernCore

/// Where every value of a graph lives, and in which order its nodes run: everything about memory is
/// decided here, before anything runs.
public struct Plan: Sendable {
  /// A place in device memory.
  package struct Location: Hashable, Sendable {
    package enum Region: Hashable, Sendable {
      /// Memory reused among values whose lifetimes do not overlap.
      case arena(Int)
      /// The variable at that position of ``Graph/variables``.
      case variable(Int)
      /// The input at that position of ``Graph/inputs``.
      case input(Int)
      /// The constant at that position of ``Graph/constants``.
      case constant(Int)
    }
    package let region: Region
    /// In bytes.
    package let offset: Int
  }

  /// What is computed, as the device arranged it.
  public let graph: Graph
  /// The nodes that run, in order; views are left out.
  package let order: [Int]
  /// Per value; `nil` for a value that nothing reads.
  package let locations: [Location?]
  /// Per node; `nil` where it needs none.
  package let workspaces: [Location?]
  /// The size of each arena, in bytes.
  package let arenaByteCounts: [Int]
  /// What is computed twice so that it needs no memory in between; `nil` where everything had room.
  package var recomputation: Recomputation?

  package func location(_ id: ValueID) -> Location {
    guard let location = locations[id.index] else {
      preconditionFailure("value \(id) has no location")
    }
    return location
  }

  /// The memory of all variables, in bytes.
  public var variableByteCount: Int { graph.variables.reduce(0) { $0 + graph[$1].byteCount } }
  /// The memory of all inputs, in bytes.
  public var inputByteCount: Int { graph.inputs.reduce(0) { $0 + graph[$1].byteCount } }
  /// The memory of all constants, in bytes.
  public var constantByteCount: Int { graph.constants.reduce(0) { $0 + graph[$1.id].byteCount } }
  /// The memory that the values of a step share, in bytes.
  public var arenaByteCount: Int { arenaByteCounts.reduce(0, +) }
  /// All device memory that running the plan takes.
  public var peakByteCount: Int {
    variableByteCount + inputByteCount + constantByteCount + arenaByteCount
  }
}

extension Plan {
  /// Offsets are multiples of this many bytes: a cache line, a vector, and a GPU's transaction.
  package static let alignment = 256

  /// Plans a graph.
  ///
  /// - Parameters:
  ///   - maximumArenaByteCount: the largest single allocation of the device.
  ///   - sharesMemory: whether values whose lifetimes do not overlap may lie in the same memory; that they need
  ///     not is for tests.
  ///   - workspaceByteCount: the scratch memory a node needs while it runs.
  /// - Throws: ``TernError`` where a single value exceeds the largest allocation.
  package init(
    _ graph: Graph, maximumArenaByteCount: Int = .max, sharesMemory: Bool = true,
    workspaceByteCount: (Node) throws -> Int = { _ in 0 }
  ) throws {
    var planner = Planner(graph, maximumArenaByteCount: maximumArenaByteCount)
    planner.sharesMemory = sharesMemory
    self = try planner.plan(graph.workspaceByteCounts(workspaceByteCount))
  }
}

extension Graph {
  /// The scratch memory of each node while it runs, in bytes.
  func workspaceByteCounts(_ byteCount: (Node) throws -> Int) rethrows -> [Int] {
    try nodes.map { $0.operation.isView ? 0 : try byteCount($0) }
  }
}

/// Decides where values live, step by step.
struct Planner {
  let graph: Graph
  let maximumArenaByteCount: Int
  /// Whether values whose lifetimes do not overlap may lie in the same memory.
  var sharesMemory = true

  /// A stretch of memory and the steps between which it is taken.
  struct Block {
    var byteCount: Int
    var first: Int
    var last: Int
    var location: Plan.Location?
  }

  var blocks: [Block] = []
  /// Per value: the block it lives in; `nil` for inputs, variables, constants.
  var blockOf: [Int?]
  /// Per value: where it begins in its block, in bytes.
  var offsetInBlock: [Int]
  /// Per value: where it lives, if not in a block.
  var fixed: [Plan.Location?]
  /// The bucket that a value is computed in; see ``bucketParts()``.
  var wholes: [ValueID: Whole] = [:]

  init(_ graph: Graph, maximumArenaByteCount: Int) {
    self.graph = graph
    self.maximumArenaByteCount = maximumArenaByteCount
    blockOf = [Int?](repeating: nil, count: graph.values.count)
    offsetInBlock = [Int](repeating: 0, count: graph.values.count)
    fixed = [Plan.Location?](repeating: nil, count: graph.values.count)
  }

  /// - Parameter workspaces: the scratch memory of each node, in bytes.
  mutating func plan(_ workspaces: [Int]) throws -> Plan {
    let (order, workspaceBlock) = try findLifetimes(workspaces)
    let arenas =
      try blocks.count <= Self.largestGreedyCount ? assignOffsets() : assignOffsetsInTime()
    let locations = graph.values.indices.map { i in
      fixed[i]
        ?? blockOf[i].flatMap { blocks[$0].location }.map {
          Plan.Location(region: $0.region, offset: $0.offset + offsetInBlock[i])
        }
    }
    return Plan(
      graph: graph, order: order, locations: locations,
      workspaces: workspaceBlock.map { $0.flatMap { blocks[$0].location } },
      arenaByteCounts: arenas)
  }

  /// Finds the block of each value, and the steps between which it is taken.
  ///
  /// - Returns: the nodes that run, in order, and per node the block of its workspace.
  mutating func findLifetimes(
    _ workspaces: [Int]
  ) throws -> (order: [Int], workspaces: [Int?]) {
    for (i, id) in graph.inputs.enumerated() {
      fixed[id.index] = .init(region: .input(i), offset: 0)
    }
    for (i, id) in graph.variables.enumerated() {
      fixed[id.index] = .init(region: .variable(i), offset: 0)
    }
    for (i, constant) in graph.constants.enumerated() {
      fixed[constant.id.index] = .init(region: .constant(i), offset: 0)
    }

    let lastUse = lastUses()
    if sharesMemory { wholes = bucketParts() }
    var order: [Int] = []
    var workspaceBlock = [Int?](repeating: nil, count: graph.nodes.count)
    for (step, node) in graph.nodes.enumerated() {
      if node.operation.isView {
        blockOf[node.outputs[0].index] = blockOf[node.inputs[0].index]
        offsetInBlock[node.outputs[0].index] = offsetInBlock[node.inputs[0].index]
        fixed[node.outputs[0].index] = fixed[node.inputs[0].index]
        continue
      }
      order.append(step)
      for (position, output) in node.outputs.enumerated() {
        try place(output, position, of: node, at: step, lastUse)
      }
      if workspaces[step] > 0 {
        workspaceBlock[step] = blocks.count
        blocks.append(Block(byteCount: workspaces[step], first: step, last: step))
      }
    }
    return (order, workspaceBlock)
  }

  /// Per value: the last step that reads it or a view of it.
  func lastUses() -> [Int] {
    var last = [Int](repeating: -1, count: graph.values.count)
    for (_, id) in graph.outputs { last[id.index] = graph.nodes.count }
    for step in graph.nodes.indices.reversed() {
      let node = graph.nodes[step]
      for id in node.inputs { last[id.index] = max(last[id.index], step) }
      if node.operation.isView {
        let root = node.inputs[0].index
        last[root] = max(last[root], last[node.outputs[0].index])
      }
    }
    return last
  }

  mutating func place(
    _ output: ValueID, _ position: Int, of node: Node, at step: Int, _ lastUse: [Int]
  ) throws {
    let byteCount = graph[output].byteCount
    let last = max(lastUse[output.index], step)
    if placeInBucket(output, position, of: node, at: step, lastUse) { return }
    for pair in node.operation.inPlacePairs where pair.output == position {
      let input = node.inputs[pair.input]
      if pair.required {
        guard lastUse[input.index] <= step else {
          throw TernError(.runtime, "\(node.label) overwrites \(graph[input].name), read later")
        }
        fixed[output.index] = fixed[input.index]
        blockOf[output.index] = blockOf[input.index]
        offsetInBlock[output.index] = offsetInBlock[input.index]
        if let block = blockOf[input.index] { blocks[block].last = max(blocks[block].last, last) }
        return
      }
      guard let block = blockOf[input.index], blocks[block].last == step,
        graph[input].byteCount == byteCount, blocks[block].byteCount == byteCount,
        graph[input].layout == graph[output].layout,
        !node.inputs.enumerated().contains(where: { index, other in
          index != pair.input && blockOf[other.index] == block
        }),
        !node.outputs.prefix(position).contains(where: { blockOf[$0.index] == block })
      else { continue }
      blockOf[output.index] = block
      blocks[block].last = last
      return
    }
    blockOf[output.index] = blocks.count
    blocks.append(
      Block(
        byteCount: byteCount, first: sharesMemory ? step : 0,
        last: sharesMemory ? last : graph.nodes.count))
  }

  /// Greedy by size: the largest block first, each at the lowest offset where no block that lives
  /// at the same time is in the way.
  ///
  /// Source: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020.
  mutating func assignOffsets() throws -> [Int] {
    var arenas: [Int] = []
    var placed: [[Int]] = []
    for index in blocks.indices.sorted(by: {
      (blocks[$1].byteCount, $0) < (blocks[$0].byteCount, $1)
    }) {
      let size = Self.aligned(blocks[index].byteCount)
      try checkAllocation(size)
      var arena = 0
      while true {
        if arena == arenas.count {
          arenas.append(0)
          placed.append([])
        }
        if let offset = offset(for: index, size: size, among: placed[arena]) {
          blocks[index].location = .init(region: .arena(arena), offset: offset)
          placed[arena].append(index)
          arenas[arena] = max(arenas[arena], offset + size)
          break
        }
        arena += 1
      }
    }
    return arenas
  }

  /// The most blocks that are placed by size, which takes the square of their number. Beyond are networks
  /// unrolled over a thousand steps and more, whose blocks are alike.
  private static let largestGreedyCount = 1 << 12

  /// In the order of the steps: each block at the lowest offset that is free then.
  mutating func assignOffsetsInTime() throws -> [Int] {
    var arenas: [FreeMemory] = []
    var ending = [[Int]](repeating: [], count: graph.nodes.count + 1)
    for (index, block) in blocks.enumerated() { ending[block.last].append(index) }
    var step = 0
    // Blocks are numbered in the order of their first steps.
    for index in blocks.indices {
      while step < blocks[index].first {
        for ended in ending[step] {
          guard case .arena(let arena)? = blocks[ended].location?.region else { continue }
          let start = blocks[ended].location!.offset
          arenas[arena].release(start..<start + Self.aligned(blocks[ended].byteCount))
        }
        step += 1
      }
      let size = Self.aligned(blocks[index].byteCount)
      try checkAllocation(size)
      var arena = 0
      while blocks[index].location == nil {
        if arena == arenas.count { arenas.append(FreeMemory(limit: maximumArenaByteCount)) }
        blocks[index].location = arenas[arena].take(size).map {
          .init(region: .arena(arena), offset: $0)
        }
        arena += 1
      }
    }
    return arenas.map(\.byteCount)
  }

  static func aligned(_ byteCount: Int) -> Int {
    (byteCount + Plan.alignment - 1) / Plan.alignment * Plan.alignment
  }

  private func checkAllocation(_ size: Int) throws {
    guard size <= maximumArenaByteCount else {
      throw TernError(
        .outOfMemory,
        "a tensor of \(size >> 20) MiB exceeds the device's largest allocation of "
          + "\(maximumArenaByteCount >> 20) MiB")
    }
  }

  func offset(for index: Int, size: Int, among placed: [Int]) -> Int? {
    let block = blocks[index]
    let obstacles = placed.filter {
      blocks[$0].first <= block.last && block.first <= blocks[$0].last
    }.map { other in
      let start = blocks[other].location!.offset
      return (start, start + blocks[other].byteCount)
    }.sorted { $0.0 < $1.0 }
    var candidate = 0
    for (start, end) in obstacles {
      if candidate + size <= start { break }
      candidate = max(candidate, Self.aligned(end))
    }
    return candidate + size <= maximumArenaByteCount ? candidate : nil
  }
}

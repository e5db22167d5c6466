import TernCore
import TernGraph
import Testing

@Suite struct PlanTests {
  /// A chain with a skip, as in a residual network.
  private func residualGraph() throws -> Graph {
    let builder = GraphBuilder()
    var x = try builder.input("x", [4, 32])
    for i in 0..<5 {
      let w = try builder.variable("w\(i)", [32, 32])
      x = try x + x.linear(weight: w).relu().linear(weight: w)
    }
    builder.output("y", x)
    let loss = try x.square().sum()
    let targets = builder.graph.variables.map { builder.tensorForTesting($0) }
    for (i, gradient) in try builder.gradients(of: loss, withRespectTo: targets).enumerated() {
      builder.output("g\(i)", gradient!)
    }
    return builder.graph
  }

  /// No two values that are alive at the same time share memory, but for in-place updates.
  @Test func livingValuesDoNotOverlap() throws {
    try expectNoOverlaps(try Plan(try residualGraph(), workspaceByteCount: { _ in 1000 }))
  }

  /// Networks unrolled over many steps are planned in order of time: as much memory, in arenas too.
  @Test func livingValuesOfLongSequencesDoNotOverlap() throws {
    let graph = try recurrentGraph(steps: 700)
    let plan = try Plan(graph)
    #expect(plan.order.count > 4096)
    try expectNoOverlaps(plan)
    // The most that is alive at a time, of which no plan takes less.
    var (alive, peak) = (0, 0)
    var ending: [Int: Int] = [:]
    let lastUse = lastUses(graph)
    for (step, node) in graph.nodes.enumerated() where !node.operation.isView {
      for output in node.outputs {
        alive += graph[output].byteCount
        ending[lastUse[output.index], default: 0] += graph[output].byteCount
      }
      peak = max(peak, alive)
      alive -= ending[step] ?? 0
    }
    #expect(plan.arenaByteCount < peak * 5 / 4)
    let parts = try Plan(graph, maximumArenaByteCount: 1 << 20)
    #expect(parts.arenaByteCounts.count > 1 && parts.arenaByteCounts.allSatisfy { $0 <= 1 << 20 })
    try expectNoOverlaps(parts)
    #expect(throws: TernError.self) { try Plan(graph, maximumArenaByteCount: 256) }
  }

  private func recurrentGraph(steps: Int) throws -> Graph {
    let builder = GraphBuilder()
    let x = try builder.input("x", [steps, 4, 16])
    let weights = [
      try builder.variable("w", [64, 16]), try builder.variable("u", [64, 16]),
    ]
    let result = try x.lstm(weightIH: weights[0], weightHH: weights[1], biasIH: nil, biasHH: nil)
    let loss = try result.output.square().sum()
    for (i, gradient) in try builder.gradients(of: loss, withRespectTo: weights).enumerated() {
      builder.output("g\(i)", gradient!)
    }
    return builder.graph.removingDeadNodes()
  }

  private func lastUses(_ graph: Graph) -> [Int] {
    var lastUse = [Int](repeating: -1, count: graph.values.count)
    for (_, id) in graph.outputs { lastUse[id.index] = graph.nodes.count }
    for (step, node) in graph.nodes.enumerated().reversed() {
      for id in node.inputs { lastUse[id.index] = max(lastUse[id.index], step) }
      guard node.operation.isView else { continue }
      let (input, output) = (node.inputs[0].index, node.outputs[0].index)
      lastUse[input] = max(lastUse[input], lastUse[output])
    }
    return lastUse
  }

  /// The value that a view shows, or the value itself.
  private func root(of id: ValueID, in graph: Graph) -> ValueID {
    guard case .node(let index, _) = graph[id].source, graph.nodes[index].operation.isView else {
      return id
    }
    return root(of: graph.nodes[index].inputs[0], in: graph)
  }

  private func expectNoOverlaps(_ plan: Plan) throws {
    let graph = plan.graph
    let lastUse = lastUses(graph)
    var living: [(range: Range<Int>, arena: Int, last: Int, id: ValueID)] = []
    for (step, node) in graph.nodes.enumerated() where !node.operation.isView {
      living.removeAll { $0.last < step }
      for output in node.outputs {
        guard case .arena(let arena) = plan.location(output).region else { continue }
        let start = plan.location(output).offset
        let range = start..<start + graph[output].byteCount
        for other in living where other.arena == arena && other.range.overlaps(range) {
          #expect(other.last == step, "\(output) overlaps \(other.id)")
          #expect(node.inputs.contains { root(of: $0, in: graph) == other.id })
        }
        living.append((range, arena, max(lastUse[output.index], step), output))
      }
    }
  }

  /// What goes into a bucket is computed there, and what the host writes is read there, where vectors can begin.
  @Test func bucketsAreNotCopied() throws {
    let builder = GraphBuilder()
    let counts = [64, 10, 16]
    let variables = try counts.map { try builder.variable("v\($0)", [$0]) }
    let values = try counts.map { try builder.input("x\($0)", [$0]).square() }
    let bucket = try Tensor.bucket(zip(values, variables).map { ($0, $1) })
    builder.output("bucket", bucket)
    let parts = try builder.input("sums", [90]).bucketParts(variables)
    for (index, part) in parts.enumerated() { builder.output("\(index)", try part.exp()) }
    let plan = try Plan(builder.graph)
    let place = plan.location(bucket.id)
    func isAt(_ value: Tensor, _ region: Plan.Location.Region, _ offset: Int) -> Bool {
      plan.location(value.id).region == region && plan.location(value.id).offset == offset
    }
    #expect(isAt(values[0], place.region, place.offset))
    #expect(isAt(values[1], place.region, place.offset + 256))
    #expect(!isAt(values[2], place.region, place.offset + 296))
    #expect(isAt(parts[0], .input(3), 0) && isAt(parts[1], .input(3), 256))
    #expect(plan.location(parts[2].id).region != .input(3))
  }

  @Test func memoryIsReused() throws {
    let graph = try residualGraph()
    let plan = try Plan(graph)
    let everything = graph.nodes.reduce(0) { sum, node in
      sum + node.outputs.reduce(0) { $0 + graph[$1].byteCount }
    }
    #expect(plan.arenaByteCount < everything * 3 / 4)
  }

  @Test func largeGraphsAreSpreadOverArenas() throws {
    let plan = try Plan(try residualGraph(), maximumArenaByteCount: 8192)
    #expect(plan.arenaByteCounts.count > 1)
    #expect(plan.arenaByteCounts.allSatisfy { $0 <= 8192 })
    #expect(throws: TernError.self) { try Plan(try residualGraph(), maximumArenaByteCount: 256) }
  }

  @Test func deadNodesAreRemoved() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [3])
    _ = try x.exp()
    builder.output("y", try x.relu())
    #expect(builder.graph.removingDeadNodes().nodes.count == 1)
  }

  @Test func assignmentsRunLast() throws {
    let builder = GraphBuilder()
    let counter = try builder.variable("counter", [])
    builder.assign(counter, try counter + builder.constant(1))
    builder.output("before", try counter.affine(scale: 1))
    let graph = try builder.graph.materializingAssignments()
    #expect(graph.nodes.last?.operation is Operations.Assign)
  }
}

extension GraphBuilder {
  fileprivate func tensorForTesting(_ id: ValueID) -> Tensor {
    // Declaring a variable again gives the one there is.
    try! variable(graph[id].name, graph.type(id))
  }
}

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
    let plan = try Plan(try residualGraph(), workspaceByteCount: { _ in 1000 })
    let graph = plan.graph
    var lastUse = [Int](repeating: -1, count: graph.values.count)
    for (_, id) in graph.outputs { lastUse[id.index] = graph.nodes.count }
    for (step, node) in graph.nodes.enumerated() {
      for id in node.inputs { lastUse[id.index] = max(lastUse[id.index], step) }
    }
    var living: [(range: Range<Int>, arena: Int, last: Int, id: ValueID)] = []
    for (step, node) in graph.nodes.enumerated() {
      living.removeAll { $0.last < step }
      for output in node.outputs {
        guard case .arena(let arena) = plan.location(output).region else { continue }
        let start = plan.location(output).offset
        let range = start..<start + graph[output].byteCount
        for other in living where other.arena == arena && other.range.overlaps(range) {
          #expect(other.last == step, "\(output) overlaps \(other.id)")
          #expect(node.inputs.contains(other.id))
        }
        living.append((range, arena, max(lastUse[output.index], step), output))
      }
    }
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
    #expect(graph.nodes.last?.operation is Assign)
  }
}

extension GraphBuilder {
  fileprivate func tensorForTesting(_ id: ValueID) -> Tensor {
    // Declaring a variable again gives the one there is.
    try! variable(graph[id].name, graph.type(id))
  }
}

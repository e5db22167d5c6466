import TernGraph

/// What is told of plans: how much a step hands to the device, and what the device merged.
package struct PlanSummary: Sendable {
  /// Kernels, copies and calls of libraries, or nodes where a device does not tell them apart.
  package let launchCount: Int
  /// The nodes that were written down, those of a step that run, and how many of these the device made of
  /// several, by their names.
  package let writtenCount: Int
  package let nodeCount: Int
  package let fused: [(name: String, count: Int)]

  /// - Parameters:
  ///   - graphs: what is computed, as it was written down.
  ///   - plans: the same as the device arranged it.
  package init(_ graphs: [Graph], _ plans: [Plan], on device: any Device) throws {
    let launches = try plans.map { plan in
      try (device as? any PlanDescribing)?.describe(plan).reduce(0) { $0 + $1.launches.count }
        ?? plan.order.count
    }
    self.init(graphs, plans, launchCount: launches.reduce(0, +))
  }

  package init(_ graphs: [Graph], _ plans: [Plan], launchCount: Int) {
    self.launchCount = launchCount
    let written = graphs.flatMap(\.nodes).filter { !$0.operation.isView }
    let running = plans.flatMap { plan in plan.order.map { plan.graph.nodes[$0] } }
    (writtenCount, nodeCount) = (written.count, running.count)
    let known = Set(written.map(\.operation.name))
    let made = running.filter {
      !known.contains($0.operation.name) && !($0.operation is Operations.Reorder)
        && !($0.operation is Operations.Assign)
    }
    fused = Dictionary(grouping: made, by: \.operation.name).map { ($0, $1.count) }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
  }

  /// One line: `a training step: 386 nodes of 454, 300 launches; fused: 17 elementwise`.
  package var text: String {
    let parts = fused.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
    return "a training step: \(nodeCount) nodes of \(writtenCount), \(launchCount) launches"
      + (parts.isEmpty ? "" : "; fused: \(parts)")
  }
}

import Tern

/// How a device would run a training step of a network: implementations, costs and launches, of which
/// none is run. For models of devices that are not at hand.
package struct PlanReport: Sendable {
  package let json: JSON

  /// - Throws: ``TernError`` where the device cannot tell.
  package init(
    of model: Model, batchSize: Int, update: ParameterUpdate = .benchmarked,
    on device: any Device
  ) throws {
    guard let device = device as? any PlanDescribing else {
      throw TernError(.usage, "plan: \(device.info.id) cannot tell what it would launch")
    }
    let graphs = try TrainingGraph.all(of: model, batchSize: batchSize, update: update)
    let session = Session(device: device)
    let plans = try graphs.map { try session.plan($0.graph) }
    let nodes = try plans.flatMap(device.describe)
    let apart = Session(device: device)
    apart.fuses = false
    let operations = try graphs.flatMap { graph in
      let plan = try apart.plan(graph.graph)
      return plan.order.map { index in
        let node = plan.graph.nodes[index]
        let cost = plan.graph.cost(of: node)
        return JSON.object([
          "op": .string(node.operation.name), "flops": .int(cost.flops), "bytes": .int(cost.bytes),
        ])
      }
    }
    json = .object([
      "name": .string(update.benchmarkName(of: model)), "batch_size": .int(batchSize),
      "device": .string(device.info.id), "compute_units": .int(device.info.computeUnits),
      "plan_bytes": .int(plans.map(\.peakByteCount).max() ?? 0),
      "launches": .int(nodes.reduce(0) { $0 + $1.launches.count }),
      "nodes": .array(nodes.map(Self.json)),
      // The same step with nothing merged: what a runtime does that has a kernel for every operation.
      "operations": .array(operations),
    ])
  }

  private static func json(_ node: NodeDescription) -> JSON {
    .object([
      "name": .string(node.name), "op": .string(node.operation),
      "implementation": .string(node.implementation), "flops": .int(node.cost.flops),
      "bytes": .int(node.cost.bytes), "launches": .array(node.launches.map(json)),
    ])
  }

  private static func json(_ launch: NodeDescription.Launch) -> JSON {
    var members = [JSON.Member(name: "name", value: .string(launch.name))]
    if let file = launch.file {
      members += [
        .init(name: "file", value: .string(file)),
        .init(name: "source", value: launch.source.map(JSON.string) ?? .null),
        .init(
          name: "defines",
          value: .object(
            launch.defines.sorted { $0.key < $1.key }.map {
              JSON.Member(name: $0.key, value: .string($0.value))
            })),
        .init(name: "program", value: launch.program.map(JSON.string) ?? .null),
        .init(name: "groups", value: .array(launch.groups.map(JSON.int))),
        .init(name: "group_size", value: .array(launch.groupSize.map(JSON.int))),
      ]
    }
    return .object(members)
  }
}

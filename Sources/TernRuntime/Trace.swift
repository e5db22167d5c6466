import TernCore
import TernGraph

extension Executable {
  /// Runs every node by itself and returns its time, in Chrome's trace format.
  package func trace() throws -> JSON { .array(traceEvents(try profile())) }

  /// The nodes one after the other as events of Chrome's trace format.
  ///
  /// - Parameters:
  ///   - seconds: what ``profile()`` returned.
  ///   - peak: what the device reaches at best, for the percentage that each node reaches.
  ///   - start: where the first node begins, in seconds.
  package func traceEvents(
    _ seconds: [Double], peak: DevicePeak? = nil, start: Double = 0
  ) -> [JSON] {
    var start = start
    let implementations = bound.implementations
    return zip(plan.order, seconds).enumerated().map { position, element -> JSON in
      let (index, seconds) = element
      let node = plan.graph.nodes[index]
      let cost = plan.graph.cost(of: node)
      defer { start += seconds }
      var details = [
        JSON.Member(name: "gflops", value: .double(Double(cost.flops) / seconds / 1e9)),
        JSON.Member(name: "gbs", value: .double(Double(cost.bytes) / seconds / 1e9)),
      ]
      if let peak {
        let percent = 100 * peak.roofSeconds(cost) / seconds
        details.append(JSON.Member(name: "percent_of_roof", value: .double(percent)))
      }
      if position < implementations.count, !implementations[position].isEmpty {
        details.append(
          JSON.Member(name: "implementation", value: .string(implementations[position])))
      }
      return .object([
        "name": .string(node.label), "cat": .string(node.operation.name), "ph": .string("X"),
        "ts": .double(start * 1e6), "dur": .double(seconds * 1e6), "pid": .int(1),
        "tid": .int(1), "args": .object(details),
      ])
    }
  }

  /// The nodes that run one operation in one way, taken together.
  package struct OperationProfile: Sendable {
    package let operation: String
    /// How the device computes it; empty where it has but one way.
    package let implementation: String
    package internal(set) var nodeCount = 0
    package internal(set) var seconds = 0.0
    package internal(set) var cost = Cost(flops: 0, bytes: 0)
    /// The shortest time that the device's peak allows, summed over the nodes.
    package internal(set) var roofSeconds = 0.0
  }

  /// What ``profile()`` returned, by operation and implementation, the heaviest first.
  package static func byOperation(
    _ profiles: [(executable: Executable, seconds: [Double])], peak: DevicePeak
  ) -> [OperationProfile] {
    var table: [[String]: OperationProfile] = [:]
    for (executable, seconds) in profiles {
      let implementations = executable.bound.implementations
      for (position, element) in zip(executable.plan.order, seconds).enumerated() {
        let (index, seconds) = element
        let node = executable.plan.graph.nodes[index]
        let cost = executable.plan.graph.cost(of: node)
        let implementation = position < implementations.count ? implementations[position] : ""
        let key = [node.operation.name, implementation]
        var entry =
          table[key] ?? OperationProfile(operation: key[0], implementation: implementation)
        entry.nodeCount += 1
        entry.seconds += seconds
        entry.cost.flops += cost.flops
        entry.cost.bytes += cost.bytes
        entry.roofSeconds += peak.roofSeconds(cost)
        table[key] = entry
      }
    }
    return table.values.sorted {
      ($1.seconds, $0.operation, $0.implementation) < ($0.seconds, $1.operation, $1.implementation)
    }
  }
}

import TernCore
import TernGraph

extension Executable {
  /// Runs every node by itself and returns its time, in Chrome's trace format.
  public func trace() throws -> JSON {
    let seconds = try profile()
    var start = 0.0
    return .array(
      zip(plan.order, seconds).map { index, seconds in
        let node = plan.graph.nodes[index]
        let cost = plan.graph.cost(of: node)
        defer { start += seconds }
        return .object([
          "name": .string(node.label), "cat": .string(node.operation.name), "ph": .string("X"),
          "ts": .double(start * 1e6), "dur": .double(seconds * 1e6), "pid": .int(1),
          "tid": .int(1),
          "args": .object([
            "gflops": .double(Double(cost.flops) / seconds / 1e9),
            "gbs": .double(Double(cost.bytes) / seconds / 1e9),
          ]),
        ])
      })
  }
}

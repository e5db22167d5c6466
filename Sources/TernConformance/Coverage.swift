import Tern

/// How each operation runs on each device: by one kernel of its own, or decomposed into several.
package struct Coverage {
  package enum Form: Hashable, Sendable, CustomStringConvertible {
    case fused
    case decomposed(Int)
    /// Nothing to compute: a view, or no gradient.
    case free

    package var description: String {
      switch self {
      case .fused: "fused"
      case .decomposed(let count): "\(count) nodes"
      case .free: "–"
      }
    }
  }

  package struct Row: Sendable {
    package let operation: String
    /// Per device: the forward and the backward pass.
    package let forms: [(forward: Form, backward: Form)]
  }

  package let devices: [any Device]

  package init(devices: [any Device]) { self.devices = devices }

  /// A row per operation, by its first built-in case.
  package func rows() throws -> [Row] {
    var seen: Set<String> = []
    return try OpCase.all.filter { seen.insert($0.operation).inserted }.map { opCase in
      Row(operation: opCase.operation, forms: try devices.map { try forms(opCase, $0) })
    }
  }

  private func forms(_ opCase: OpCase, _ device: any Device) throws -> (Form, Form) {
    let graph: Graph
    if opCase.operation.hasPrefix("optimizer.") {
      graph = try OptimizerCase(opCase.draft()).graph().graph
    } else {
      graph = try OperationCase(opCase.draft())!.graph()
    }
    let plan = try Session(device: device).plan(graph)
    let nodes = plan.order.map { plan.graph.nodes[$0] }.filter {
      !($0.operation is Operations.Reorder)
    }
    func form(_ count: Int) -> Form {
      count == 0 ? .free : count == 1 ? .fused : .decomposed(count)
    }
    let backward = nodes.count { $0.scope.hasPrefix("backward") }
    return (form(nodes.count - backward), form(backward))
  }

  /// The table in Markdown.
  package func markdown() throws -> String {
    let columns = devices.flatMap { ["\($0.info.backend) forward", "\($0.info.backend) backward"] }
    var lines = [
      "| operation | " + columns.joined(separator: " | ") + " |",
      "|---|" + String(repeating: "---|", count: columns.count),
    ]
    for row in try rows() {
      let cells = row.forms.flatMap { [$0.forward.description, $0.backward.description] }
      lines.append("| \(row.operation) | " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n")
  }
}

import TernCore
import TernGraph

/// Which nodes of a plan one launch computes: what small tensors need takes a GPU less time than the start of
/// a launch. A step of ResNet-50 has 161 parameters to update and 106 running statistics, each of which is
/// computed and then copied.
struct NodesTogether {
  enum Role {
    /// Another node's launch computes it.
    case elsewhere
    /// Updates of the parameters of these nodes.
    case updates(Operations.OptimizerUpdate, [Int])
  }

  /// By node; what is not among them is computed as it says.
  private(set) var roles: [Int: Role] = [:]
  /// Values that are put in the place of others.
  private(set) var places: [ValueID: ValueID] = [:]

  /// - Parameter mergesUpdates: whether parameters share launches.
  init(_ plan: Plan, mergesUpdates: Bool) {
    if mergesUpdates { collectUpdates(plan) }
    collectAssignments(plan)
  }

  /// Neighbouring updates of one rule, learning rate and step. A parameter and its state are variables,
  /// which no other update may touch.
  private mutating func collectUpdates(_ plan: Plan) {
    let nodes = plan.graph.nodes
    var group: [Int] = []
    var touched: Set<Plan.Location.Region> = []
    func close(_ roles: inout [Int: Role]) {
      if let first = group.first, let update = nodes[first].operation as? Operations.OptimizerUpdate
      {
        for index in group.dropFirst() { roles[index] = .elsewhere }
        roles[first] = .updates(update, group)
      }
      (group, touched) = ([], [])
    }
    for index in plan.order {
      let node = nodes[index]
      guard let update = node.operation as? Operations.OptimizerUpdate else {
        close(&roles)
        continue
      }
      let written = node.outputs.map { plan.location($0).region }
      let read = node.inputs.prefix(2).map { plan.location($0).region }
      let areVariables = written.allSatisfy { if case .variable = $0 { true } else { false } }
      if let first = group.first.map({ nodes[$0] }) {
        let fits =
          (first.operation as? Operations.OptimizerUpdate)?.rule == update.rule
          && first.inputs[2...3] == node.inputs[2...3] && areVariables
          && update.guardInput(first.inputs) == update.guardInput(node.inputs)
          && touched.isDisjoint(with: written)
          && group.count
            < update.mostTogether(isGuarded: update.guardInput(node.inputs) != nil)
          && !read.contains { touched.contains($0) && isVariable($0) }
        if !fits { close(&roles) }
      }
      group.append(index)
      touched.formUnion(written + read)
      if !areVariables { close(&roles) }
    }
    close(&roles)
  }

  private func isVariable(_ region: Plan.Location.Region) -> Bool {
    if case .variable = region { true } else { false }
  }

  /// Chains whose value becomes that of a variable that nothing reads after it: it is written there at
  /// once.
  private mutating func collectAssignments(_ plan: Plan) {
    let graph = plan.graph
    var readers = [[Int]](repeating: [], count: graph.values.count)
    for (index, node) in graph.nodes.enumerated() {
      for id in node.inputs { readers[id.index].append(index) }
    }
    let kept = Set(graph.outputs.map(\.id))
    // Views have no place in the order and make others read a value under another name.
    let viewed = Set(graph.nodes.filter(\.operation.isView).flatMap(\.inputs))
    for index in plan.order {
      let node = graph.nodes[index]
      guard let chain = node.operation as? Operations.ElementwiseChain else { continue }
      for (write, result) in zip(chain.writes, node.outputs) {
        guard case .link = write, readers[result.index].count == 1, !kept.contains(result),
          let reader = readers[result.index].first,
          graph.nodes[reader].operation is Operations.Assign,
          graph.nodes[reader].inputs[1] == result
        else { continue }
        let variable = graph.nodes[reader].inputs[0]
        // Elements are read before they are written only where they are the same.
        let isReadInPlace = chain.reads.allSatisfy {
          node.inputs[$0.input] != variable || $0.views.isEmpty
        }
        guard isReadInPlace, !viewed.contains(variable), !kept.contains(variable),
          graph.type(variable).shape == chain.shape, !places.values.contains(variable),
          readers[variable.index].allSatisfy({ $0 <= index || $0 == reader })
        else { continue }
        places[result] = variable
        roles[reader] = .elsewhere
      }
    }
  }
}

extension Operations.OptimizerUpdate {
  /// The value that says whether anything changes.
  fileprivate func guardInput(_ inputs: [ValueID]) -> ValueID? {
    isGuarded(inputs.count) ? inputs.last : nil
  }
}

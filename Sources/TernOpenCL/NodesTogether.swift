import TernCore
import TernGraph

/// Which nodes of a plan one launch computes, where threads are many: what small tensors need takes a GPU
/// less time than the start of a launch. A step of ResNet-50 has 161 parameters to update and 106 running
/// statistics, each of which is two scaled tensors, their sum, and a copy.
struct NodesTogether {
  enum Role {
    /// Another node's launch computes it.
    case elsewhere
    /// Updates of the parameters of these nodes.
    case updates(Operations.OptimizerUpdate, [Int])
    /// The sum of two values, each scaled and shifted.
    case blend([(value: ValueID, scale: Float, shift: Float)])
  }

  /// By node; what is not among them is computed as it says.
  private(set) var roles: [Int: Role] = [:]
  /// Values that are put in the place of others.
  private(set) var places: [ValueID: ValueID] = [:]

  init() {}

  init(_ plan: Plan) {
    collectUpdates(plan)
    collectBlends(plan)
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
          && touched.isDisjoint(with: written)
          && group.count < Operations.OptimizerUpdate.mostTogether
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

  /// Sums of two affine functions that nothing else reads. Where the sum becomes the value of a variable
  /// that nothing reads after it, it is written there at once.
  private mutating func collectBlends(_ plan: Plan) {
    let graph = plan.graph
    var readers = [[Int]](repeating: [], count: graph.values.count)
    for (index, node) in graph.nodes.enumerated() {
      for id in node.inputs { readers[id.index].append(index) }
    }
    let kept = Set(graph.outputs.map(\.id))
    func isReadOnly(_ id: ValueID, by reader: Int) -> Bool {
      readers[id.index] == [reader] && !kept.contains(id)
    }
    // Views have no place in the order and make others read a value under another name.
    let viewed = Set(graph.nodes.filter(\.operation.isView).flatMap(\.inputs))
    for (position, sum) in plan.order.enumerated().dropFirst(2) {
      let node = graph.nodes[sum]
      guard (node.operation as? Operations.Binary)?.function == .add,
        node.inputs[0] != node.inputs[1],
        node.inputs.allSatisfy({ isReadOnly($0, by: sum) })
      else { continue }
      // What they read is still there: nothing runs between them and the sum.
      let sources = plan.order[position - 2..<position]
      var terms: [(value: ValueID, scale: Float, shift: Float)] = []
      for input in node.inputs {
        guard let source = sources.first(where: { graph.nodes[$0].outputs == [input] }),
          case .affine(let scale, let shift)? =
            (graph.nodes[source].operation as? Operations.Unary)?.function
        else { break }
        terms.append((graph.nodes[source].inputs[0], scale, shift))
      }
      let result = node.outputs[0]
      guard terms.count == 2,
        terms.allSatisfy({ graph.type($0.value) == graph.type(result) })
      else { continue }
      var target = result
      if let reader = readers[result.index].first, isReadOnly(result, by: reader),
        graph.nodes[reader].operation is Operations.Assign, graph.nodes[reader].inputs[1] == result
      {
        let variable = graph.nodes[reader].inputs[0]
        if !viewed.contains(variable), !kept.contains(variable),
          readers[variable.index].allSatisfy({ $0 <= sum || $0 == reader })
        {
          target = variable
        }
      }
      // Elements are read before they are written only where they are the same.
      guard
        terms.allSatisfy({
          !overlaps(plan.location($0.value), plan.location(target), graph.type(target).byteCount)
        })
      else { continue }
      for source in sources { roles[source] = .elsewhere }
      roles[sum] = .blend(terms)
      if target != result, let reader = readers[result.index].first {
        places[result] = target
        roles[reader] = .elsewhere
      }
    }
  }

  /// Whether two tensors of one size share memory, but not element by element.
  private func overlaps(_ a: Plan.Location, _ b: Plan.Location, _ byteCount: Int) -> Bool {
    a.region == b.region && a.offset != b.offset && abs(a.offset - b.offset) < byteCount
  }
}

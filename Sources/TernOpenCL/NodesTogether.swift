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
    case updates([Int])
    /// The same of other tensors: see ``TernGraph/Graph/elementwiseChain(_:)``.
    case chains([Int])
  }

  /// By node; what is not among them is computed as it says.
  private(set) var roles: [Int: Role] = [:]
  /// Values that are put in the place of others.
  private(set) var places: [ValueID: ValueID] = [:]

  /// - Parameter sharesLaunches: whether several tensors share launches.
  init(_ plan: Plan, sharesLaunches: Bool) {
    if sharesLaunches { collectUpdates(plan) }
    collectAssignments(plan)
    if sharesLaunches { collectChains(plan) }
  }

  /// Neighbouring updates of one rule, learning rate and step. A parameter and its state are variables,
  /// which no other update may touch.
  private mutating func collectUpdates(_ plan: Plan) {
    let nodes = plan.graph.nodes
    var group: [Int] = []
    var touched: Set<Plan.Location.Region> = []
    var first: ParameterUpdate?
    func close(_ roles: inout [Int: Role]) {
      for index in group.dropFirst() { roles[index] = .elsewhere }
      if let index = group.first { roles[index] = .updates(group) }
      (group, touched, first) = ([], [], nil)
    }
    for index in plan.order {
      let node = nodes[index]
      guard let update = ParameterUpdate(node) else {
        close(&roles)
        continue
      }
      let written = node.outputs.map { plan.location($0).region }
      let read = node.inputs.prefix(2).map { plan.location($0).region }
      let areVariables = written.allSatisfy(isVariable)
      if let other = first {
        let fits =
          other.rule == update.rule && other.shared == update.shared
          && other.scale == update.scale && areVariables && touched.isDisjoint(with: written)
          && group.count < update.mostTogether
          && !read.contains { touched.contains($0) && isVariable($0) }
        if !fits { close(&roles) }
      }
      if first == nil { first = update }
      group.append(index)
      touched.formUnion(written + read)
      if !areVariables { close(&roles) }
    }
    close(&roles)
  }

  private func isVariable(_ region: Plan.Location.Region) -> Bool {
    if case .variable = region { true } else { false }
  }

  /// Chains that compute the same of tensors of other lengths, with nothing but other chains between them: moving
  /// averages of parameters, penalties, gradients that are divided by the loss's scale. All of them run where the
  /// first does: what a later one reads was not written since, and what it writes neither read nor written.
  private mutating func collectChains(_ plan: Plan) {
    let graph = plan.graph
    // Kernels differ in what they compute and how long their tensors are, not in where these lie.
    let nowhere = OpaquePointer(bitPattern: 64)!
    func view(_ id: ValueID) -> View { View(memory: nowhere, offset: 0, type: graph.type(id)) }
    func memory(_ id: ValueID) -> Memory {
      let id = places[id] ?? id
      let location = plan.location(id)
      return Memory(
        region: location.region,
        bytes: location.offset..<location.offset + graph.type(id).byteCount)
    }
    var groups: [ChainGroup] = []
    // Of the chains since the first group began.
    var accesses: [(reads: [Memory], writes: [Memory])] = []
    func close(_ roles: inout [Int: Role]) {
      for nodes in groups.map(\.nodes) where nodes.count > 1 {
        for index in nodes.dropFirst() { roles[index] = .elsewhere }
        roles[nodes[0]] = .chains(nodes)
      }
      (groups, accesses) = ([], [])
    }
    for index in plan.order {
      // What is computed elsewhere is there at the place of that.
      if case .elsewhere = roles[index] { continue }
      let node = graph.nodes[index]
      guard roles[index] == nil, let chain = graph.elementwiseChain(index) else {
        close(&roles)
        continue
      }
      let kernel = chain.kernel(node.inputs.map(view), node.outputs.map(view))
      let (reads, writes) = (node.inputs.map(memory), node.outputs.map(memory))
      func mayMove(before start: Int) -> Bool {
        accesses[start...].allSatisfy { other in
          !writes.contains { own in (other.reads + other.writes).contains(where: own.overlaps) }
            && !reads.contains { own in other.writes.contains(where: own.overlaps) }
        }
      }
      let known = groups.lastIndex { $0.kernel.isLike(kernel) }
      if let known, groups[known].nodes.count < kernel.mostTogether,
        mayMove(before: groups[known].start)
      {
        groups[known].nodes.append(index)
      } else {
        groups.append(ChainGroup(kernel: kernel, start: accesses.count, nodes: [index]))
      }
      accesses.append((reads, writes))
    }
    close(&roles)
  }

  private struct ChainGroup {
    /// That of the first node.
    let kernel: ElementwiseKernel
    /// The first node's place among the chains that are looked at.
    let start: Int
    var nodes: [Int]
  }

  /// A piece of a plan's memory.
  private struct Memory {
    let region: Plan.Location.Region
    let bytes: Range<Int>

    func overlaps(_ other: Memory) -> Bool {
      region == other.region && bytes.overlaps(other.bytes)
    }
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

/// An update among the nodes of a plan.
struct ParameterUpdate {
  let rule: Operations.OptimizerUpdate
  /// The inputs of the update itself.
  let own: [ValueID]
  /// What the gradient is multiplied by, if it is.
  let scale: ValueID?

  /// - Returns: `nil` for another node.
  init?(_ node: Node) {
    switch node.operation {
    case let update as Operations.OptimizerUpdate: (rule, own, scale) = (update, node.inputs, nil)
    case let scaled as Operations.ScaledUpdate:
      (rule, own, scale) = (scaled.update, node.inputs.dropLast(), node.inputs.last)
    default: return nil
    }
  }

  /// The values that parameters may share: learning rate, step, and what says whether anything changes.
  var shared: [ValueID] { Array(own[2...3]) + own.dropFirst(4 + rule.stateNames.count) }

  /// How many such updates a launch takes.
  var mostTogether: Int {
    rule.mostTogether(sharedCount: shared.count + (scale == nil ? 0 : 1))
  }
}

extension Graph {
  /// What a node computes element by element, if that is all it does.
  func elementwiseChain(_ index: Int) -> Operations.ElementwiseChain? {
    let node = nodes[index]
    return node.operation as? Operations.ElementwiseChain
      ?? Operations.ElementwiseChain(
        node.operation, inputs: types(node.inputs), output: type(node.outputs[0]))
  }
}

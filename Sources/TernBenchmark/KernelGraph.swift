import Tern
import TernConformance

/// One pass of one operation as a graph by itself, every input of which is a variable: nothing is
/// transferred when it is replayed, and the device may store inputs as it likes best.
///
/// What a backward pass reads of the forward pass (the indices of a maximum, say) is a variable too,
/// so that only the backward pass is timed.
package struct KernelGraph {
  /// What is timed.
  package let graph: Graph
  /// What computes the values of the variables `saved.N` of ``graph``; `nil` where it has none.
  package let preparation: Graph?
  /// The types of all inputs and arriving gradients that either graph reads, by name.
  package let inputTypes: [String: TensorType]
  /// The gradients that a backward pass computes, by the input's name.
  package let targets: [String]

  /// The arithmetic, and the bytes that must be moved: the sum over the nodes, but not more than
  /// reading every input and writing every output once.
  package let cost: Cost

  /// - Parameter storing: makes the graph one of other types; inputs are drawn in float32 all the same.
  package init(
    _ testCase: BenchmarkCase, _ pass: BenchmarkPass, storing: (Graph) throws -> Graph = { $0 }
  ) throws {
    if testCase.operation.hasPrefix("optimizer.") {
      try self.init(update: testCase)
      return
    }
    let opCase = testCase.opCase
    guard let spec = OperationSpec.named(opCase.operation) else {
      throw TernError(.badData, "unknown operation '\(opCase.operation)'")
    }
    let builder = GraphBuilder()
    var inputs: [String: Tensor] = [:]
    var types: [String: TensorType] = [:]
    func variable(_ name: String, _ type: TensorType) throws -> Tensor {
      types[name] = type
      return try builder.variable(name, type)
    }
    for (name, input) in opCase.inputs.sorted(by: { $0.key < $1.key }) {
      inputs[name] = try variable(name, input.type)
    }
    let results = Array(
      zip(
        spec.outputs,
        try spec.build(Attributes(opCase.operation, opCase.attributes), inputs)))
    let targets = pass == .forward ? [] : testCase.targets(of: pass)
    guard pass != .forward else {
      for (name, result) in results { builder.output("output.\(name)", result) }
      try self.init(builder.graph, preparation: nil, types, targets: [], storing: storing)
      return
    }
    let forwardCount = builder.graph.nodes.count
    let seeds = try results.filter { OpCase.isDifferentiable($0, $1.type) }.map { name, result in
      (result, try variable("cotangent.\(name)", result.type))
    }
    let gradients = try builder.gradients(
      of: seeds, withRespectTo: targets.map { inputs[$0]! })
    for (name, gradient) in zip(targets, gradients) {
      if let gradient { builder.output("gradient.\(name)", gradient) }
    }
    let (graph, preparation) = Self.cut(builder.graph, behind: forwardCount)
    try self.init(graph, preparation: preparation, types, targets: targets, storing: storing)
  }

  /// One update of a parameter.
  private init(update testCase: BenchmarkCase) throws {
    let opCase = testCase.opCase
    let type = opCase.inputs["parameter"]!.type
    try self.init(
      try OptimizerCase.graph(opCase.operation, opCase.attributes, type).graph, preparation: nil,
      ["parameter": type, "gradient": type], targets: [])
  }

  private init(
    _ graph: Graph, preparation: Graph?, _ types: [String: TensorType], targets: [String],
    storing: (Graph) throws -> Graph = { $0 }
  ) throws {
    let graph = try storing(graph.removingDeadNodes().removingUnreadVariables())
    let preparation = preparation?.removingDeadNodes().removingUnreadVariables()
    self.graph = graph
    self.preparation = preparation
    self.targets = targets
    let read = Set((graph.variables + graph.inputs).map { graph[$0].name })
    let prepared = Set(preparation?.variables.map { preparation![$0].name } ?? [])
    inputTypes = types.filter { read.contains($0.key) || prepared.contains($0.key) }
    let costs = graph.nodes.map { graph.cost(of: $0) }
    let written = Set(graph.outputs.map(\.id) + graph.assignments.map(\.value))
    let once = (graph.variables + graph.inputs + written).reduce(0) {
      $0 + graph.type($1).byteCount
    }
    cost = Cost(
      flops: costs.reduce(0) { $0 + $1.flops },
      bytes: min(once, costs.reduce(0) { $0 + $1.bytes }))
  }

  /// Makes variables of what the nodes from `boundary` on read of those before.
  private static func cut(_ source: Graph, behind boundary: Int) -> (Graph, preparation: Graph?) {
    var (graph, preparation) = (source, source)
    preparation.outputs = []
    var saved: [ValueID: ValueID] = [:]

    /// Whether a value is an input seen under another shape.
    func isLeaf(_ id: ValueID) -> Bool {
      guard case .node(let index, _) = source[id].source else { return true }
      let node = source.nodes[index]
      return node.operation.isView && isLeaf(node.inputs[0])
    }
    func replacement(_ id: ValueID) -> ValueID {
      guard case .node(let index, _) = source[id].source, index < boundary, !isLeaf(id) else {
        return id
      }
      if let known = saved[id] { return known }
      var info = source[id]
      info.source = .variable
      info.name = "saved.\(saved.count)"
      graph.values.append(info)
      let variable = ValueID(graph.values.count - 1)
      graph.variables.append(variable)
      preparation.outputs.append((info.name, id))
      saved[id] = variable
      return variable
    }
    for index in boundary..<source.nodes.count {
      graph.nodes[index].inputs = source.nodes[index].inputs.map(replacement)
    }
    return (graph, saved.isEmpty ? nil : preparation)
  }
}

extension Graph {
  fileprivate func removingUnreadVariables() -> Graph {
    let read = Set(
      nodes.flatMap(\.inputs) + outputs.map(\.id) + assignments.map(\.variable)
        + assignments.map(\.value))
    var graph = self
    graph.variables.removeAll { !read.contains($0) }
    return graph
  }
}

extension BenchmarkCase {
  /// The passes that do something: an addition's gradients are what arrives.
  package var passes: [BenchmarkPass] {
    BenchmarkPass.allCases.filter { pass in
      guard pass != .forward else { return true }
      guard !operation.hasPrefix("optimizer."), !targets(of: pass).isEmpty,
        let kernel = try? KernelGraph(self, pass)
      else { return false }
      return kernel.graph.nodes.contains { !$0.operation.isView }
    }
  }

  /// The inputs whose gradients a pass computes.
  func targets(of pass: BenchmarkPass) -> [String] {
    let all = opCase.differentiatedInputs
    let weights: Set<String> =
      switch operation {
      case "matmul": ["other"]
      case "conv1d", "conv2d", "conv_transpose2d", "linear", "embedding", "layer_norm",
        "group_norm":
        ["weight", "bias"]
      default: []
      }
    switch pass {
    case .forward: return []
    case .backwardData: return all.filter { !weights.contains($0) }
    case .backwardWeights: return all.filter(weights.contains)
    }
  }
}

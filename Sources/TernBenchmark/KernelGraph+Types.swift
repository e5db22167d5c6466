import Tern

extension Graph {
  /// The graph of a pass as a device runs it in 16 bits, with inputs and results that are stored so: casts would be
  /// measured otherwise. What a sum reads too stays float32, and is cast.
  ///
  /// - Returns: the graph itself where the pass has no form of 16 bits on the device.
  func stored(as half: DataType, on device: any Device) throws -> Graph {
    guard assignments.isEmpty else { return self }
    // A parameter is cast where that pays in a step; here all is stored so.
    var graph = with(variables, as: .input)
    graph = try graph.autocast(to: half, storesAll: device.storesAllByAutocast) {
      device.supports($0, inputs: $1)
    }.withoutCastsAtEdges(half)
    return graph.with(graph.inputs, as: .variable)
  }

  /// Inputs as variables, or variables as inputs.
  private func with(_ leaves: [ValueID], as source: ValueInfo.Source) -> Graph {
    var graph = self
    for id in leaves { graph[id].source = source }
    graph.inputs = source == .input ? inputs + leaves : []
    graph.variables = source == .input ? [] : variables + leaves
    return graph
  }

  private func withoutCastsAtEdges(_ half: DataType) -> Graph {
    var graph = self
    func isCast(_ node: Node) -> Bool { node.operation is Operations.Cast }
    for id in inputs + variables {
      let readers = nodes.indices.filter { nodes[$0].inputs.contains(id) }
      guard !readers.isEmpty,
        readers.allSatisfy({ isCast(nodes[$0]) && type(nodes[$0].outputs[0]).dataType == half })
      else { continue }
      graph[id].type = TensorType(type(id).shape, half)
      for reader in readers { graph.replaceReads(of: nodes[reader].outputs[0], with: id) }
    }
    for (index, output) in outputs.enumerated() {
      guard case .node(let node, _) = self[output.id].source, isCast(nodes[node]),
        type(nodes[node].inputs[0]).dataType == half
      else { continue }
      graph.outputs[index].id = graph.nodes[node].inputs[0]
    }
    return graph.removingDeadNodes()
  }

  private mutating func replaceReads(of old: ValueID, with new: ValueID) {
    for index in nodes.indices {
      nodes[index].inputs = nodes[index].inputs.map { $0 == old ? new : $0 }
    }
    for index in outputs.indices where outputs[index].id == old { outputs[index].id = new }
  }

  /// What its tensors are stored in: 16 bits where any is.
  var storedType: DataType {
    nodes.lazy.flatMap { types($0.inputs + $0.outputs) }.map(\.dataType).first(where: \.isHalf)
      ?? .float32
  }
}

extension DataType {
  /// How users call those that are measured.
  package static let measured: [DataType] = [.float32, .bfloat16, .float16]

  /// What a device is opened in to store tensors in it.
  package var precision: Precision? { Precision.allCases.first { $0.storedType == self } }
}

extension Precision {
  /// What tensors are stored in.
  package var storedType: DataType { halfType ?? .float32 }
}

extension KernelGraph {
  /// A pass as it runs on a device; see ``DeviceCatalog/open(_:options:)`` for what that is opened in.
  package init(_ testCase: BenchmarkCase, _ pass: BenchmarkPass, on device: any Device) throws {
    try self.init(testCase, pass) { graph in
      try device.autocastType.map { try graph.stored(as: $0, on: device) } ?? graph
    }
  }

  /// Values of the variables and inputs as the pass stores them, by name.
  func stored(_ values: [String: HostTensor]) -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: values.map { name, value in
        let id = graph.variable(named: name) ?? graph.input(named: name)
        return (name, id.map { value.cast(to: graph.type($0).dataType) } ?? value)
      })
  }

  /// What the pass stores its tensors in.
  package var storedType: DataType { graph.storedType }
}

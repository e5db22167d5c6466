import TernCore

/// Names a value in a ``Graph``: an input, a variable, a constant or an output of a node.
public struct ValueID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Its position in ``Graph/values``.
  public let index: Int
  package init(_ index: Int) { self.index = index }
  public static func < (a: Self, b: Self) -> Bool { a.index < b.index }
  public var description: String { "%\(index)" }
}

/// How a device stores a value.
public enum Layout: Hashable, Sendable, CustomStringConvertible {
  /// Row by row, the innermost axis contiguous.
  case dense
  /// A format of the device's own, under an identifier the device gave out, with room for so many elements.
  case blocked(id: Int, elementCount: Int, description: String)

  public var description: String {
    switch self {
    case .dense: "dense"
    case .blocked(_, _, let description): description
    }
  }
}

/// A tensor of the graph: its type, its storage format, and where it comes from.
public struct ValueInfo: Sendable {
  /// Where a value comes from.
  public enum Source: Hashable, Sendable {
    /// Written by the host before a step.
    case input
    /// Kept on the device from step to step.
    case variable
    /// Written once, when the plan is bound.
    case constant
    /// Computed by a node, as its output number `output`.
    case node(Int, output: Int)
  }

  /// Its shape and the type of its elements.
  public var type: TensorType
  /// Where it comes from.
  public var source: Source
  /// What an input or a variable is called; empty for other values.
  public var name: String
  /// How the device stores it.
  public var layout: Layout = .dense

  /// The bytes the value takes on its device.
  public var byteCount: Int {
    switch layout {
    case .dense: type.byteCount
    case .blocked(_, let elementCount, _): elementCount * type.dataType.byteCount
    }
  }
}

/// An operation applied to values.
public struct Node: Sendable {
  /// What is computed.
  public var operation: any Operation
  /// What it reads.
  public var inputs: [ValueID]
  /// What it computes.
  public var outputs: [ValueID]
  /// The layers around the node, outermost first, joined by dots: `layer1.0.conv1`.
  public var scope: String

  /// An operation applied to `inputs`, which gives `outputs`.
  public init(operation: any Operation, inputs: [ValueID], outputs: [ValueID], scope: String) {
    self.operation = operation
    self.inputs = inputs
    self.outputs = outputs
    self.scope = scope
  }

  /// What the scopes of nodes begin with that compute gradients: `backward.layer1.0.conv1`.
  package static let backwardScope = "backward"

  /// The layers around the node, or around the one whose gradient it computes: `layer1.0.conv1`.
  package var layer: String {
    let parts = scope.split(separator: ".")
    return (parts.first == Self.backwardScope[...] ? parts.dropFirst() : parts[...])
      .joined(separator: ".")
  }

  /// How messages name the node.
  package var label: String { scope.isEmpty ? operation.name : "\(operation.name) (\(scope))" }
}

/// A computation on tensors of fixed shapes: nodes in an order in which every value is computed
/// before it is read.
///
/// A training step is one graph: forward, loss, backward, and the assignments that update the
/// variables.
public struct Graph: Sendable {
  /// What is computed, in an order in which every value is computed before it is read.
  public var nodes: [Node] = []
  /// All values; a ``ValueID`` is a position in this list.
  public var values: [ValueInfo] = []
  /// Written by the host before each step.
  public var inputs: [ValueID] = []
  /// Kept from step to step: parameters, optimizer state, running statistics.
  public var variables: [ValueID] = []
  /// Written once.
  public var constants: [(id: ValueID, value: HostTensor)] = []
  /// Read by the host after a step, by name.
  public var outputs: [(name: String, id: ValueID)] = []
  /// What a variable holds after a step.
  public var assignments: [(variable: ValueID, value: ValueID)] = []

  /// A graph of nothing.
  public init() {}

  /// The value of that name.
  public subscript(id: ValueID) -> ValueInfo {
    get { values[id.index] }
    set { values[id.index] = newValue }
  }

  /// The type of a value.
  public func type(_ id: ValueID) -> TensorType { values[id.index].type }

  /// The types of values.
  public func types(_ ids: [ValueID]) -> [TensorType] { ids.map(type) }

  /// The input of that name.
  public func input(named name: String) -> ValueID? { inputs.first { self[$0].name == name } }

  /// The variable of that name.
  public func variable(named name: String) -> ValueID? {
    variables.first { self[$0].name == name }
  }

  /// The output of that name.
  public func output(named name: String) -> ValueID? { outputs.first { $0.name == name }?.id }

  /// The cost of a node.
  public func cost(of node: Node) -> Cost {
    node.operation.cost(inputs: types(node.inputs), outputs: types(node.outputs))
  }

  mutating func addValue(_ type: TensorType, _ source: ValueInfo.Source, _ name: String) -> ValueID
  {
    values.append(ValueInfo(type: type, source: source, name: name))
    return ValueID(values.count - 1)
  }

  /// Appends a node, checking its inputs, and returns its outputs.
  public mutating func append(
    _ operation: any Operation, _ inputs: [ValueID], scope: String
  ) throws(ShapeError) -> [ValueID] {
    let types = try operation.outputTypes(for: types(inputs))
    for (index, type) in types.enumerated() where !type.shape.isUsable {
      throw ShapeError(
        operation.name, "output \(index)", expected: GraphBuilder.usableExtents,
        got: "\(type.shape)")
    }
    let nodeIndex = nodes.count
    var outputs: [ValueID] = []
    for (index, type) in types.enumerated() {
      outputs.append(addValue(type, .node(nodeIndex, output: index), ""))
    }
    nodes.append(Node(operation: operation, inputs: inputs, outputs: outputs, scope: scope))
    return outputs
  }
}

extension Graph: CustomStringConvertible {
  /// One line per node: outputs, operation, inputs.
  public var description: String {
    var lines: [String] = []
    for id in inputs { lines.append("input \(id) \(self[id].name): \(self[id].type)") }
    for id in variables {
      lines.append("variable \(id) \(self[id].name): \(self[id].type) \(self[id].layout)")
    }
    for node in nodes {
      let outputs = node.outputs.map { id in
        "\(id): \(self[id].type)" + (self[id].layout == .dense ? "" : " \(self[id].layout)")
      }
      let inputs = node.inputs.map(\.description).joined(separator: ", ")
      let detail = node.operation.detail.isEmpty ? "" : " {\(node.operation.detail)}"
      let scope = node.scope.isEmpty ? "" : "  # \(node.scope)"
      lines.append(
        "\(outputs.joined(separator: ", ")) = \(node.operation.name)(\(inputs))\(detail)\(scope)")
    }
    for (variable, value) in assignments { lines.append("\(self[variable].name) <- \(value)") }
    for (name, id) in outputs { lines.append("output \(name) = \(id)") }
    return lines.joined(separator: "\n")
  }
}

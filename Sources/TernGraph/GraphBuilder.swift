import TernCore

/// Builds a ``Graph`` by writing the computation down with ``Tensor``s.
///
/// ```swift
/// let builder = GraphBuilder()
/// let x = try builder.input("x", [64, 784])
/// let w = try builder.variable("w", [10, 784])
/// builder.output("y", try x.linear(weight: w).softmax(dim: 1))
/// let graph = builder.graph
/// ```
public final class GraphBuilder {
  /// What was written down so far.
  public private(set) var graph = Graph()
  private var scopes: [String] = []
  private var constantCache: [ConstantKey: ValueID] = [:]

  private struct ConstantKey: Hashable {
    let bits: UInt32
    let shape: Shape
  }

  /// Begins an empty graph.
  public init() {}

  /// Goes on building an existing graph.
  public init(_ graph: Graph) { self.graph = graph }

  /// A value the host writes before each step.
  public func input(_ name: String, _ type: TensorType) throws(ShapeError) -> Tensor {
    try checkExtents(name, type)
    let id = graph.addValue(type, .input, name)
    graph.inputs.append(id)
    return Tensor(self, id)
  }

  /// A value of type float32 that the host writes before each step.
  public func input(_ name: String, _ shape: Shape) throws(ShapeError) -> Tensor {
    try input(name, TensorType(shape))
  }

  /// A value the device keeps from step to step.
  public func variable(_ name: String, _ type: TensorType) throws(ShapeError) -> Tensor {
    try checkExtents(name, type)
    if let existing = graph.variable(named: name) {
      guard graph.type(existing) == type else {
        throw ShapeError("variable", name, expected: "\(graph.type(existing))", got: "\(type)")
      }
      return Tensor(self, existing)
    }
    let id = graph.addValue(type, .variable, name)
    graph.variables.append(id)
    return Tensor(self, id)
  }

  /// A value of type float32 that the device keeps from step to step.
  public func variable(_ name: String, _ shape: Shape) throws(ShapeError) -> Tensor {
    try variable(name, TensorType(shape))
  }

  /// A value fixed when the graph is built.
  public func constant(_ value: HostTensor) -> Tensor {
    let id = graph.addValue(value.type, .constant, "")
    graph.constants.append((id, value))
    return Tensor(self, id)
  }

  /// A tensor of one repeated value; equal ones are shared.
  public func constant(_ value: Float, _ shape: Shape = []) -> Tensor {
    let key = ConstantKey(bits: value.bitPattern, shape: shape)
    if let id = constantCache[key] { return Tensor(self, id) }
    let tensor = constant(HostTensor(repeating: value, shape))
    constantCache[key] = tensor.id
    return tensor
  }

  /// Makes `tensor` readable by the host after a step.
  public func output(_ name: String, _ tensor: Tensor) { graph.outputs.append((name, tensor.id)) }

  /// Makes `variable` hold `value` after the step, in place of what was assigned to it before; reads
  /// during the step see the old value.
  public func assign(_ variable: Tensor, _ value: Tensor) {
    precondition(graph[variable.id].source == .variable, "only a variable can be assigned to")
    precondition(variable.type == value.type, "assigning \(value.type) to \(variable.type)")
    graph.assignments.removeAll { $0.variable == variable.id }
    graph.assignments.append((variable.id, value.id))
  }

  /// Takes back what was assigned to `variable`, and returns it; `nil` where nothing was.
  package func removeAssignment(of variable: Tensor) -> Tensor? {
    guard let index = graph.assignments.firstIndex(where: { $0.variable == variable.id }) else {
      return nil
    }
    return tensor(graph.assignments.remove(at: index).value)
  }

  /// What `variable` will hold after the step, as far as it is assigned to yet.
  public func assignedValue(of variable: Tensor) -> Tensor {
    graph.assignments.last { $0.variable == variable.id }.map { tensor($0.value) } ?? variable
  }

  /// Appends a node and returns its outputs.
  public func apply(_ operation: any Operation, _ inputs: [Tensor]) throws(ShapeError) -> [Tensor] {
    for input in inputs {
      precondition(input.builder === self, "\(operation.name): tensor of another graph")
    }
    let ids = try graph.append(
      operation, inputs.map(\.id), scope: scopes.joined(separator: "."))
    return ids.map { Tensor(self, $0) }
  }

  /// Names the nodes that `body` appends after a layer.
  public func scope<R>(_ name: String, _ body: () throws -> R) rethrows -> R {
    scopes.append(name)
    defer { scopes.removeLast() }
    return try body()
  }

  /// A value of the graph, to go on from.
  public func tensor(_ id: ValueID) -> Tensor { Tensor(self, id) }

  package static let usableExtents =
    "extents of 1 to 2^31 - 1, at most 2^31 - 1 elements a sample and 2^44 in all"

  private func checkExtents(_ name: String, _ type: TensorType) throws(ShapeError) {
    guard type.shape.isUsable else {
      throw ShapeError(name, "shape", expected: Self.usableExtents, got: "\(type.shape)")
    }
  }
}

/// A value of a graph under construction. Its methods are the operations, under PyTorch's names.
///
/// Shapes stand in brackets, outermost axis first: N samples, C channels, H rows, W columns, T steps, E or
/// F features; `*` is any number of axes. Every operation checks what it is given when it is written
/// down, and throws a ``TernCore/ShapeError`` that says what does not fit.
public struct Tensor {
  /// The graph under construction that the value belongs to.
  public let builder: GraphBuilder
  /// The name of the value in the graph.
  public let id: ValueID

  init(_ builder: GraphBuilder, _ id: ValueID) {
    self.builder = builder
    self.id = id
  }

  /// Its shape and the type of its elements.
  public var type: TensorType { builder.graph.type(id) }
  /// Its extents, outermost first.
  public var shape: Shape { type.shape }

  /// Appends a node with one output.
  func apply(_ operation: any Operation, _ others: Tensor...) throws(ShapeError) -> Tensor {
    try builder.apply(operation, [self] + others)[0]
  }

  /// `dim` counted from the end where it is negative; a scalar has none.
  func axis(_ dim: Int, _ operation: String) throws(ShapeError) -> Int {
    let rank = shape.rank
    guard (-rank..<rank).contains(dim) else {
      throw ShapeError(
        operation, "dim", expected: "an axis of \(shape)", got: "\(dim)")
    }
    return dim < 0 ? dim + rank : dim
  }
}

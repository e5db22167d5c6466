import TernCore

/// Which of a node's tensors are stored in 16 bits where a graph is cast; see ``Graph/autocast(to:isSupported:)``.
/// Inputs that a rule does not name, and outputs that do not follow one, are float32.
public enum AutocastRule: Hashable, Sendable {
  /// Everything is float32.
  case full
  /// These inputs are cast to 16 bits, whatever they were.
  case half([Int])
  /// These inputs are of one type: of 16 bits where all of them are. Parameters and constants that are repeated
  /// along an axis, such as a bias, are cast to what the others are.
  case follow([Int])
  /// The same of all inputs.
  case followAll
  /// These inputs are of the type that the input `leader` has: what the forward pass saved decides, and the
  /// gradient is cast.
  case lead(_ leader: Int, [Int])
}

extension Graph {
  /// The graph with activations and their gradients in a type of 16 bits, where the operations' rules allow it
  /// and the device has kernels for it. Variables, inputs and outputs keep their types; gradients of weights
  /// are float32.
  ///
  /// Source: Micikevicius et al., "Mixed precision training", 2018.
  ///
  /// - Parameter storesAll: whether operations without such kernels take part too: they read what is widened, and
  ///   their results are rounded.
  package func autocast(
    to half: DataType, storesAll: Bool = false, isSupported: (any Operation, [TensorType]) -> Bool
  ) throws -> Graph {
    var pass = AutocastPass(self, half, storesAll: storesAll)
    return try pass.run(isSupported)
  }
}

private struct AutocastPass {
  private let source: Graph
  private let half: DataType
  private let storesAll: Bool
  private var rewriter: GraphRewriter
  /// Per value of the new graph, what it is in the other type.
  private var halved: [ValueID: ValueID] = [:]
  private var widened: [ValueID: ValueID] = [:]
  /// The values of the new graph that are a parameter or a constant, perhaps seen under another shape.
  private var parameters: Set<ValueID> = []
  private var isBackward = false
  /// The values of the old graph that an update reads as the gradient of a parameter.
  private let gradients: Set<ValueID>

  init(_ graph: Graph, _ half: DataType, storesAll: Bool) {
    source = graph
    self.half = half
    self.storesAll = storesAll
    rewriter = GraphRewriter(graph)
    let updates = graph.nodes.filter { $0.operation is Operations.OptimizerUpdate }
    gradients = Set(updates.map { $0.inputs[1] })
    for id in graph.variables { parameters.insert(rewriter[id]) }
  }

  mutating func run(_ isSupported: (any Operation, [TensorType]) -> Bool) throws -> Graph {
    for node in source.nodes {
      let isBackward = node.scope.hasPrefix(Node.backwardScope)
      // What the forward pass widened is widened again, and parameters are cast again: the copies would have to
      // be kept until here.
      if isBackward != self.isBackward {
        widened = [:]
        halved = halved.filter { !parameters.contains($0.key) }
      }
      self.isBackward = isBackward
      let inputs = node.inputs.map { id in
        let copy = rewriter[id]
        if case .constant = source[id].source { parameters.insert(copy) }
        return copy
      }
      let types = types(node, inputs)
      let isHalf = types.contains(half)
      let operands = zip(inputs, types).map { TensorType(rewriter.graph.type($0).shape, $1) }
      let isUsed = isHalf && (node.operation.isView || isSupported(node.operation, operands))
      let wide = node.inputs.map { source.type($0).dataType }
      let isRounded = isHalf && !isUsed && storesAll
      var read: [ValueID] = []
      for (index, input) in inputs.enumerated() {
        let stored =
          isUsed || isRounded ? try cast(input, to: types[index], scope: node.scope) : input
        read.append(isUsed ? stored : try cast(stored, to: wide[index], scope: node.scope))
      }
      let operation = isUsed || isRounded ? summingInFloat32(node) : node.operation
      var outputs = try rewriter.append(operation, read, scope: node.scope)
      if isRounded {
        let types = try operation.outputTypes(for: operands)
        for (index, type) in types.enumerated() {
          outputs[index] = try cast(outputs[index], to: type.dataType, scope: node.scope)
        }
      }
      for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
      if node.operation.isView, parameters.contains(inputs[0]) { parameters.insert(outputs[0]) }
    }
    for id in source.outputs.map(\.id) + source.assignments.map(\.value) {
      rewriter.replace(
        id, with: try cast(rewriter[id], to: source.type(id).dataType, scope: ""))
    }
    return rewriter.finish()
  }

  /// A sum is not rounded, and so is none of the gradients of a matrix of weights, dyᵀ·x over all rows.
  private func summingInFloat32(_ node: Node) -> any Operation {
    if let sum = node.operation as? Operations.Reduce {
      return Operations.Reduce(
        sum.function, axes: sum.axes, keepsAxes: sum.keepsAxes, result: .float32)
    }
    guard let product = node.operation as? Operations.MatMul, product.transposesA, isBackward,
      source.type(node.outputs[0]).shape.rank == 2
    else { return node.operation }
    return Operations.MatMul(
      transposesA: true, transposesB: product.transposesB, result: .float32)
  }

  /// The types that a node would read by its rule.
  private func types(_ node: Node, _ inputs: [ValueID]) -> [DataType] {
    var types = node.inputs.map { source.type($0).dataType }
    func set(_ positions: [Int]) {
      for position in positions where position < types.count && types[position] == .float32 {
        types[position] = half
      }
    }
    func isHalf(_ position: Int) -> Bool {
      position < inputs.count && rewriter.graph.type(inputs[position]).dataType == half
    }
    func follow(_ positions: [Int]) {
      let positions = positions.filter { $0 < inputs.count }
      let counts = positions.map { source.type(node.inputs[$0]).elementCount }
      // A parameter of the result's own size may be a sum that is kept from step to step: nothing rounds it.
      let others = zip(positions, counts).filter {
        !parameters.contains(inputs[$0]) || $1 == counts.max()
      }
      if !others.isEmpty, others.allSatisfy({ isHalf($0.0) }) { set(positions) }
    }
    switch node.operation.isView ? .followAll : node.operation.autocastRule {
    case .full: break
    case .half(let positions): if !isProductByFewRows(node, inputs) { set(positions) }
    case .follow(let positions): follow(positions)
    case .followAll: follow(Array(inputs.indices))
    case .lead(let leader, let positions):
      if isHalf(leader) { set([leader] + positions) }
    }
    return types
  }

  /// The rows from which on it pays to cast the matrix of a parameter, or its gradient, for a product with so many
  /// rows: 2·rows operations an element take half the time, the cast moves eight bytes an element. Processors and
  /// GPUs have 10 to 20 operations in float32 for a byte.
  private static let leastRows = 128

  /// Whether the time of a product goes into reading a parameter, or into writing its gradient.
  private func isProductByFewRows(_ node: Node, _ inputs: [ValueID]) -> Bool {
    let shapes = node.inputs.map { source.type($0).shape }
    switch node.operation {
    case is Operations.Linear:
      return parameters.contains(inputs[1]) && shapes[0][0] < Self.leastRows
    case let product as Operations.MatMul:
      let d = product.dimensions(shapes[0], shapes[1])
      return gradients.contains(node.outputs[0]) && d.k < Self.leastRows
        || parameters.contains(inputs[0]) && d.n < Self.leastRows
        || parameters.contains(inputs[1]) && d.m < Self.leastRows
    default: return false
    }
  }

  /// A value of the new graph as another type.
  private mutating func cast(_ id: ValueID, to type: DataType, scope: String) throws -> ValueID {
    let own = rewriter.graph.type(id).dataType
    if own == type { return id }
    let isHalving = type == half
    if let known = isHalving ? halved[id] : widened[id] { return known }
    // What is known is cast now.
    let constant = rewriter.graph.constants.first { $0.id == id }
    let copy =
      try constant.map { rewriter.append($0.value.cast(to: type)) }
      ?? rewriter.append(Operations.Cast(type), [id], scope: scope)[0]
    if isHalving {
      halved[id] = copy
    } else {
      widened[id] = copy
      // Rounding it again gives the same number.
      halved[copy] = id
    }
    if parameters.contains(id) { parameters.insert(copy) }
    return copy
  }
}

import TernCore
import TernGraph
import TernNN

/// What of a network ONNX has no words for.
struct ONNXExportError: Error, CustomStringConvertible {
  let description: String
}

/// An extent of a value, for any batch N.
enum ExportExtent: Hashable {
  case fixed(Int)
  /// N times a number.
  case batch(Int)
}

/// Writes a graph down in ONNX's operators.
///
/// The graph is built twice, for batches of two sizes: what differs is a multiple of the batch, and is
/// computed of it in the file. Where both sizes are the same, the file is for that batch alone.
final class GraphExporter {
  let graph: Graph
  /// The same network for the other batch.
  let other: Graph
  private let batches: (Int, Int)
  private let parameters: [String: HostTensor]
  private var names: [ValueID: String] = [:]
  private var usedNames: Set<String> = []
  private var nodes: [ONNXNode] = []
  private var initializers: [String: ONNXTensor] = [:]
  private var inputs: [ONNXValueInfo] = []
  /// The names of constants that several nodes read.
  private var rows: [[Int]: String] = [:]
  private var numbers: [UInt32: String] = [:]
  private var batchName: String?
  private let producers: [ValueID: Int]

  /// - Parameters:
  ///   - graphs: the network for each of the batches.
  ///   - parameters: the values of the graph's variables, by name.
  init(_ graphs: (Graph, Graph), batches: (Int, Int), parameters: [String: HostTensor]) {
    (graph, other) = graphs
    (self.batches, self.parameters) = (batches, parameters)
    var producers: [ValueID: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs { producers[output] = index }
    }
    self.producers = producers
  }

  /// The graph in ONNX's operators, of opset 17.
  ///
  /// - Throws: ``ONNXExportError`` for an operation that has no form there.
  func export(named name: String) throws -> ONNXGraph {
    guard graph.nodes.count == other.nodes.count,
      zip(graph.nodes, other.nodes).allSatisfy({
        $0.operation.name == $1.operation.name && $0.inputs == $1.inputs
      })
    else { throw ONNXExportError(description: "what it computes depends on the batch's size") }
    usedNames = Set(graph.outputs.map(\.name) + graph.variables.map { graph[$0].name })
    let live = liveNodes()
    let read = Set(
      graph.nodes.indices.filter { live[$0] }.flatMap { graph.nodes[$0].inputs }
        + graph.outputs.map(\.id))
    for id in graph.inputs where read.contains(id) {
      try addInput(named: unique(graph[id].name), for: id)
    }
    for (index, node) in graph.nodes.enumerated() where live[index] {
      let results = try run(node, other.nodes[index])
      for (id, result) in zip(node.outputs, results) { names[id] = result }
    }
    return try finished(named: name)
  }

  // MARK: What a rule asks for

  /// The extents of a value, for any batch.
  func extents(_ id: ValueID) throws -> [ExportExtent] {
    let (a, b) = (graph.type(id).shape, other.type(id).shape)
    guard a.rank == b.rank else {
      throw ONNXExportError(description: "the shape \(a) depends on the batch's size")
    }
    return try zip(a, b).map { a, b in
      if a == b { return .fixed(a) }
      guard a % batches.0 == 0, b % batches.1 == 0, a / batches.0 == b / batches.1 else {
        throw ONNXExportError(description: "an extent is not a multiple of the batch's size")
      }
      return .batch(a / batches.0)
    }
  }

  /// The node that computes a value.
  func producer(of id: ValueID) -> Node? { producers[id].map { graph.nodes[$0] } }

  /// The name of a value in the file, which is written there first where nothing has read it yet.
  func name(of id: ValueID) throws -> String {
    if let name = names[id] { return name }
    let name: String
    switch graph[id].source {
    case .variable:
      name = graph[id].name
      guard let value = parameters[name] else {
        throw ONNXExportError(description: "there is no value of '\(name)'")
      }
      initializers[name] = ONNXTensor(name: name, value)
    case .constant: name = try constant(id)
    case .input, .node:
      throw ONNXExportError(description: "a value is read before it is computed")
    }
    names[id] = name
    return name
  }

  /// Appends an operator.
  ///
  /// - Parameter scope: the layer that asks for it.
  /// - Returns: the names of what it computes.
  func emit(
    _ operatorName: String, _ inputs: [String], _ attributes: [String: ONNXAttribute] = [:],
    outputCount: Int = 1, scope: String
  ) -> [String] {
    let base = (scope.isEmpty ? "" : scope + "/") + operatorName
    let outputs = (0..<outputCount).map { _ in unique(base) }
    nodes.append(
      ONNXNode(
        inputs: inputs, outputs: outputs, name: outputs[0], operatorName: operatorName,
        attributes: attributes))
    return outputs
  }

  /// A scalar of float32.
  func number(_ value: Float) -> String {
    if let name = numbers[value.bitPattern] { return name }
    let name = constant(HostTensor([], [value]))
    numbers[value.bitPattern] = name
    return name
  }

  /// A row of int64: axes, a shape.
  func row(_ values: [Int]) -> String {
    if let name = rows[values] { return name }
    let name = unique("constant")
    emitConstant(ONNXTensor(name: "", integers: values), named: name)
    rows[values] = name
    return name
  }

  /// A tensor that nothing learns.
  func constant(_ value: HostTensor) -> String {
    let name = unique("constant")
    emitConstant(ONNXTensor(name: "", value), named: name)
    return name
  }

  /// A shape as a row of int64, computed of the batch where it depends on it.
  func shape(_ extents: [ExportExtent]) throws -> String {
    var parts: [String] = []
    var run: [Int] = []
    func close() {
      if !run.isEmpty { parts.append(row(run)) }
      run = []
    }
    for extent in extents {
      switch extent {
      case .fixed(let count): run.append(count)
      case .batch(let factor):
        close()
        let batch = try batch()
        parts.append(factor == 1 ? batch : emit("Mul", [batch, row([factor])], scope: "")[0])
      }
    }
    close()
    return parts.count == 1 ? parts[0] : emit("Concat", parts, ["axis": .int(0)], scope: "")[0]
  }

  /// Makes an input of what a network draws.
  func drawnInput(for id: ValueID, scope: String) throws -> String {
    try addInput(named: unique(scope.isEmpty ? "noise" : scope), for: id)
    return names[id]!
  }

  // MARK: Parts

  private func unique(_ base: String) -> String {
    var (name, count) = (base, 0)
    while !usedNames.insert(name).inserted {
      count += 1
      name = "\(base)_\(count)"
    }
    return name
  }

  /// The nodes that an output depends on.
  private func liveNodes() -> [Bool] {
    var live = [Bool](repeating: false, count: graph.nodes.count)
    var needed = Set(graph.outputs.map(\.id))
    for index in graph.nodes.indices.reversed()
    where graph.nodes[index].outputs.contains(where: needed.contains) {
      live[index] = true
      needed.formUnion(graph.nodes[index].inputs)
    }
    return live
  }

  private func addInput(named name: String, for id: ValueID) throws {
    let type: ElementType = graph.type(id).dataType == .float32 ? .float : .int64
    inputs.append(ONNXValueInfo(name: name, type: type, shape: try declared(id)))
    names[id] = name
  }

  private func declared(_ id: ValueID) throws -> [ONNXValueInfo.Extent] {
    try extents(id).map { extent in
      switch extent {
      case .fixed(let count): .fixed(count)
      case .batch(let factor): .symbol(factor == 1 ? "batch" : "\(factor)*batch")
      }
    }
  }

  /// N, a row of one int64.
  private func batch() throws -> String {
    if let batchName { return batchName }
    guard let first = inputs.first(where: { $0.shape?.first == .symbol("batch") }) else {
      throw ONNXExportError(description: "no input says the batch's size")
    }
    let shape = emit("Shape", [first.name], scope: "")[0]
    let name = emit("Slice", [shape, row([0]), row([1])], scope: "")[0]
    batchName = name
    return name
  }

  private func emitConstant(_ tensor: ONNXTensor, named name: String) {
    nodes.append(
      ONNXNode(
        outputs: [name], name: name, operatorName: "Constant",
        attributes: ["value": .tensor(tensor)]))
  }

  private func constant(_ id: ValueID) throws -> String {
    // Constants are few, and each is asked for once.
    let values = [graph, other].compactMap { graph in
      graph.constants.first { $0.id == id }?.value
    }
    guard values.count == 2 else { throw ONNXExportError(description: "a constant has no value") }
    if values[0] == values[1] { return constant(values[0]) }
    // Along the batch all are the same: one is written, and repeated.
    let target = try extents(id)
    let parts = values.map { value in
      target.indices.reduce(Optional(value)) { value, axis in
        if case .batch = target[axis] { value?.single(alongAxis: axis) } else { value }
      }
    }
    guard let part = parts[0], part == parts[1] else {
      throw ONNXExportError(description: "a constant depends on the batch's size")
    }
    return emit("Expand", [constant(part), try shape(target)], scope: "")[0]
  }

  private func run(_ node: Node, _ twin: Node) throws -> [String] {
    do {
      guard let rule = ONNXExportRules.rule(for: node.operation) else {
        throw ONNXExportError(description: "has no form in ONNX's opset \(ONNXWriter.opset)")
      }
      if !rule.readsShapes, !isSame(node.operation, twin.operation) {
        throw ONNXExportError(description: "depends on the batch's size")
      }
      return try rule.body(ONNXExportCall(node, exporter: self))
    } catch let error as ONNXExportError {
      throw ONNXExportError(description: "operation \(node.label): \(error)")
    }
  }

  private func isSame(_ a: any Operation, _ b: any Operation) -> Bool {
    AnyHashable(a) == AnyHashable(b)
  }

  /// Outputs get their names, and nodes that nothing reads go.
  private func finished(named name: String) throws -> ONNXGraph {
    var renamed: [String: String] = [:]
    var outputs: [ONNXValueInfo] = []
    for (output, id) in graph.outputs {
      let value = try self.name(of: id)
      if case .node = graph[id].source, renamed[value] == nil,
        nodes.contains(where: { $0.outputs.contains(value) && $0.operatorName != "Constant" })
      {
        renamed[value] = output
      } else {
        nodes.append(
          ONNXNode(
            inputs: [value], outputs: [output], name: output, operatorName: "Identity"))
      }
      let type: ElementType = graph.type(id).dataType == .float32 ? .float : .int64
      outputs.append(ONNXValueInfo(name: output, type: type, shape: try declared(id)))
    }
    var needed = Set(outputs.map(\.name))
    var kept: [ONNXNode] = []
    for var node in nodes.reversed() {
      node.inputs = node.inputs.map { renamed[$0] ?? $0 }
      node.outputs = node.outputs.map { renamed[$0] ?? $0 }
      guard node.outputs.contains(where: needed.contains) else { continue }
      needed.formUnion(node.inputs)
      kept.append(node)
    }
    return ONNXGraph(
      name: name, nodes: kept.reversed(),
      initializers: initializers.filter { needed.contains($0.key) },
      inputs: inputs, outputs: outputs)
  }
}

extension HostTensor {
  /// The first of the slices along an axis, with an extent of 1 there, where all are the same.
  fileprivate func single(alongAxis axis: Int) -> HostTensor? {
    let inner = shape.elementCount(in: axis + 1..<shape.rank)
    let extent = shape[axis]
    let outer = shape.elementCount / (inner * extent)
    var part = shape
    part[axis] = 1
    func take<Element: Equatable>(_ values: [Element]) -> [Element]? {
      var result: [Element] = []
      for row in 0..<outer {
        let start = row * extent * inner
        for index in inner..<max(extent * inner, inner)
        where values[start + index] != values[start + index - inner] { return nil }
        result += values[start..<start + inner]
      }
      return result
    }
    switch storage {
    case .float32(let values): return take(values).map { HostTensor(part, $0) }
    case .int32(let values): return take(values).map { HostTensor(part, $0) }
    case .uint8(let values): return take(values).map { HostTensor(part, $0) }
    case .float16, .bfloat16:
      return take(floats).map { HostTensor(part, $0).cast(to: type.dataType) }
    }
  }
}

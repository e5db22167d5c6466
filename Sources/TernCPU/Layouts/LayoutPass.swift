import TernCore
import TernGraph

/// Chooses how every value is stored, and inserts ``Operations/Reorder`` nodes where two nodes disagree.
///
/// Nodes say twice what they like: from last to first, what their producers should give them, and
/// from first to last, given how their inputs are stored, what they take and give. All of it happens
/// twice, because a backward node wants what the forward pass turned out to be. A variable takes the
/// layout its first reader asks for, and keeps it for good; one that is only cast takes what its update asks
/// for.
struct LayoutPass {
  private let source: Graph
  private let context: CPUContext
  private let variableLayouts: [String: Layout]
  private var rewriter: GraphRewriter
  /// Per value of the old graph: what the nodes that read it would like best.
  private var wanted: [Layout?]
  /// The values of the new graph that are stored in further layouts, by the original.
  private var copies: [ValueID: [Layout: ValueID]] = [:]
  /// The variables whose layout is not settled yet.
  private var unsettled: Set<ValueID> = []

  init(_ graph: Graph, variableLayouts: [String: Layout], context: CPUContext) {
    source = graph
    self.context = context
    self.variableLayouts = variableLayouts
    rewriter = GraphRewriter(graph)
    wanted = [Layout?](repeating: nil, count: graph.values.count)
  }

  /// The graph with layouts.
  mutating func run() throws -> Graph {
    try collectWishes(layouts: [Layout](repeating: .dense, count: source.values.count))
    try placeNodes()
    try collectWishes(layouts: source.values.indices.map { layout(ofOld: ValueID($0)) })
    try placeNodes()
    return rewriter.finish()
  }

  /// - Parameter layouts: per value, its layout as far as it is known.
  private mutating func collectWishes(layouts: [Layout]) throws {
    for node in source.nodes.reversed() {
      let operation = try self.operation(node)
      let request = LayoutRequest(
        inputs: node.inputs.map { Operand(source.type($0), layouts[$0.index]) },
        outputs: source.types(node.outputs),
        wanted: node.outputs.map { wanted[$0.index] }, producerInputs: node.inputs.map { _ in [] },
        context: context)
      for (input, wish) in zip(node.inputs, try operation.wishes(request)) {
        // A variable is cast from any layout.
        if node.operation is Operations.Cast, source[input].source == .variable { continue }
        if let wish { wanted[input.index] = wish }
      }
    }
  }

  /// Builds the new graph.
  private mutating func placeNodes() throws {
    rewriter = GraphRewriter(source)
    copies = [:]
    unsettled = []
    for id in source.variables {
      if let layout = variableLayouts[source[id].name] {
        rewriter.setLayout(rewriter[id], layout)
      } else {
        unsettled.insert(rewriter[id])
      }
    }
    for node in source.nodes { try place(node, operation(node)) }
    // What is stored over a variable is stored as the variable is.
    for (variable, value) in source.assignments {
      let layout = rewriter.graph[rewriter[variable]].layout
      rewriter.replace(value, with: try stored(rewriter[value], layout, scope: ""))
    }
  }

  private func operation(_ node: Node) throws -> any CPUOperation {
    guard let operation = node.operation as? any CPUOperation else {
      throw TernError(.runtime, "the cpu has no kernel for \(node.label)")
    }
    return operation
  }

  private mutating func place(_ node: Node, _ operation: any CPUOperation) throws {
    let inputs = node.inputs.map { rewriter[$0] }
    if node.operation is Operations.Cast, unsettled.remove(inputs[0]) != nil {
      rewriter.setLayout(inputs[0], wanted[node.inputs[0].index] ?? .dense)
    }
    let request = LayoutRequest(
      inputs: inputs.map(operand), outputs: source.types(node.outputs),
      wanted: node.outputs.map { wanted[$0.index] }, producerInputs: inputs.map(producerInputs),
      context: context)
    let assignment = try operation.layouts(request)
    var stored: [ValueID] = []
    for (input, layout) in zip(inputs, assignment.inputs) {
      if unsettled.remove(input) != nil { rewriter.setLayout(input, layout) }
      stored.append(try self.stored(input, layout, scope: node.scope))
    }
    let outputs = rewriter.copy(node, reading: stored)
    for (output, layout) in zip(outputs, assignment.outputs) {
      rewriter.setLayout(output, layout)
    }
  }

  /// The layout that a value of the old graph has in the new one.
  private mutating func layout(ofOld id: ValueID) -> Layout {
    if case .constant = source[id].source { return .dense }
    return rewriter.graph[rewriter[id]].layout
  }

  private func operand(_ id: ValueID) -> Operand {
    Operand(rewriter.graph.type(id), rewriter.graph[id].layout)
  }

  private func producerInputs(_ id: ValueID) -> [Operand] {
    guard case .node(let index, _) = rewriter.graph[id].source else { return [] }
    let node = rewriter.graph.nodes[index]
    return node.inputs.map(operand)
  }

  /// A value of the new graph in a layout; one reorder serves all who want the same.
  private mutating func stored(_ id: ValueID, _ layout: Layout, scope: String) throws -> ValueID {
    if rewriter.graph[id].layout == layout { return id }
    if let copy = copies[id]?[layout] { return copy }
    let copy = try rewriter.append(Operations.Reorder(), [id], scope: scope)[0]
    rewriter.setLayout(copy, layout)
    copies[id, default: [:]][layout] = copy
    return copy
  }
}

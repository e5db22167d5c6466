import TernCore
import TernGraph

/// Chooses how every value is stored, and inserts ``Reorder`` nodes where two nodes disagree.
///
/// Nodes say twice what they like: from last to first, what their producers should give them, and
/// from first to last, given how their inputs are stored, what they take and give. A variable takes
/// the layout its first reader asks for, and keeps it for good.
struct LayoutPass {
  private let source: Graph
  private let context: CPUContext
  private var rewriter: GraphRewriter
  /// Per value of the old graph: what the nodes that read it would like best.
  private var wanted: [Layout?]
  /// The values of the new graph that are stored in further layouts, by the original.
  private var copies: [ValueID: [Layout: ValueID]] = [:]
  /// The variables whose layout is not settled yet.
  private var unsettled: Set<ValueID> = []

  init(_ graph: Graph, variableLayouts: [String: Layout], context: CPUContext) throws {
    source = graph
    self.context = context
    rewriter = GraphRewriter(graph)
    wanted = [Layout?](repeating: nil, count: graph.values.count)
    for id in graph.variables {
      if let layout = variableLayouts[graph[id].name] {
        rewriter.setLayout(rewriter[id], layout)
      } else {
        unsettled.insert(rewriter[id])
      }
    }
    try collectWishes()
  }

  private mutating func collectWishes() throws {
    for node in source.nodes.reversed() {
      guard let operation = node.operation as? any CPUOperation else { continue }
      let request = LayoutRequest(
        inputs: node.inputs.map { Operand(source.type($0)) }, outputs: source.types(node.outputs),
        wanted: node.outputs.map { wanted[$0.index] }, producerInputs: node.inputs.map { _ in [] },
        context: context)
      for (input, wish) in zip(node.inputs, try operation.wishes(request)) {
        if let wish { wanted[input.index] = wish }
      }
    }
  }

  /// The graph with layouts.
  mutating func run() throws -> Graph {
    for node in source.nodes {
      guard let operation = node.operation as? any CPUOperation else {
        preconditionFailure("\(node.label) was not decomposed")
      }
      try place(node, operation)
    }
    // What is stored over a variable is stored as the variable is.
    for (variable, value) in source.assignments {
      let layout = rewriter.graph[rewriter[variable]].layout
      rewriter.replace(value, with: try stored(rewriter[value], layout, scope: ""))
    }
    return rewriter.finish()
  }

  private mutating func place(_ node: Node, _ operation: any CPUOperation) throws {
    let inputs = node.inputs.map { rewriter[$0] }
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
    let copy = try rewriter.append(Reorder(), [id], scope: scope)[0]
    rewriter.setLayout(copy, layout)
    copies[id, default: [:]][layout] = copy
    return copy
  }
}

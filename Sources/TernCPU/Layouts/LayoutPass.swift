import TernCore
import TernGraph

/// Chooses how values are stored.
struct LayoutPass {
  let graph: Graph
  let variableLayouts: [String: Layout]
  let context: CPUContext

  init(_ graph: Graph, variableLayouts: [String: Layout], context: CPUContext) {
    self.graph = graph
    self.variableLayouts = variableLayouts
    self.context = context
  }

  func run() throws -> Graph { graph }
}

import TernCore
import TernGraph

/// An operation whose first output goes through a relu before it is stored.
struct Rectified<Base: RectifiableOperation>: WrappingOperation {
  let base: Base

  var wrapped: any CPUOperation { base }

  var name: String { base.name + "_relu" }
  var detail: String { base.detail }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try base.outputTypes(for: inputs)
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    base.cost(inputs: inputs, outputs: outputs)
  }

  var inPlacePairs: [InPlacePair] { base.inPlacePairs }

  func isSupported(_ inputs: [TensorType]) -> Bool { base.isSupported(inputs) }
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { try base.wishes(request) }
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment { try base.layouts(request) }
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try base.lower(node, context, rectifies: true)
  }
}

/// An operation that can rectify its output on the way.
protocol RectifiableOperation: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering
}

extension RectifiableOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try lower(node, context, rectifies: false)
  }

  fileprivate var rectified: any CPUOperation { Rectified(base: self) }
}

extension Graph {
  /// With every relu merged into the operation before it, where that can and nothing else reads
  /// what is in between.
  func fusingReLU() throws -> Graph {
    let readers = GraphReaders(self)
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      if readers.isReLU(index), let producer = readers.producer(of: node.inputs[0]),
        nodes[producer].isRectifiable, readers.onlyReader(of: node.inputs[0]) == index
      {
        rewriter.replace(node.outputs[0], with: rewriter[node.inputs[0]])
      } else if let base = node.operation as? any RectifiableOperation, node.isRectifiable,
        let reader = readers.onlyReader(of: node.outputs[0]), readers.isReLU(reader)
      {
        let outputs = try rewriter.append(
          base.rectified, node.inputs.map { rewriter[$0] }, scope: node.scope)
        for (old, new) in zip(node.outputs, outputs) { rewriter.replace(old, with: new) }
      } else {
        rewriter.copy(node)
      }
    }
    return rewriter.finish()
  }
}

extension Node {
  fileprivate var isRectifiable: Bool {
    switch operation {
    case is Operations.Conv2D, is Operations.Linear: true
    case let binary as Operations.Binary: binary.function == .add
    default: false
    }
  }
}

import CMicrokernels
import TernCore
import TernGraph

/// The gradient arriving at the input of a relu from two sides: (a + b) where the output is
/// positive, else 0. Inputs: a, b, the relu's output.
struct RectifiedSumBackward: CPUOperation {
  var name: String { "add_relu_backward" }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] { [inputs[0]] }

  var inPlacePairs: [InPlacePair] {
    [InPlacePair(output: 0, input: 0), InPlacePair(output: 0, input: 1)]
  }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(2) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: true)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].storedCount
    if node.inputs[0].type.dataType == .bfloat16 {
      return Lowering(
        workspaceByteCount: Bfloat16Blocks.workspaceByteCount(3, context.threads)
      ) { addresses in
        let (a, b, y) = (
          addresses.bfloat16Input(0), addresses.bfloat16Input(1), addresses.bfloat16Input(2)
        )
        let dx = addresses.bfloat16Output(0)
        return context.threads.bfloat16Blocks(count, 3, addresses.workspace()) {
          start, length, a1 in
          let (b1, y1) = (a1 + Bfloat16Blocks.length, a1 + 2 * Bfloat16Blocks.length)
          tern_widen_bfloat16(a + start, a1, length)
          tern_widen_bfloat16(b + start, b1, length)
          tern_widen_bfloat16(y + start, y1, length)
          Self.kernel(0..<length, a1, b1, y1, a1)
          tern_narrow_bfloat16(a1, dx + start, length)
        }
      }
    }
    return Lowering { addresses in
      let (a, b, y) = (addresses.input(0), addresses.input(1), addresses.input(2))
      let dx = addresses.output(0)
      return context.threads.elementwise(count) { Self.kernel($0, a, b, y, dx) }
    }
  }

  private static func kernel(
    _ range: Range<Int>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    _ y: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>
  ) {
    forEachLanes(in: range) { lanes in
      let sum = lanes.load(a) + lanes.load(b)
      lanes.store(sum.replacing(with: 0, where: lanes.load(y) .<= 0), dx)
    }
  }
}

extension Graph {
  /// With every relu, backward, merged into the sum before it, where nothing else reads the sum.
  func fusingReLUBackward() throws -> Graph {
    let readers = GraphReaders(self)
    /// The sum that a relu's backward node reads, if the two can be merged.
    func sum(_ index: Int) -> Int? {
      let node = nodes[index]
      guard let operation = node.operation as? Operations.UnaryBackward,
        operation.function == .relu,
        let sum = readers.producer(of: node.inputs[0]),
        (nodes[sum].operation as? Operations.Binary)?.function == .add,
        nodes[sum].inputs.allSatisfy({ type($0) == type(node.inputs[0]) }),
        readers.onlyReader(of: node.inputs[0]) == index
      else { return nil }
      return sum
    }
    let sums = nodes.indices.map(sum)
    let merged = Set(sums.compactMap(\.self))
    if merged.isEmpty { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !merged.contains(index) {
      guard let sum = sums[index] else {
        rewriter.copy(node)
        continue
      }
      let inputs = nodes[sum].inputs + [node.inputs[1]]
      let output = try rewriter.append(
        RectifiedSumBackward(), inputs.map { rewriter[$0] }, scope: node.scope)
      rewriter.replace(node.outputs[0], with: output[0])
    }
    return rewriter.finish()
  }
}

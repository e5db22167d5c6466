import TernCore
import TernGraph

/// Elementwise operations on tensors of one shape, each of which only the next ones read: computed
/// together, a block at a time, so that what is in between never leaves the cache.
struct ElementwiseChain: CPUOperation {
  /// One operation of the chain.
  struct Link: Hashable {
    let function: Function
    let operands: [Operand]
  }

  enum Function: Hashable {
    case unary(Operations.Unary.Function)
    case unaryBackward(Operations.Unary.Function)
    case binary(Operations.Binary)
  }

  /// What a link reads.
  enum Operand: Hashable {
    case input(Int)
    /// What an earlier link computed.
    case link(Int)
  }

  let inputCount: Int
  /// In the order in which they run; the last gives the output.
  let links: [Link]

  var name: String { "elementwise" }
  var detail: String { links.map(\.function.name).joined(separator: ", ") }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] { [inputs[0]] }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    .elementwise(inputs, outputs, flopsPerElement: links.count)
  }

  /// A block of the output is stored when no link reads that block of an input any more.
  var inPlacePairs: [InPlacePair] {
    (0..<inputCount).map { InPlacePair(output: 0, input: $0) }
  }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: links.allSatisfy(\.function.keepsPadding))
  }

  /// The elements of a block: with eight links in between, all are in the first-level cache.
  private static let blockLength = 512

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.outputs[0].storedCount
    let scratchLength = (links.count - 1) * Self.blockLength
    let links = links
    return Lowering(workspaceByteCount: 4 * scratchLength * context.threads.count) { addresses in
      let inputs = (0..<inputCount).map(addresses.input)
      let (output, scratch) = (addresses.output(0), addresses.workspace())
      let kernels = links.map(\.function.kernel)
      return context.threads.partitioned(
        count, grain: Threads.elementwiseGrain, alignment: 16
      ) { range, part in
        let blocks = scratch + part * scratchLength
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockLength) {
          let length = min(Self.blockLength, range.upperBound - start)
          func address(_ operand: Operand) -> UnsafePointer<Float> {
            switch operand {
            case .input(let index): inputs[index] + start
            case .link(let index): UnsafePointer(blocks + index * Self.blockLength)
            }
          }
          for index in links.indices {
            let operands = links[index].operands
            let result =
              index == links.count - 1 ? output + start : blocks + index * Self.blockLength
            switch kernels[index] {
            case .unary(let kernel): kernel(address(operands[0]), result, length)
            case .binary(let kernel):
              kernel(address(operands[0]), address(operands[1]), result, length)
            }
          }
        }
      }
    }
  }
}

extension ElementwiseChain.Function {
  /// How a node computes elements of its output from the same elements of its inputs, if it does
  /// no more than that.
  init?(_ node: Node, in graph: Graph) {
    let output = graph.type(node.outputs[0])
    guard node.inputs.allSatisfy({ graph.type($0) == output }) else { return nil }
    switch node.operation {
    case let unary as Operations.Unary: self = .unary(unary.function)
    case let backward as Operations.UnaryBackward: self = .unaryBackward(backward.function)
    case let binary as Operations.Binary: self = .binary(binary)
    default: return nil
    }
  }

  fileprivate var name: String {
    switch self {
    case .unary(let function): Operations.Unary(function).name
    case .unaryBackward(let function): Operations.UnaryBackward(function).name
    case .binary(let binary): binary.name
    }
  }

  fileprivate enum Kernel {
    case unary(UnaryKernel)
    case binary(BinaryKernel)
  }

  fileprivate var kernel: Kernel {
    switch self {
    case .unary(let function): .unary(function.kernel)
    case .unaryBackward(let function): .binary(function.backwardKernel)
    case .binary(let binary): .binary(binary.kernel)
    }
  }

  /// Whether zeros of a padded layout stay zeros.
  fileprivate var keepsPadding: Bool {
    switch self {
    case .unary(let function): function.isZeroAtZero
    case .unaryBackward(let function): function.hasFiniteDerivativeAtZero
    case .binary(let binary): binary.keepsPadding
    }
  }
}

extension Graph {
  /// With elementwise operations that feed only one another merged into chains.
  func chainingElementwise() throws -> Graph {
    let readers = GraphReaders(self)
    let functions = nodes.map { ElementwiseChain.Function($0, in: self) }
    /// The node into whose chain a node goes: its only reader.
    func successor(_ index: Int) -> Int? {
      guard functions[index] != nil, let reader = readers.onlyReader(of: nodes[index].outputs[0]),
        functions[reader] != nil
      else { return nil }
      return reader
    }
    /// Per node that ends a chain, the nodes of the chain in their order.
    var members = nodes.indices.map { [$0] }
    var isMerged = [Bool](repeating: false, count: nodes.count)
    for index in nodes.indices {
      guard let reader = successor(index),
        members[index].count + members[reader].count <= Self.longestChain
      else { continue }
      members[reader] = members[index] + members[reader]
      isMerged[index] = true
    }
    guard isMerged.contains(true) else { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !isMerged[index] {
      if members[index].count == 1 {
        rewriter.copy(node)
        continue
      }
      let (chain, inputs) = chain(of: members[index].sorted(), functions)
      let outputs = try rewriter.append(chain, inputs.map { rewriter[$0] }, scope: node.scope)
      rewriter.replace(node.outputs[0], with: outputs[0])
    }
    return rewriter.finish()
  }

  /// More links would not fit the first-level cache.
  private static let longestChain = 9

  private func chain(
    of members: [Int], _ functions: [ElementwiseChain.Function?]
  ) -> (chain: ElementwiseChain, inputs: [ValueID]) {
    var inputs: [ValueID] = []
    let positions = Dictionary(
      uniqueKeysWithValues: members.enumerated().map { (nodes[$1].outputs[0], $0) })
    let links = members.map { index in
      ElementwiseChain.Link(
        function: functions[index]!,
        operands: nodes[index].inputs.map { id in
          if let position = positions[id] { return .link(position) }
          if let known = inputs.firstIndex(of: id) { return .input(known) }
          inputs.append(id)
          return .input(inputs.count - 1)
        })
    }
    return (ElementwiseChain(inputCount: inputs.count, links: links), inputs)
  }
}

import TernCore

/// A kind of node: what it computes, on which shapes, and how it is differentiated.
///
/// An operation is a value: two nodes that compute the same thing have equal operations, which
/// makes it (with the types of its inputs) the key of every kernel cache.
public protocol Operation: Hashable, Sendable {
  /// PyTorch's functional name, such as `conv2d`; a node that only differentiation emits carries
  /// the suffix `_backward`.
  var name: String { get }

  /// The types of the outputs, or the reason why these inputs do not fit.
  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType]

  /// The gradients arriving at the inputs, given those arriving at the outputs; unless it says otherwise
  /// those of its ``decomposition(_:)``, which computes it again.
  ///
  /// - Returns: one entry per input; `nil` where nothing flows.
  func gradient(_ node: NodeGradient) throws -> [Tensor?]

  /// The arithmetic and the memory traffic of one execution.
  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost

  /// The same computation in simpler operations, for a device without a lowering of its own.
  func decomposition(_ inputs: [Tensor]) throws -> [Tensor]?

  /// Where an output may overwrite an input that nothing else reads: `(output, input)`.
  var inPlacePairs: [InPlacePair] { get }

  /// The output that is the first input seen under another shape, with no work to do.
  var isView: Bool { get }

  /// Which of its tensors are stored in 16 bits where a graph is cast; none unless it says otherwise.
  var autocastRule: AutocastRule { get }

  /// What distinguishes this node in a dump, such as `stride=[2, 2]`.
  var detail: String { get }
}

/// Tern's own operations, each a value. A graph is written down by the methods of ``Tensor``; these
/// types are what differentiation, passes and devices see of it.
package enum Operations {}

/// An output that may be stored over an input.
public struct InPlacePair: Hashable, Sendable {
  /// The position among the outputs.
  public let output: Int
  /// The position among the inputs.
  public let input: Int
  /// Whether the output must be stored over the input: a variable's update.
  public let required: Bool

  /// The output and the input at those positions.
  public init(output: Int, input: Int, required: Bool = false) {
    self.output = output
    self.input = input
    self.required = required
  }
}

/// The arithmetic of a node and the bytes it must move when nothing is cached.
public struct Cost: Hashable, Sendable {
  /// Floating-point operations; a multiplication and an addition are two.
  public var flops: Int
  /// Bytes read and written.
  public var bytes: Int

  /// A cost in operations and bytes.
  public init(flops: Int, bytes: Int) {
    self.flops = flops
    self.bytes = bytes
  }

  /// A product of extents, at most 2^58: those of one value are bounded, those of several are not.
  package static func product(_ factors: Int...) -> Int {
    factors.reduce(1) { product, factor in
      let (next, overflow) = product.multipliedReportingOverflow(by: factor)
      return overflow ? 1 << 58 : Swift.min(next, 1 << 58)
    }
  }

  /// Every input read once, every output written once, `flopsPerElement` for each output element.
  public static func elementwise(
    _ inputs: [TensorType], _ outputs: [TensorType], flopsPerElement: Int = 1
  ) -> Cost {
    Cost(
      flops: outputs.reduce(0) { $0 + $1.elementCount } * flopsPerElement,
      bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
  }
}

extension Operation {
  public func gradient(_ node: NodeGradient) throws -> [Tensor?] {
    let builder = node.inputs.first?.builder
    let start = builder?.graph.nodes.count ?? 0
    guard let builder, let outputs = try decomposition(node.inputs) else {
      throw ShapeError(name, "gradient", expected: "a differentiable operation", got: name)
    }
    let arriving = zip(outputs, node.cotangents).compactMap { output, cotangent in
      cotangent.map { (value: output, cotangent: $0) }
    }
    return try builder.gradients(of: arriving, withRespectTo: node.inputs, throughNodesFrom: start)
  }
  public func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    .elementwise(inputs, outputs)
  }
  public func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? { nil }
  public var inPlacePairs: [InPlacePair] { [] }
  public var isView: Bool { false }
  public var autocastRule: AutocastRule { .full }
  public var detail: String { "" }
}

/// What an operation sees when it is differentiated.
public struct NodeGradient {
  /// What the node reads.
  public let inputs: [Tensor]
  /// What the node computes.
  public let outputs: [Tensor]
  /// The gradients arriving at the outputs; `nil` where nothing arrives.
  public let cotangents: [Tensor?]
  /// Whether the gradient of an input is asked for.
  public let needed: [Bool]

  /// The gradient arriving at the first output.
  ///
  /// - Precondition: a node is differentiated only if a gradient arrives at one of its outputs;
  ///   for an operation with one differentiable output it is this one.
  public var cotangent: Tensor { cotangents[0]! }

  /// Calls `make` where the gradient of input `index` is asked for.
  public func ifNeeded(_ index: Int, _ make: () throws -> Tensor) rethrows -> Tensor? {
    needed[index] ? try make() : nil
  }
}

// MARK: - Checks shared by the operations

extension Operation {
  func expect(
    _ condition: Bool, _ subject: String, _ expected: @autoclosure () -> String,
    _ got: @autoclosure () -> String
  ) throws(ShapeError) {
    if !condition { throw ShapeError(name, subject, expected: expected(), got: got()) }
  }

  func expectCount(_ inputs: [TensorType], _ range: ClosedRange<Int>) throws(ShapeError) {
    try expect(
      range.contains(inputs.count), "inputs",
      range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)",
      "\(inputs.count)")
  }

  func expectFloat(_ input: TensorType, _ subject: String) throws(ShapeError) {
    try expect(input.dataType.isFloat, subject, "float32", "\(input.dataType)")
  }

  /// Nothing is converted unasked: ``Operations/Cast`` does it.
  func expectSameType(
    _ input: TensorType, _ other: TensorType, _ subject: String
  ) throws(ShapeError) {
    try expect(
      input.dataType == other.dataType, subject, "\(other.dataType)", "\(input.dataType)")
  }

  func expectInteger(_ input: TensorType, _ subject: String) throws(ShapeError) {
    try expect(input.dataType == .int32, subject, "int32", "\(input.dataType)")
  }

  func expectRank(_ input: TensorType, _ rank: Int, _ subject: String, _ form: String)
    throws(ShapeError)
  {
    try expect(input.shape.rank == rank, subject, "shape \(form)", "\(input.shape)")
  }

  func expectShape(_ input: TensorType, _ shape: Shape, _ subject: String) throws(ShapeError) {
    try expect(input.shape == shape, subject, "shape \(shape)", "\(input.shape)")
  }
}

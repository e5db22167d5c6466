import Synchronization
import TernCore
import TernGraph
import TernRuntime

/// Runs a node whose arguments are set. Allocates nothing.
typealias Step = () throws -> Void

/// A value as a node sees it: what it is and how it is stored.
struct Operand: Hashable {
  let type: TensorType
  let layout: Layout

  init(_ type: TensorType, _ layout: Layout = .dense) {
    self.type = type
    self.layout = layout
  }

  var shape: Shape { type.shape }
  var elementCount: Int { type.elementCount }

  /// The number of elements in memory, padding included.
  var storedCount: Int {
    switch layout {
    case .dense: type.elementCount
    case .blocked(_, let elementCount, _): elementCount
    }
  }

  /// Whether the memory holds elements beyond the tensor's own; they are zero.
  var isPadded: Bool { storedCount != elementCount }
}

/// The values around a node.
struct Signature {
  let inputs: [Operand]
  let outputs: [Operand]
}

/// Where a node's values live.
struct Addresses {
  let inputs: [UnsafeMutableRawPointer]
  let outputs: [UnsafeMutableRawPointer]
  let workspace: UnsafeMutableRawPointer?

  func input(_ index: Int) -> UnsafePointer<Float> {
    UnsafePointer(inputs[index].assumingMemoryBound(to: Float.self))
  }
  func integerInput(_ index: Int) -> UnsafePointer<Int32> {
    UnsafePointer(inputs[index].assumingMemoryBound(to: Int32.self))
  }
  func output(_ index: Int) -> UnsafeMutablePointer<Float> {
    outputs[index].assumingMemoryBound(to: Float.self)
  }
  func bfloat16Input(_ index: Int) -> UnsafePointer<UInt16> {
    UnsafePointer(inputs[index].assumingMemoryBound(to: UInt16.self))
  }
  func bfloat16Output(_ index: Int) -> UnsafeMutablePointer<UInt16> {
    outputs[index].assumingMemoryBound(to: UInt16.self)
  }
  func integerOutput(_ index: Int) -> UnsafeMutablePointer<Int32> {
    outputs[index].assumingMemoryBound(to: Int32.self)
  }
  /// The workspace from `byteOffset` on, as floats.
  func workspace(at byteOffset: Int = 0) -> UnsafeMutablePointer<Float> {
    (workspace! + byteOffset).assumingMemoryBound(to: Float.self)
  }
}

/// A node prepared as far as is possible without knowing where its values live.
struct Lowering {
  /// The scratch memory the node needs while it runs.
  var workspaceByteCount = 0
  /// What runs the node: a primitive of oneDNN, or Tern's own loop.
  var implementation: String
  /// Sets the arguments.
  let bind: (Addresses) throws -> Step

  init(
    workspaceByteCount: Int = 0, implementation: String = "tern",
    _ bind: @escaping (Addresses) throws -> Step
  ) {
    self.workspaceByteCount = workspaceByteCount
    self.implementation = implementation
    self.bind = bind
  }
}

extension Lowering {
  /// A candidate as profiles name it, with the routine of a library that it calls.
  static func name(_ candidate: String, calling routine: String) -> String {
    "\(candidate) (\(routine))"
  }

  /// The same lowering, under the name of a candidate.
  func named(_ candidate: String) -> Lowering {
    var copy = self
    copy.implementation = Self.name(candidate, calling: implementation)
    return copy
  }
}

/// An operation with a lowering for the CPU.
protocol CPUOperation: Operation {
  /// Whether the lowering covers these inputs, of float32 and int32.
  func isSupported(_ inputs: [TensorType]) -> Bool

  /// Whether the lowering covers these inputs, of which some are of bfloat16 and none of float16 or uint8.
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool

  /// Per input, the layout the node would like its producer to choose; `nil` where it does not
  /// care. Asked from the last node to the first, before any layout is settled.
  func wishes(_ request: LayoutRequest) throws -> [Layout?]

  /// The layouts in which the node takes its inputs and gives its outputs. Dense by default.
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment

  /// Chooses an algorithm for a node whose layouts ``layouts(_:)`` agreed to.
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering
}

extension CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { true }
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { false }

  /// Whether the processor runs the operation on these inputs.
  func covers(_ inputs: [TensorType]) -> Bool {
    let types = Set(inputs.map(\.dataType))
    if self is Operations.Cast { return true }
    if types.contains(.float16) || types.contains(.uint8) { return false }
    guard types.contains(.bfloat16) else { return isSupported(inputs) }
    return CPUBackend.hasKernels(for: .bf16) && isSupportedInBfloat16(inputs)
  }
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.inputs.map { _ in nil } }
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment { .dense(request) }
}

/// What lowerings share: oneDNN's engine, the threads, and the formats in use.
final class CPUContext: Sendable {
  let engine: Engine
  let threads: Threads
  let layouts: LayoutTable
  /// How convolutions are computed, where it is not chosen per shape.
  let algorithm: ConvolutionAlgorithm?
  /// Which of several implementations runs a problem.
  let candidates: CandidateRegistry
  /// The updates that were planned, by their problems; see ``UpdateByProduct``.
  let updates = Mutex<[String: UpdateProblem]>([:])

  init(threads: Threads, algorithm: ConvolutionAlgorithm? = nil, candidates: CandidateRegistry)
    throws
  {
    engine = try Engine()
    self.threads = threads
    self.algorithm = algorithm
    self.candidates = candidates
    layouts = LayoutTable()
  }

  /// The format of a value.
  func descriptor(_ operand: Operand) throws -> MemoryDescriptor {
    switch operand.layout {
    case .dense: try MemoryDescriptor(dense: operand.type)
    case .blocked(let id, _, _): layouts[id].with(operand.type.dataType)
    }
  }

  /// Prepares a primitive whose arguments are inputs and outputs of the node, by position.
  func lowering(
    of descriptor: PrimitiveDescriptor, inputs: [(PrimitiveArgument, Int)],
    outputs: [(PrimitiveArgument, Int)]
  ) -> Lowering {
    Lowering(
      workspaceByteCount: descriptor.scratchpadByteCount,
      implementation: descriptor.implementation
    ) { addresses in
      let primitive = try Primitive(
        descriptor,
        inputs.map { ($0.0, addresses.inputs[$0.1]) }
          + outputs.map { ($0.0, addresses.outputs[$0.1]) },
        scratchpad: addresses.workspace)
      return { try primitive.execute() }
    }
  }
}

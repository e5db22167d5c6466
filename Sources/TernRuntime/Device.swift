import TernCore
import TernGraph

/// What a user wants to know of a device before choosing it.
public struct DeviceInfo: Hashable, Sendable {
  /// What kind of processor it is.
  public enum Kind: String, Hashable, Sendable { case cpu, gpu, accelerator }

  /// How `--device` names it: `reference`, `cpu`, `opencl:0.0`, `opencl:0.0/many-threads`.
  public private(set) var id: String
  /// The backend: `reference`, `cpu` or `opencl`.
  public let backend: String
  /// The name its driver gives.
  public let name: String
  /// What kind of processor it is.
  public let kind: Kind
  /// Its cores, or what OpenCL counts as compute units.
  public private(set) var computeUnits: Int
  /// In bytes.
  public let memoryByteCount: Int
  /// The last level of cache, in bytes; 0 where it is not known.
  public let cacheByteCount: Int
  /// The driver or library, and its version.
  public let driver: String
  /// Whether its memory is the host's: so for CPUs, and for GPUs on the processor's chip.
  public let sharesHostMemory: Bool
  /// Whether the driver is that of the device's maker, where several have one for the device.
  public let isMakersDriver: Bool
  /// In what the device is to be treated otherwise than its driver says; see ``Backend/traits``.
  public private(set) var traits: [String] = []

  package init(
    id: String, backend: String, name: String, kind: Kind, computeUnits: Int,
    memoryByteCount: Int, cacheByteCount: Int = 0, driver: String, sharesHostMemory: Bool? = nil,
    isMakersDriver: Bool = true
  ) {
    self.id = id
    self.backend = backend
    self.name = name
    self.kind = kind
    self.computeUnits = computeUnits
    self.memoryByteCount = memoryByteCount
    self.cacheByteCount = cacheByteCount
    self.driver = driver
    self.sharesHostMemory = sharesHostMemory ?? (kind == .cpu)
    self.isMakersDriver = isMakersDriver
  }

  /// The same device with another number of compute units, for plans that are not run.
  package func with(computeUnits: Int) -> DeviceInfo {
    var info = self
    info.computeUnits = computeUnits
    return info
  }

  /// The same device, treated otherwise.
  func with(_ traits: [String]) -> DeviceInfo {
    var info = self
    info.id = ([id] + traits).joined(separator: "/")
    info.traits = self.traits + traits
    return info
  }
}

/// A stretch of memory on a device; freed with the last reference.
public protocol DeviceBuffer: AnyObject, Sendable {
  /// Its size in bytes.
  var byteCount: Int { get }
}

/// Something that runs graphs: it stores tensors, says which nodes it can run, and turns a plan into
/// steps with all arguments set.
public protocol Device: AnyObject, Sendable {
  /// What a user wants to know of it.
  var info: DeviceInfo { get }

  /// What the device was opened with; of what was left to it, what it chose.
  var options: DeviceOptions { get }

  /// Whether allocations come out of the memory of the process.
  var usesHostMemory: Bool { get }

  /// The largest single allocation, in bytes.
  var maximumAllocationByteCount: Int { get }

  /// What the operands of matrix products and convolutions may be rounded to.
  var precision: Precision { get }

  /// The type of 16 bits in which activations and their gradients are stored; `nil` where all is float32.
  var autocastType: DataType? { get }

  /// Whether operations without kernels for ``autocastType`` compute in float32 and store their results in it; they
  /// stay float32 where not.
  var storesAllByAutocast: Bool { get }

  /// The ways to compute a convolution that may be asked for; empty where there is one alone.
  var algorithms: [ConvolutionAlgorithm] { get }

  /// Whether a step that was started goes on while the host does other things.
  var isAsynchronous: Bool { get }

  /// How many buffers were allocated so far; tests prove by it that steps allocate nothing.
  var allocationCount: Int { get }

  /// Whether the device has a lowering of its own for a node on dense values.
  func supports(_ operation: any Operation, inputs: [TensorType]) -> Bool

  /// The graph with nodes merged into operations that the device computes in one, and swapped where that
  /// costs less. Every operation that it puts in is one that the device supports.
  func fusing(_ graph: Graph) throws -> Graph

  /// Chooses the layouts of values, and inserts ``Operations/Reorder`` nodes where two disagree.
  ///
  /// - Parameter variableLayouts: the layouts of variables that already exist on the device.
  func assignLayouts(_ graph: Graph, variableLayouts: [String: Layout]) throws -> Graph

  /// The scratch memory a node needs while it runs, in bytes.
  func workspaceByteCount(of node: Node, in graph: Graph) throws -> Int

  /// Fresh memory of undefined content.
  func allocate(byteCount: Int) throws -> any DeviceBuffer

  /// Fresh memory that is all zeros.
  func allocateZeros(byteCount: Int) throws -> any DeviceBuffer

  /// Copies a tensor to the start of a buffer, in `layout`. Returns when the copy is done.
  func write(_ tensor: HostTensor, to buffer: any DeviceBuffer, layout: Layout) throws

  /// Copies a tensor from a buffer, after all work enqueued before.
  func read(_ type: TensorType, from buffer: any DeviceBuffer, offset: Int, layout: Layout) throws
    -> HostTensor

  /// Waits for all work enqueued so far.
  func synchronize() throws

  /// Measures the best the device reaches; takes about a second.
  func measurePeak() throws -> DevicePeak

  /// Chooses an algorithm for every node, compiles, and sets all arguments.
  func bind(_ plan: Plan, to memory: PlanMemory) throws -> any BoundPlan
}

extension Device {
  public var options: DeviceOptions { DeviceOptions() }
  public var algorithms: [ConvolutionAlgorithm] { ConvolutionAlgorithm.allCases }

  public var precision: Precision { .fp32 }
  public var autocastType: DataType? { nil }
  public var storesAllByAutocast: Bool { false }
  public var isAsynchronous: Bool { false }
  public func fusing(_ graph: Graph) throws -> Graph { graph }
  public func assignLayouts(_ graph: Graph, variableLayouts: [String: Layout]) throws -> Graph {
    graph
  }
  public func workspaceByteCount(of node: Node, in graph: Graph) throws -> Int { 0 }
  public func allocateZeros(byteCount: Int) throws -> any DeviceBuffer {
    let buffer = try allocate(byteCount: byteCount)
    let zeros = HostTensor(repeating: 0, [(byteCount + 3) / 4])
    try write(zeros, to: buffer, layout: .dense)
    return buffer
  }
  public func synchronize() throws {}
  public var usesHostMemory: Bool { info.kind == .cpu }
}

/// The buffers that a plan's regions stand for.
public struct PlanMemory: Sendable {
  package let arenas: [any DeviceBuffer]
  package let variables: [any DeviceBuffer]
  package let inputs: [any DeviceBuffer]
  package let constants: [any DeviceBuffer]

  package init(
    arenas: [any DeviceBuffer], variables: [any DeviceBuffer], inputs: [any DeviceBuffer],
    constants: [any DeviceBuffer]
  ) {
    self.arenas = arenas
    self.variables = variables
    self.inputs = inputs
    self.constants = constants
  }

  package subscript(region: Plan.Location.Region) -> any DeviceBuffer {
    switch region {
    case .arena(let index): arenas[index]
    case .variable(let index): variables[index]
    case .input(let index): inputs[index]
    case .constant(let index): constants[index]
    }
  }
}

/// Thrown by ``Device/bind(_:to:)`` where the device found, while binding, that what it had planned
/// does not run on it: it plans otherwise from then on.
package struct PlanOutdated: Error {
  package init() {}
}

/// A plan with all arguments set, ready to be replayed.
public protocol BoundPlan: AnyObject {
  /// What runs each step, in plan order: the kernel, primitive or routine, and the algorithm where
  /// there are several (`winograd`, `implicit-gemm 64x64x16`).
  var implementations: [String] { get }

  /// What a step hands to the device: kernels, copies, calls of libraries, or nodes where a device does
  /// not tell them apart.
  var launchCount: Int { get }

  /// Hands over the next step's value of an input. The bytes are the caller's again on return;
  /// the transfer may still be under way.
  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws

  /// Starts every step in order. Allocates nothing and does not wait.
  func replay() throws

  /// Prepares to read values while a step goes on; allocates what that takes.
  func stream(_ ids: [ValueID], of graph: Graph) throws -> any StreamedOutputs

  /// Starts every step in order as ``replay()`` does. `started` is called with the place of a streamed value behind
  /// the start of the node that computes it.
  func replay(
    streaming outputs: any StreamedOutputs, _ started: (_ index: Int) throws -> Void
  ) throws

  /// Where in the host's memory an input is read; `nil` where the device has it elsewhere.
  func hostMemory(ofInput index: Int) -> UnsafeMutableRawBufferPointer?

  /// Starts reading a value as it is after the work enqueued so far.
  func startReading(_ id: ValueID) throws -> any PendingRead

  /// Waits for all work enqueued so far.
  func synchronize() throws

  /// Runs every step once by itself and returns the seconds each took, in plan order.
  func profile() throws -> [Double]
}

extension BoundPlan {
  public var launchCount: Int { implementations.count }
  public var implementations: [String] { [] }
}

/// A value on its way to the host.
public protocol PendingRead: AnyObject {
  /// Whether the value has arrived, so that ``wait()`` does not wait.
  var isComplete: Bool { get }
  /// Waits for the value.
  func wait() throws -> HostTensor
}

/// A read that needed no waiting.
package final class CompletedRead: PendingRead {
  private let value: HostTensor
  package init(_ value: HostTensor) { self.value = value }
  package var isComplete: Bool { true }
  package func wait() -> HostTensor { value }
}

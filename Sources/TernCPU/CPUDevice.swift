import CMicrokernels
import Foundation
import Synchronization
import TernCore
import TernGraph
import TernRuntime

/// The processor as a device. Work is done by the time a call returns.
final class CPUDevice: Device {
  let info: DeviceInfo
  let options: DeviceOptions
  let context: CPUContext
  private let allocations = Mutex(0)

  /// - Parameter cache: where tuning results are kept.
  init(info: DeviceInfo, options: DeviceOptions, cache: CacheDirectory?) throws {
    self.info = info
    let threads = Threads(count: options.threads)
    // With fewer threads than were asked for nobody would know why it is slow.
    try BackgroundThread.checkAvailable(threads.count - 1, for: "the CPU's team")
    let vectors = tern_has_avx512() ? "avx512" : "vectors"
    let table = TuningTable(
      cache,
      TuningTable.Identity(
        device: info.name, driver: info.driver,
        architecture: "\(vectors) \(threads.count) threads", family: "cpu"),
      systemDirectories: CacheDirectory.system(), warn: CacheDirectory.warn)
    context = try CPUContext(
      threads: threads, algorithm: options.algorithm,
      candidates: CandidateRegistry(table, options.candidates))
    var options = options
    options.threads = context.threads.count
    self.options = options
  }

  var maximumAllocationByteCount: Int { info.memoryByteCount }

  var allocationCount: Int { allocations.withLock { $0 } }

  func supports(_ operation: any TernGraph.Operation, inputs: [TensorType]) -> Bool {
    (operation as? any CPUOperation)?.covers(inputs) ?? false
  }

  var precision: Precision { options.precision }
  var autocastType: DataType? { precision.halfType }
  /// Of float16, and of bfloat16 without the instructions for it, the processor has storage alone.
  var storesAllByAutocast: Bool { !CPUBackend.hasKernels(for: precision) }

  func fusing(_ graph: Graph) throws -> Graph {
    try context.threads.activate()
    return try graph.fusedForCPU(context)
  }

  func assignLayouts(_ graph: Graph, variableLayouts: [String: Layout]) throws -> Graph {
    try context.threads.activate()
    var pass = LayoutPass(graph, variableLayouts: variableLayouts, context: context)
    return try pass.run()
  }

  func workspaceByteCount(of node: Node, in graph: Graph) throws -> Int {
    try context.threads.activate()
    return try context.lower(node, in: graph).workspaceByteCount
  }

  func allocate(byteCount: Int) throws -> any DeviceBuffer {
    allocations.withLock { $0 += 1 }
    return try CPUBuffer(byteCount: byteCount)
  }

  func allocateZeros(byteCount: Int) throws -> any DeviceBuffer {
    allocations.withLock { $0 += 1 }
    return try CPUBuffer(byteCount: byteCount, isZero: true)
  }

  func write(_ tensor: HostTensor, to buffer: any DeviceBuffer, layout: Layout) throws {
    let destination = (buffer as! CPUBuffer).address
    try tensor.withUnsafeBytes { bytes in
      guard layout != .dense else {
        destination.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        return
      }
      try context.reorder(
        Operand(tensor.type), UnsafeMutableRawPointer(mutating: bytes.baseAddress!),
        to: Operand(tensor.type, layout), destination)
    }
  }

  func read(
    _ type: TensorType, from buffer: any DeviceBuffer, offset: Int, layout: Layout
  ) throws -> HostTensor {
    let source = (buffer as! CPUBuffer).address + offset
    return try HostTensor(type) { bytes in
      guard layout != .dense else {
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: source, count: bytes.count))
        return
      }
      try context.reorder(
        Operand(type, layout), source, to: Operand(type), bytes.baseAddress!)
    }
  }

  func bind(_ plan: Plan, to memory: PlanMemory) throws -> any BoundPlan {
    try context.threads.activate()
    return try CPUBoundPlan(plan, memory, self)
  }
}

extension CPUContext {
  /// Prepares a node.
  func lower(_ node: Node, in graph: Graph) throws -> Lowering {
    guard let operation = node.operation as? any CPUOperation else {
      throw TernError(.runtime, "the cpu has no kernel for \(node.label)")
    }
    func operands(_ ids: [ValueID]) -> [Operand] {
      ids.map { Operand(graph[$0].type, graph[$0].layout) }
    }
    let signature = Signature(inputs: operands(node.inputs), outputs: operands(node.outputs))
    do {
      return try operation.lower(signature, self)
    } catch let error as TernError {
      throw TernError(error.kind, "\(node.label): \(error.message)")
    }
  }

  /// Copies a tensor from one layout to another.
  func reorder(
    _ source: Operand, _ from: UnsafeMutableRawPointer, to destination: Operand,
    _ target: UnsafeMutableRawPointer
  ) throws {
    try threads.activate()
    let lowering = try Operations.Reorder().lower(
      Signature(inputs: [source], outputs: [destination]), self)
    let workspace = try CPUBuffer(byteCount: lowering.workspaceByteCount)
    try withExtendedLifetime(workspace) {
      let addresses = Addresses(
        inputs: [from], outputs: [target], workspace: workspace.address)
      try lowering.bind(addresses)()
    }
  }
}

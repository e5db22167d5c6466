import COpenCL
import Synchronization
import TernCore
import TernGraph
import TernRuntime

/// An OpenCL device: one context and an in-order queue.
package final class OpenCLDevice: Device {
  let device: CLDevice
  let context: Context
  let computeQueue: Queue
  /// Brings large inputs to the device while it computes; `nil` where that is of no use.
  let uploadQueue: Queue?
  /// Host memory for small results.
  let readMemory: PinnedMemory.Pool
  let programs: ProgramCache
  package let info: DeviceInfo
  let architecture: Architecture
  package let limits: DeviceLimits
  package let options: DeviceOptions
  /// What multiplies operands of fewer bits than float32.
  let tensorCores: TensorCores
  /// By which steps are recorded; `nil` where they are not.
  let commandBuffers: CommandBufferCalls?
  /// Which of several implementations runs a problem.
  package let candidates: CandidateRegistry
  /// By how many units work is cut.
  let multiprocessors: Int
  /// The work-items that keep the device busy.
  let busyItemCount: Int

  /// Whether the device turned out to have no room for CLBlast.
  private let lacksLibrary = Mutex(false)

  private let scratch = Mutex<OpenCLBuffer?>(nil)
  private let tables = Mutex<[String: WeakBuffer]>([:])
  private let allocations = Atomic(0)
  private let events = Atomic(0)
  private let waits = Atomic(0)

  /// - Parameter sharesContext: whether it has the context and the kernels of others that the process has opened.
  /// - Throws: ``TernError`` where the device lacks what the options ask for.
  init(
    _ device: CLDevice, _ info: DeviceInfo, options: DeviceOptions, traits: DeviceTraits,
    cache: CacheDirectory?, sharesContext: Bool
  ) throws {
    self.device = device
    self.info = traits.computeUnits.map { info.with(computeUnits: $0) } ?? info
    self.options = options
    tensorCores = traits.emulatesTensorCores ? .emulated : TensorCores(device)
    commandBuffers = traits.recordsSteps ? CommandBufferCalls(device) : nil
    if options.precision == .tf32 { try tensorCores.check(options.precision, on: info) }
    architecture = traits.architecture(device)
    limits = try DeviceLimits(device, info, traits)
    multiprocessors =
      traits.computeUnits ?? Multiprocessors.count(device, units: info.computeUnits)
    busyItemCount = architecture.busyItemCount(multiprocessors: multiprocessors)
    let storesBinaries = traits.storesPrograms || !device.cachesPrograms
    let shared = try (sharesContext ? SharedContext.kept : SharedContext.init)(
      device, traits.sourcePrefix, cache, storesBinaries)
    (context, programs) = (shared.context, shared.programs)
    computeQueue = try Queue(context, device: device.handle)
    // Copies take a while only where they cross to a device with memory of its own.
    let copies = traits.hasUploadQueue || info.kind == .gpu && !info.sharesHostMemory
    uploadQueue = copies ? try Queue(context, device: device.handle) : nil
    readMemory = PinnedMemory.Pool(context, computeQueue)
    candidates = CandidateRegistry(
      TuningTable(
        cache,
        .init(
          device: info.name, driver: device.string(CL_DEVICE_VERSION) + " " + info.driver,
          architecture: "\(architecture)"
            + (options.precision == .fp32 ? "" : " \(options.precision.rawValue)"),
          family: device.family),
        systemDirectories: CacheDirectory.system(), warn: CacheDirectory.warn),
      options.candidates)
    if multipliesOnTensorCores { try checkTensorCores() }
  }

  package var maximumAllocationByteCount: Int { limits.allocationByteCount }

  /// The work-items that share a row.
  var rowGroup: Int { limits.group(upTo: architecture.rowGroup) }

  var isNVIDIA: Bool { device.string(CL_DEVICE_VENDOR).contains("NVIDIA") }

  func hasExtension(_ name: String) -> Bool {
    device.string(CL_DEVICE_EXTENSIONS).split(separator: " ").contains { $0 == name }
  }

  package var precision: Precision { options.precision }
  package var autocastType: DataType? { precision.halfType }

  /// Whether steps are recorded: asked for, and the driver can.
  package var recordsSteps: Bool { commandBuffers != nil }

  /// How many programs were on the disk already.
  package var loadedProgramCount: Int { programs.loadCount }

  package var isAsynchronous: Bool { true }

  package var allocationCount: Int { allocations.load(ordering: .relaxed) }
  /// How many events were created so far.
  package var eventCount: Int { events.load(ordering: .relaxed) }
  /// How often the host has waited for the device so far.
  package var waitCount: Int { waits.load(ordering: .relaxed) }

  func countEvent() { events.add(1, ordering: .relaxed) }
  func countWait() { waits.add(1, ordering: .relaxed) }

  package func supports(_ operation: any Operation, inputs: [TensorType]) -> Bool {
    guard let operation = operation as? any OpenCLOperation else { return false }
    let types = Set(inputs.map(\.dataType))
    if operation is Operations.Cast || operation is Operations.PixelValues { return true }
    if types.contains(.uint8) { return false }
    return types.isSubset(of: [.float32, .int32]) || operation.storesHalves(inputs)
  }

  package func fusing(_ graph: Graph) throws -> Graph {
    let fused = try graph.joiningSummedProducts().movingReLUBehindMaxPool(asOne: true)
      .fusingBatchNorm()
    // Only tiles take epilogues along.
    let finished =
      architecture == .manyThreads
      ? try fused.joiningBiasGradients().fusingEpilogues().fusingCrossEntropyBackward()
        .joiningCrossEntropyAndGradient(maximumRows: 1 << 14) : fused
    return try finished.scalingGradientsInUpdates { _, _, _ in true }.takingPartsFirst()
      .chainingElementwise(.openCL)
  }

  package func workspaceByteCount(of node: Node, in graph: Graph) throws -> Int {
    guard let operation = node.operation as? any OpenCLOperation else { return 0 }
    return try operation.workspaceByteCount(
      inputs: graph.types(node.inputs), outputs: graph.types(node.outputs), on: self)
  }

  package func allocate(byteCount: Int) throws -> any DeviceBuffer {
    guard byteCount <= maximumAllocationByteCount else {
      throw TernError(
        .runtime,
        "\(byteCount) bytes exceed the largest allocation of \(info.id), "
          + "\(maximumAllocationByteCount) bytes; try a smaller batch size")
    }
    allocations.add(1, ordering: .relaxed)
    return try OpenCLBuffer(context, byteCount: byteCount)
  }

  /// The one buffer that all matrix products share for padded copies of their operands; steps run
  /// one after the other. A larger one replaces it for the products bound from then on.
  func gemmScratch(byteCount: Int) throws -> OpenCLBuffer {
    try scratch.withLock { scratch in
      if let scratch, scratch.byteCount >= byteCount { return scratch }
      allocations.add(1, ordering: .relaxed)
      let buffer = try OpenCLBuffer(context, byteCount: max(byteCount, 1 << 16))
      scratch = buffer
      return buffer
    }
  }

  /// Integers on the device that never change, by what they are of: all launches share them, and they go
  /// with the last.
  func table(_ key: String, _ make: () -> [Int32]) throws -> OpenCLBuffer {
    try tables.withLock { tables in
      if let buffer = tables[key]?.buffer { return buffer }
      let values = make()
      let buffer = try OpenCLBuffer(context, byteCount: 4 * values.count)
      allocations.add(1, ordering: .relaxed)
      countWait()
      try values.withUnsafeBytes { bytes in
        try check(
          clEnqueueWriteBuffer(
            computeQueue.handle, buffer.handle, cl_bool(CL_TRUE), 0, bytes.count,
            bytes.baseAddress, 0, nil, nil), "clEnqueueWriteBuffer")
      }
      tables = tables.filter { $1.buffer != nil }
      tables[key] = WeakBuffer(buffer: buffer)
      return buffer
    }
  }

  package func write(_ tensor: HostTensor, to buffer: any DeviceBuffer, layout: Layout) throws {
    try tensor.withUnsafeBytes { bytes in
      countWait()
      try check(
        clEnqueueWriteBuffer(
          computeQueue.handle, buffer.memory, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress,
          0, nil, nil), "clEnqueueWriteBuffer")
    }
  }

  package func read(
    _ type: TensorType, from buffer: any DeviceBuffer, offset: Int, layout: Layout
  ) throws -> HostTensor {
    try HostTensor(type) { bytes in
      countWait()
      try check(
        clEnqueueReadBuffer(
          computeQueue.handle, buffer.memory, cl_bool(CL_TRUE), offset, bytes.count,
          bytes.baseAddress, 0, nil, nil), "clEnqueueReadBuffer")
    }
  }

  package func synchronize() throws {
    countWait()
    try check(clFinish(computeQueue.handle), "clFinish")
  }

  /// Whether the device has room for CLBlast's kernels, as far as is known.
  var hasLibrary: Bool { limits.hasLibrary && lacksLibrary.withLock { !$0 } }

  /// Notes that an implementation does not fit.
  ///
  /// - Returns: what to throw: that the plan is to be made anew, or what is wrong where there is no other.
  func passOver(_ choice: PendingLaunch.Choice, _ misfit: DoesNotFit) -> any Error {
    if choice.isOnly { return TernError(.runtime, "\(choice.problem): \(misfit.message)") }
    candidates.passOver(choice.implementation, choice.problem)
    if misfit.isLibrary { lacksLibrary.withLock { $0 = true } }
    return PlanOutdated()
  }

  package func bind(_ plan: Plan, to memory: PlanMemory) throws -> any BoundPlan {
    do {
      return try OpenCLBoundPlan(plan, memory, on: self)
    } catch let misfit as DoesNotFit {
      throw TernError(.runtime, misfit.message)
    }
  }
}

private struct WeakBuffer: Sendable {
  weak var buffer: OpenCLBuffer?
}

/// A stretch of global memory.
final class OpenCLBuffer: DeviceBuffer, @unchecked Sendable {
  let byteCount: Int
  let handle: cl_mem

  init(_ context: Context, byteCount: Int) throws {
    self.byteCount = byteCount
    handle = try created("clCreateBuffer") {
      clCreateBuffer(
        context.handle, cl_mem_flags(CL_MEM_READ_WRITE), max(byteCount, 4), nil, &$0)
    }
  }

  deinit { clReleaseMemObject(handle) }
}

extension DeviceBuffer {
  /// - Precondition: a buffer of an OpenCL device.
  var memory: cl_mem {
    guard let buffer = self as? OpenCLBuffer else {
      preconditionFailure("a buffer of another device")
    }
    return buffer.handle
  }
}

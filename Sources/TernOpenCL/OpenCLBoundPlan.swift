import COpenCL
import Foundation
import TernCore
import TernGraph
import TernRuntime

/// A plan on an OpenCL device: every step's launches, with all arguments set.
///
/// Inputs are double buffered: the host writes one of two staging buffers on the transfer queue,
/// while the compute queue may still read the other; a step then copies the staged bytes to where
/// the kernels expect them.
final class OpenCLBoundPlan: BoundPlan {
  private let plan: Plan
  private let device: OpenCLDevice
  private let memory: PlanMemory
  /// Per node of the plan's order.
  private let steps: [[any Launch]]
  private let inputs: [StagedInput]

  init(_ plan: Plan, _ memory: PlanMemory, on device: OpenCLDevice) throws {
    self.plan = plan
    self.device = device
    self.memory = memory
    let graph = plan.graph
    func view(_ location: Plan.Location, _ type: TensorType) -> View {
      View(
        memory: memory[location.region].memory, offset: location.offset / type.dataType.byteCount,
        type: type)
    }
    func view(_ id: ValueID) -> View { view(plan.location(id), graph.type(id)) }
    steps = try plan.order.map { index in
      let node = graph.nodes[index]
      guard let operation = node.operation as? any OpenCLOperation else {
        throw TernError(.runtime, "the device has no kernel for \(node.label)")
      }
      let size = operation.workspaceByteCount(
        inputs: graph.types(node.inputs), outputs: graph.types(node.outputs), on: device)
      let encoder = StepEncoder(
        device: device,
        workspace: plan.workspaces[index].map { view($0, TensorType([size / 4])) })
      try operation.encode(node.inputs.map(view), node.outputs.map(view), in: encoder)
      return encoder.launches
    }
    inputs = try zip(graph.inputs, memory.inputs).map { id, buffer in
      try StagedInput(graph.type(id), destination: buffer, device: device)
    }
    try check(clFinish(device.computeQueue.handle), "clFinish")
  }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    try inputs[index].write(bytes)
  }

  func replay() throws {
    let queue = device.computeQueue.handle
    for input in inputs { try input.deliver() }
    for step in steps {
      for launch in step { try launch.enqueue(queue) }
    }
    try check(clFlush(queue), "clFlush")
  }

  func startReading(_ id: ValueID) throws -> any PendingRead {
    let location = plan.location(id)
    return try OpenCLRead(
      plan.graph.type(id), from: memory[location.region].memory, offset: location.offset,
      device: device)
  }

  func synchronize() throws { try device.synchronize() }

  func profile() throws -> [Double] {
    let queue = device.computeQueue.handle
    for input in inputs { try input.deliver() }
    try device.synchronize()
    let clock = ContinuousClock()
    return try steps.map { step in
      let start = clock.now
      for launch in step { try launch.enqueue(queue) }
      try device.synchronize()
      return (clock.now - start) / .seconds(1)
    }
  }
}

/// An input on its way: two host slots, two staging buffers, one destination.
private final class StagedInput {
  private let byteCount: Int
  private let destination: cl_mem
  private let device: OpenCLDevice
  private let slots: [Slot]
  private var next = 0
  private var staged: Slot?

  private final class Slot {
    let host: UnsafeMutableRawPointer
    let staging: OpenCLBuffer
    /// Done when the staging buffer holds the bytes.
    var written: cl_event?

    init(_ byteCount: Int, device: OpenCLDevice) throws {
      guard let buffer = try device.allocate(byteCount: byteCount) as? OpenCLBuffer else {
        preconditionFailure("the device allocates its own buffers")
      }
      staging = buffer
      host = .allocate(byteCount: byteCount, alignment: 64)
    }

    deinit {
      if let written {
        // The transfer still reads the host memory.
        clWaitForEvents(1, [written])
        clReleaseEvent(written)
      }
      host.deallocate()
    }
  }

  init(_ type: TensorType, destination: any DeviceBuffer, device: OpenCLDevice) throws {
    byteCount = type.byteCount
    self.destination = destination.memory
    self.device = device
    let size = type.byteCount
    slots = try (0..<2).map { _ in try Slot(size, device: device) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    let slot = slots[next]
    next = 1 - next
    if let written = slot.written {
      // Two steps ago: over by now, unless the host runs far ahead of the device.
      try check(clWaitForEvents(1, [written]), "clWaitForEvents")
      clReleaseEvent(written)
      slot.written = nil
    }
    slot.host.copyMemory(from: bytes.baseAddress!, byteCount: byteCount)
    var event: cl_event?
    try check(
      clEnqueueWriteBuffer(
        device.transferQueue.handle, slot.staging.handle, cl_bool(CL_FALSE), 0, byteCount,
        slot.host,
        0, nil, &event), "clEnqueueWriteBuffer")
    device.countEvent()
    slot.written = event
    try check(clFlush(device.transferQueue.handle), "clFlush")
    staged = slot
  }

  /// Makes the compute queue fetch what was written last.
  func deliver() throws {
    guard let slot = staged else { return }
    staged = nil
    // The event of this copy takes the write's place: the slot is free when the copy is done.
    var copied: cl_event?
    var written = slot.written
    try check(
      clEnqueueCopyBuffer(
        device.computeQueue.handle, slot.staging.handle, destination, 0, 0, byteCount, 1, &written,
        &copied), "clEnqueueCopyBuffer")
    device.countEvent()
    if let written { clReleaseEvent(written) }
    slot.written = copied
  }
}

/// A value on its way to the host.
private final class OpenCLRead: PendingRead {
  private let type: TensorType
  private let device: OpenCLDevice
  private let host: UnsafeMutableRawBufferPointer
  private var event: cl_event?

  init(_ type: TensorType, from buffer: cl_mem, offset: Int, device: OpenCLDevice) throws {
    self.type = type
    self.device = device
    host = .allocate(byteCount: type.byteCount, alignment: 64)
    try check(
      clEnqueueReadBuffer(
        device.computeQueue.handle, buffer, cl_bool(CL_FALSE), offset, type.byteCount,
        host.baseAddress, 0, nil, &event), "clEnqueueReadBuffer")
    device.countEvent()
    try check(clFlush(device.computeQueue.handle), "clFlush")
  }

  deinit {
    if let event {
      clWaitForEvents(1, [event])
      clReleaseEvent(event)
    }
    host.deallocate()
  }

  var isComplete: Bool {
    guard let event else { return true }
    var status: cl_int = 0
    let code = clGetEventInfo(
      event, cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS), MemoryLayout<cl_int>.size, &status,
      nil)
    return code == CL_SUCCESS && status <= CL_COMPLETE
  }

  func wait() throws -> HostTensor {
    if let event {
      device.countWait()
      try check(clWaitForEvents(1, [event]), "clWaitForEvents")
      clReleaseEvent(event)
      self.event = nil
    }
    return HostTensor(type) { $0.copyMemory(from: UnsafeRawBufferPointer(host)) }
  }
}

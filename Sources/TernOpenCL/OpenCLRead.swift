import COpenCL
import TernCore
import TernRuntime

/// A value on its way to the host.
final class OpenCLRead: PendingRead {
  private let type: TensorType
  private let device: OpenCLDevice
  private let host: UnsafeMutableRawBufferPointer
  /// Where `host` is, if it is small.
  private let block: PinnedMemory?
  private var event: cl_event?

  init(_ type: TensorType, from buffer: cl_mem, offset: Int, device: OpenCLDevice) throws {
    self.type = type
    self.device = device
    block =
      type.byteCount <= PinnedMemory.Pool.blockByteCount ? device.readMemory.take() : nil
    host =
      block.map { UnsafeMutableRawBufferPointer(start: $0.address, count: type.byteCount) }
      ?? .allocate(byteCount: type.byteCount, alignment: PinnedMemory.alignment)
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
    if let block { device.readMemory.give(block) } else { host.deallocate() }
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

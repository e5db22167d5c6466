import COpenCL
import TernCore
import TernRuntime

/// The host memory from which a plan's inputs are written, in slots: the host fills one while the
/// device may still read others.
///
/// Writes go through the compute queue, whose order alone keeps them between the steps, so that a
/// step needs no event. Only every half of the ring has one: it tells when the half can be filled
/// again, which the host finds done unless it runs far ahead of the device.
final class InputRing {
  private struct Input {
    let offset: Int
    let byteCount: Int
    let destination: cl_mem
    /// Whether the slot holds a value that was not written yet.
    var isStaged = false
  }

  private let device: OpenCLDevice
  private var inputs: [Input]
  private let slots: [UnsafeMutableRawPointer]
  private var current = 0
  private var isOpen = false
  /// What must be done before a half of the ring is filled again.
  private var ends: [cl_event?] = [nil, nil]

  private static let alignment = 64
  /// What the ring may take. Small inputs have many slots; large ones no fewer than keep the device
  /// busy.
  private static let targetByteCount = 16 << 20
  private static let slotCounts = 4...32

  init(_ inputs: [(type: TensorType, destination: any DeviceBuffer)], device: OpenCLDevice) {
    self.device = device
    var size = 0
    self.inputs = inputs.map { type, destination in
      defer { size += (type.byteCount + Self.alignment - 1) / Self.alignment * Self.alignment }
      return Input(offset: size, byteCount: type.byteCount, destination: destination.memory)
    }
    let fitting = Self.targetByteCount / max(1, size) / 2 * 2
    let count = min(max(fitting, Self.slotCounts.lowerBound), Self.slotCounts.upperBound)
    slots = (0..<count).map { _ in
      .allocate(byteCount: max(1, size), alignment: Self.alignment)
    }
  }

  deinit {
    // The device may still read the slots.
    clFinish(device.computeQueue.handle)
    for case let end? in ends { clReleaseEvent(end) }
    for slot in slots { slot.deallocate() }
  }

  /// Stages the next step's value of an input; the bytes are the caller's again on return.
  func write(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    if !isOpen {
      try waitForHalf()
      isOpen = true
    }
    let input = inputs[index]
    (slots[current] + input.offset).copyMemory(
      from: bytes.baseAddress!, byteCount: input.byteCount)
    inputs[index].isStaged = true
  }

  /// Enqueues the writes of what was staged.
  func deliver() throws {
    guard isOpen, let last = inputs.lastIndex(where: \.isStaged) else { return }
    isOpen = false
    let half = slots.count / 2
    for index in inputs.indices where inputs[index].isStaged {
      inputs[index].isStaged = false
      let input = inputs[index]
      var end: cl_event?
      let endsHalf = index == last && current % half == half - 1
      let code = withUnsafeMutablePointer(to: &end) {
        clEnqueueWriteBuffer(
          device.computeQueue.handle, input.destination, cl_bool(CL_FALSE), 0, input.byteCount,
          slots[current] + input.offset, 0, nil, endsHalf ? $0 : nil)
      }
      try check(code, "clEnqueueWriteBuffer")
      if endsHalf {
        device.countEvent()
        ends[current / half] = end
      }
    }
    current = (current + 1) % slots.count
  }

  private func waitForHalf() throws {
    let half = slots.count / 2
    guard current % half == 0, let end = ends[current / half] else { return }
    ends[current / half] = nil
    defer { clReleaseEvent(end) }
    var status: cl_int = 0
    try check(
      clGetEventInfo(
        end, cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS), MemoryLayout<cl_int>.size, &status,
        nil), "clGetEventInfo")
    try check(min(status, 0), "clEnqueueWriteBuffer")
    if status == CL_COMPLETE { return }
    device.countWait()
    var handle: cl_event? = end
    try check(clWaitForEvents(1, &handle), "clWaitForEvents")
  }
}

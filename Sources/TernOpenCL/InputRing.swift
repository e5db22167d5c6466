import COpenCL
import TernCore
import TernRuntime

/// The host memory from which a plan's inputs are written, in slots: the host fills one while the
/// device may still read others.
///
/// Writes go through the compute queue, whose order alone keeps them between the steps, so that a
/// step needs no event. Only every half of the ring has one: it tells when the half can be filled
/// again, which the host finds done unless it runs far ahead of the device.
///
/// A device with memory of its own takes long for a large input, and would wait. There it goes by a
/// queue of its own to one of two places on the device while the step before is computed, and is copied
/// from there when its turn comes: two events for each such input, one for each queue to wait for.
final class InputRing {
  private struct Input {
    let offset: Int
    let byteCount: Int
    let destination: cl_mem
    /// Whether the slot holds a value that was not written yet.
    var isStaged = false
    /// The places to which it is brought beforehand; none where it is written between the steps.
    var landings: [Landing] = []
    var turn = 0
  }

  private struct Landing {
    let buffer: OpenCLBuffer
    /// When what is there was copied on.
    var isFree: cl_event?
  }

  private let device: OpenCLDevice
  private var inputs: [Input]
  private let memory: PinnedMemory
  private let slots: [UnsafeMutableRawPointer]
  private var current = 0
  private var isOpen = false
  /// What must be done before a half of the ring is filled again.
  private var ends: [cl_event?] = [nil, nil]

  /// What the ring may take. Small inputs have many slots; large ones no fewer than keep the device
  /// busy.
  private static let targetByteCount = 16 << 20
  private static let slotCounts = 4...32
  /// Inputs that are no smaller are brought beforehand, where the device has a queue for it.
  private static let largeByteCount = 1 << 16

  init(
    _ inputs: [(type: TensorType, destination: any DeviceBuffer)], device: OpenCLDevice
  ) throws {
    self.device = device
    let alignment = PinnedMemory.alignment
    var size = 0
    self.inputs = try inputs.map { type, destination in
      defer { size += (type.byteCount + alignment - 1) / alignment * alignment }
      var input = Input(
        offset: size, byteCount: type.byteCount, destination: destination.memory)
      if device.uploadQueue != nil, type.byteCount >= Self.largeByteCount {
        input.landings = try (0..<2).map { _ in
          Landing(buffer: try OpenCLBuffer(device.context, byteCount: type.byteCount))
        }
      }
      return input
    }
    let fitting = Self.targetByteCount / max(1, size) / 2 * 2
    let count = min(max(fitting, Self.slotCounts.lowerBound), Self.slotCounts.upperBound)
    let memory = PinnedMemory(
      device.context, device.computeQueue, byteCount: max(alignment, count * size))
    self.memory = memory
    let slotSize = size
    slots = (0..<count).map { memory.address + $0 * slotSize }
  }

  deinit {
    // The device may still read the slots.
    clFinish(device.computeQueue.handle)
    for case let end? in ends + inputs.flatMap({ $0.landings.map(\.isFree) }) {
      clReleaseEvent(end)
    }
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
      if !input.landings.isEmpty, let queue = device.uploadQueue {
        end = try bring(index, by: queue)
        if endsHalf { clRetainEvent(end) }
      } else {
        let code = withUnsafeMutablePointer(to: &end) {
          clEnqueueWriteBuffer(
            device.computeQueue.handle, input.destination, cl_bool(CL_FALSE), 0, input.byteCount,
            slots[current] + input.offset, 0, nil, endsHalf ? $0 : nil)
        }
        try check(code, "clEnqueueWriteBuffer")
        if endsHalf { device.countEvent() }
      }
      if endsHalf { ends[current / half] = end }
    }
    current = (current + 1) % slots.count
  }

  /// Enqueues that a large input is brought to the device, and from there to its destination.
  ///
  /// - Returns: when it is there; kept with the landing.
  private func bring(_ index: Int, by queue: Queue) throws -> cl_event? {
    let (input, turn) = (inputs[index], inputs[index].turn)
    let landing = input.landings[turn]
    inputs[index].turn = 1 - turn
    var arrived: cl_event?
    var isFree = landing.isFree
    let code = withUnsafePointer(to: &isFree) { waitList in
      clEnqueueWriteBuffer(
        queue.handle, landing.buffer.handle, cl_bool(CL_FALSE), 0, input.byteCount,
        slots[current] + input.offset, landing.isFree == nil ? 0 : 1,
        landing.isFree == nil ? nil : waitList, &arrived)
    }
    try check(code, "clEnqueueWriteBuffer")
    defer { clReleaseEvent(arrived) }
    if let isFree { clReleaseEvent(isFree) }
    inputs[index].landings[turn].isFree = nil
    try check(clFlush(queue.handle), "clFlush")
    var copied: cl_event?
    try check(
      clEnqueueCopyBuffer(
        device.computeQueue.handle, landing.buffer.handle, input.destination, 0, 0,
        input.byteCount, 1, &arrived, &copied), "clEnqueueCopyBuffer")
    device.countEvent()
    device.countEvent()
    inputs[index].landings[turn].isFree = copied
    return copied
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

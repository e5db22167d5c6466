import COpenCL
import Synchronization
import TernCore
import TernRuntime

/// Outputs that are read on the compute queue, each behind the launch that computes it, while the launches behind it
/// are enqueued already.
final class OpenCLStreamedOutputs: StreamedOutputs, @unchecked Sendable {
  /// Launches, and the outputs that are computed when they are done.
  struct Segment {
    let commands: [any Launch]
    let outputs: [Int]
  }

  struct Source {
    let memory: cl_mem
    let offset: Int
    let byteCount: Int
  }

  let segments: [Segment]
  private let sources: [Source]
  private let device: OpenCLDevice
  private let memory: [PinnedMemory]
  /// When an output has arrived; by output.
  private let arrivals: Mutex<[Arrival]>

  private struct Arrival: @unchecked Sendable {
    var event: cl_event?
  }

  init(_ sources: [Source], _ segments: [Segment], device: OpenCLDevice) {
    self.sources = sources
    self.segments = segments
    self.device = device
    memory = sources.map {
      PinnedMemory(device.context, device.computeQueue, byteCount: $0.byteCount)
    }
    arrivals = Mutex(sources.map { _ in Arrival() })
  }

  deinit {
    // The device may still write there.
    clFinish(device.computeQueue.handle)
    arrivals.withLock { for case let event? in $0.map(\.event) { clReleaseEvent(event) } }
  }

  /// Enqueues that an output is read.
  func startReading(_ index: Int) throws {
    var event: cl_event?
    let source = sources[index]
    try check(
      clEnqueueReadBuffer(
        device.computeQueue.handle, source.memory, cl_bool(CL_FALSE), source.offset,
        source.byteCount, memory[index].address, 0, nil, &event), "clEnqueueReadBuffer")
    device.countEvent()
    try check(clFlush(device.computeQueue.handle), "clFlush")
    let arrival = Arrival(event: event)
    let before = arrivals.withLock { arrivals in
      defer { arrivals[index] = arrival }
      return arrivals[index]
    }
    if let event = before.event { clReleaseEvent(event) }
  }

  func bytes(_ index: Int) throws -> UnsafeRawBufferPointer {
    let arrival = arrivals.withLock { arrivals in
      defer { arrivals[index].event = nil }
      return arrivals[index]
    }
    if let event = arrival.event {
      defer { clReleaseEvent(event) }
      try check(clWaitForEvents(1, [event]), "clWaitForEvents")
    }
    return UnsafeRawBufferPointer(start: memory[index].address, count: sources[index].byteCount)
  }
}

import COpenCL
import Synchronization

/// Host memory that a device reads and writes by itself, without the driver's copying in between: it
/// stays where it is, mapped from the start.
final class PinnedMemory: @unchecked Sendable {
  let address: UnsafeMutableRawPointer
  /// `nil` where the driver has none; the memory is ordinary then.
  private let buffer: cl_mem?
  private let queue: Queue

  static let alignment = 64

  init(_ context: Context, _ queue: Queue, byteCount: Int) {
    self.queue = queue
    var code: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR)
    if let buffer = clCreateBuffer(context.handle, flags, byteCount, nil, &code),
      let address = clEnqueueMapBuffer(
        queue.handle, buffer, cl_bool(CL_TRUE), cl_map_flags(CL_MAP_READ | CL_MAP_WRITE), 0,
        byteCount, 0, nil, nil, &code)
    {
      (self.buffer, self.address) = (buffer, address)
      return
    }
    buffer = nil
    address = .allocate(byteCount: byteCount, alignment: Self.alignment)
  }

  deinit {
    guard let buffer else { return address.deallocate() }
    clEnqueueUnmapMemObject(queue.handle, buffer, address, 0, nil, nil)
    clReleaseMemObject(buffer)
  }

  /// Blocks for small results: a loss, the sums of a metric.
  final class Pool: Sendable {
    private let context: Context
    private let queue: Queue
    private let free = Mutex<[PinnedMemory]>([])

    static let blockByteCount = 4096

    init(_ context: Context, _ queue: Queue) {
      (self.context, self.queue) = (context, queue)
    }

    func take() -> PinnedMemory {
      free.withLock { $0.popLast() }
        ?? PinnedMemory(context, queue, byteCount: Self.blockByteCount)
    }

    func give(_ block: PinnedMemory) { free.withLock { $0.append(block) } }
  }
}

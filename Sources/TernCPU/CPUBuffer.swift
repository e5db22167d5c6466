import Foundation
import TernCore
import TernRuntime

/// Memory aligned to a vector and a cache line.
final class CPUBuffer: DeviceBuffer, @unchecked Sendable {
  let byteCount: Int
  let address: UnsafeMutableRawPointer
  /// What was mapped; `nil` where the memory is from the heap.
  private let mapping: UnsafeMutableRawBufferPointer?

  /// From this size on, memory is mapped by itself, starts at a huge page and asks for more of
  /// them: a table walk per 2 MiB instead of 4 KiB. It counts as resident from its first use.
  private static let hugePageByteCount = 2 << 20

  /// - Parameter isZero: whether the content matters; it is undefined else.
  init(byteCount: Int, isZero: Bool = false) throws {
    self.byteCount = byteCount
    func outOfMemory() -> TernError {
      TernError(.runtime, "cannot allocate \(byteCount) bytes; use a smaller batch size")
    }
    if byteCount >= 2 * Self.hugePageByteCount {
      let length = byteCount + Self.hugePageByteCount
      guard
        let start = mmap(
          nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        start != MAP_FAILED
      else { throw outOfMemory() }
      mapping = UnsafeMutableRawBufferPointer(start: start, count: length)
      address = start.alignedUp(toMultipleOf: Self.hugePageByteCount)
      madvise(address, byteCount, MADV_HUGEPAGE)
    } else {
      var memory: UnsafeMutableRawPointer?
      guard posix_memalign(&memory, 256, max(byteCount, 256)) == 0, let memory else {
        throw outOfMemory()
      }
      mapping = nil
      address = memory
      if isZero { memset(memory, 0, byteCount) }
    }
    #if DEBUG
      // Whatever reads memory before writing it computes NaN.
      if !isZero { memset(address, 0xFF, byteCount) }
    #endif
  }

  deinit {
    if let mapping { munmap(mapping.baseAddress!, mapping.count) } else { free(address) }
  }
}

import Foundation
import TernCore
import TernRuntime

/// Memory aligned to a vector and a cache line.
final class CPUBuffer: DeviceBuffer, @unchecked Sendable {
  let byteCount: Int
  let address: UnsafeMutableRawPointer

  /// From this size on, memory starts at a huge page and asks for more of them: a table walk per
  /// 2 MiB instead of 4 KiB.
  private static let hugePageByteCount = 2 << 20

  init(byteCount: Int) throws {
    let isLarge = byteCount >= 2 * Self.hugePageByteCount
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(
      &memory, isLarge ? Self.hugePageByteCount : 256, max(byteCount, 256))
    guard status == 0, let memory else {
      throw TernError(.runtime, "cannot allocate \(byteCount) bytes; use a smaller batch size")
    }
    if isLarge { madvise(memory, byteCount, MADV_HUGEPAGE) }
    #if DEBUG
      // Whatever reads memory before writing it computes NaN.
      memset(memory, 0xFF, byteCount)
    #endif
    address = memory
    self.byteCount = byteCount
  }

  deinit { free(address) }
}

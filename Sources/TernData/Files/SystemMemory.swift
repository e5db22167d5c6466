import Foundation
import TernCore

/// How much memory this process may take.
enum SystemMemory {
  /// The memory of the machine, or less where the process or its control group is held to less.
  static let byteCount: Int = {
    var limits = [Int(clamping: ProcessInfo.processInfo.physicalMemory)]
    var addresses = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &addresses) == 0 {
      limits.append(Int(clamping: addresses.rlim_cur))
    }
    // Versions 2 and 1 of control groups, as a container sees its own; "max" is no number.
    for name in ["memory.max", "memory/memory.limit_in_bytes"] {
      if let text = try? String(contentsOfFile: "/sys/fs/cgroup/\(name)", encoding: .utf8),
        let limit = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
      {
        limits.append(limit)
      }
    }
    return limits.min()!
  }()

  /// Below this nobody asks.
  private static let free = 64 << 20

  /// Refuses data that would take more memory than there is, before any is taken.
  ///
  /// - Throws: ``TernError`` of kind `badData` that names the file.
  static func require(_ needed: Int, for path: String, hint: String = "") throws {
    guard needed > free else { return }
    // Half is for everything else: the network, batches, what is there already.
    guard needed <= byteCount / 2 else {
      throw TernError(
        .badData,
        "\(path): \(text(needed)) in memory, more than half of the \(text(byteCount)) there are"
          + hint)
    }
  }

  /// 3.4 GiB
  static func text(_ byteCount: Int) -> String {
    byteCount >= 1 << 30
      ? String(format: "%.1f GiB", Double(byteCount) / 0x1p30)
      : String(format: "%.1f MiB", Double(byteCount) / 0x1p20)
  }
}

import Foundation

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

  /// 3.4 GiB
  static func text(_ byteCount: Int) -> String {
    String(format: "%.1f GiB", Double(byteCount) / 0x1p30)
  }
}

import CMicrokernels
import Foundation
import TernCore
import TernRuntime

/// The processor Tern runs on: oneDNN's primitives, and Tern's own loops where oneDNN has none.
package struct CPUBackend: Backend {
  package init() {}

  package var name: String { "cpu" }

  package func devices() -> [DeviceInfo] {
    [
      DeviceInfo(
        id: "cpu", backend: name, name: Self.modelName, kind: .cpu,
        computeUnits: ProcessInfo.processInfo.activeProcessorCount,
        memoryByteCount: Int(ProcessInfo.processInfo.physicalMemory),
        cacheByteCount: HostCache.lastLevelByteCount, driver: Engine.version)
    ]
  }

  package var precisions: [Precision] { [.fp32, .bf16, .fp16] }

  /// Whether operations have kernels that read and write a precision's type.
  static func hasKernels(for precision: Precision) -> Bool {
    precision == .fp32 || precision == .bf16 && tern_has_avx512()
  }

  /// Whether a precision is expected to be as fast as float32 or faster.
  private static func isWorthIt(_ precision: Precision) -> Bool {
    precision == .fp32 || precision == .bf16 && tern_has_avx512_bfloat16()
  }

  package func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    if let threads = options.threads, !(1...BackgroundThread.limit).contains(threads) {
      throw TernError(
        .usage, "threads: expected 1 to \(BackgroundThread.limit), got \(threads)")
    }
    let precision = options.precision
    guard Self.isWorthIt(precision) || options.forcesPrecision else {
      throw TernError(
        .usage,
        "precision: \(info.name) has no instructions for \(precision.rawValue), which would be slower "
          + "than fp32",
        remedy: .forcePrecision)
    }
    return try CPUDevice(info: info, options: options, cache: .standard())
  }

  /// What the kernel calls the processor.
  private static var modelName: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      if let colon = line.firstIndex(of: ":") {
        return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      }
    }
    return "CPU"
  }
}

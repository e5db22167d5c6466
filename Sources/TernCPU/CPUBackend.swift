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

  package var precisions: [Precision] { [.fp32, .bf16] }

  package func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    if let threads = options.threads, !(1...BackgroundThread.limit).contains(threads) {
      throw TernError(
        .usage, "threads: expected 1 to \(BackgroundThread.limit), got \(threads)")
    }
    if options.precision == .bf16 {
      guard tern_has_avx512() else {
        throw TernError(
          .usage,
          "precision: bf16 on the cpu takes AVX-512, which \(info.name) has not; fp32 is left")
      }
      guard tern_has_avx512_bfloat16() || options.forcesPrecision else {
        throw TernError(
          .usage,
          "precision: \(info.name) has no instructions for bf16, which would be slower than fp32",
          remedy: .forcePrecision)
      }
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

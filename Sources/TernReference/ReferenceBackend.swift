import Foundation
import TernCore
import TernRuntime

/// The backend of plain loops: the executable specification that the others are checked against.
///
/// No library, no threads, no cleverness; take another one to train anything large.
package struct ReferenceBackend: Backend {
  package init() {}

  package var name: String { "reference" }

  package func devices() -> [DeviceInfo] { [ReferenceDevice.info] }

  package var precisions: [Precision] { [.fp32, .bf16, .fp16] }

  /// Opens the device; the number of threads is always one.
  package func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    ReferenceDevice(precision: options.precision)
  }
}

extension ReferenceDevice {
  package var algorithms: [ConvolutionAlgorithm] { [] }

  static let info = DeviceInfo(
    id: "reference", backend: "reference", name: "plain loops", kind: .cpu, computeUnits: 1,
    memoryByteCount: Int(clamping: ProcessInfo.processInfo.physicalMemory),
    cacheByteCount: HostCache.lastLevelByteCount, driver: "built in")
}

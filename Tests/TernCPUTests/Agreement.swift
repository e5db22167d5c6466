import Foundation
import TernCPU
import TernReference
import TernRuntime
import TernTestSupport
import Testing

extension Experiment {
  /// Expects what the reference device computes, to within `tolerance` of each value's largest
  /// element.
  func expectAgreement(
    steps: Int = 1, tolerance: Float = 2e-5, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try run(on: ReferenceDevice(), steps: steps)
    let got = try run(on: cpu(), steps: steps)
    #expect(got.keys.sorted() == expected.keys.sorted(), sourceLocation: sourceLocation)
    for (name, value) in expected {
      let fault = difference(got[name]!, value)
      #expect(fault <= tolerance, "\(name)", sourceLocation: sourceLocation)
    }
  }
}

func cpu(threads: Int? = nil) throws -> any Device {
  let backend = CPUBackend()
  return try backend.open(backend.devices()[0], options: DeviceOptions(threads: threads))
}

/// What oneDNN's Winograd kernels take, and those for blocks of sixteen channels.
let hasAVX512 =
  (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains("avx512f") ?? false

import Foundation
import Tern

/// On what and when something was measured.
public struct BenchmarkContext: Sendable {
  public let info: DeviceInfo
  /// `nil` where it was not measured.
  public let peak: DevicePeak?
  public let date: Date

  public init(_ info: DeviceInfo, _ peak: DevicePeak?, date: Date = .now) {
    self.info = info
    self.peak = peak
    self.date = date
  }

  public var json: JSON {
    let peak: JSON =
      peak.map {
        .object([
          "gflops": .double($0.gflops), "gbs": .double($0.gbs), "source": .string("measured"),
        ])
      } ?? .null
    return .object([
      "device": .string(info.id), "name": .string(info.name), "driver": .string(info.driver),
      "compute_units": .int(info.computeUnits), "peak": peak,
      "date": .string(date.formatted(.iso8601)), "version": .string(TernRelease.version),
    ])
  }
}

import Foundation
import Tern

/// On what, how and when something was measured.
package struct BenchmarkContext: Sendable {
  package let info: DeviceInfo
  package let options: DeviceOptions
  /// How often: `{"seconds": 0.25}` or `{"iterations": 10}`.
  package let samples: JSON
  /// Of each type that is measured, the device's first; empty where it was not measured.
  package var peaks: [(type: DataType, series: PeakSeries)]
  package let date: Date
  /// What Tern was built from; `nil` where the build was not told.
  package let commit: String?

  package init(
    _ device: any Device, samples: JSON, peaks: [(type: DataType, series: PeakSeries)] = [],
    date: Date = .now, commit: String? = nil
  ) {
    info = device.info
    options = device.options
    self.samples = samples
    self.peaks = peaks
    self.date = date
    self.commit = commit
  }

  /// What decides how fast something runs: results that differ in one of these say nothing about
  /// each other. With the advice for a user who meant the other.
  static let decisive: [(key: String, advice: String)] = [
    ("device", "give the device it was recorded on"),
    ("name", "give the device it was recorded on"),
    ("driver", "record a base with this driver"),
    ("compute_units", "record a base on as many"),
    ("threads", "give the threads it was recorded with"),
    ("algorithm", "give the algorithm it was recorded with"),
    ("precision", "give the precision it was recorded with"),
  ]

  /// What may explain a difference: versions are compared on purpose.
  static let remarkable = ["version", "commit", "samples"]

  package var json: JSON {
    return .object([
      "device": .string(info.id), "name": .string(info.name), "driver": .string(info.driver),
      "compute_units": .int(info.computeUnits),
      "threads": threads.map { .int($0) } ?? .null,
      "algorithm": options.algorithmDescription.map(JSON.string) ?? .null,
      "precision": .string(options.precision.rawValue),
      "cache_bytes": .int(info.cacheByteCount),
      "peak": peaks.first.map { Self.json($0.series) } ?? .null,
      "peaks": .object(peaks.map { .init(name: $0.type.rawValue, value: Self.json($0.series)) }),
      "samples": samples,
      "date": .string(date.formatted(.iso8601)), "version": .string(TernRelease.version),
      "commit": commit.map { .string($0) } ?? .null,
    ])
  }

  private static func json(_ peaks: PeakSeries) -> JSON {
    func pair(_ range: ClosedRange<Double>) -> JSON {
      .array([.double(range.lowerBound), .double(range.upperBound)])
    }
    return .object([
      "gflops": .double(peaks.best.gflops), "gbs": .double(peaks.best.gbs),
      "source": .string(peaks.isGiven ? "given" : "measured"),
      "measurements": .int(peaks.samples.count),
      "gflops_range": pair(peaks.gflops), "gbs_range": pair(peaks.gbs),
    ])
  }

  /// Drivers of OpenCL have threads of their own.
  private var threads: Int? { info.backend == "opencl" ? nil : options.threads }
}

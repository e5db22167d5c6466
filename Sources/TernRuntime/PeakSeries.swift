/// What a device reaches at best, measured several times: on a machine that is shared, one
/// measurement may be half of another.
package struct PeakSeries: Hashable, Sendable {
  /// In the order of measuring; never empty.
  package private(set) var samples: [DevicePeak]

  /// Whether somebody said it, such as a data sheet, and nothing is measured.
  package let isGiven: Bool

  package init(_ first: DevicePeak, isGiven: Bool = false) {
    (samples, self.isGiven) = ([first], isGiven)
  }

  package mutating func append(_ peak: DevicePeak) { samples.append(peak) }

  /// What results are held against: other programs can only take away.
  package var best: DevicePeak {
    DevicePeak(gflops: gflops.upperBound, gbs: gbs.upperBound)
  }

  /// The least and the most, in 10⁹ floating-point operations per second.
  package var gflops: ClosedRange<Double> { range(samples.map(\.gflops)) }
  /// The least and the most, in 10⁹ bytes per second.
  package var gbs: ClosedRange<Double> { range(samples.map(\.gbs)) }

  private func range(_ values: [Double]) -> ClosedRange<Double> { values.min()!...values.max()! }
}

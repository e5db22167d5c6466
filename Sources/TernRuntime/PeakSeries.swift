/// What a device reaches at best, measured several times: on a machine that is shared, one
/// measurement may be half of another.
public struct PeakSeries: Hashable, Sendable {
  /// In the order of measuring; never empty.
  public private(set) var samples: [DevicePeak]

  public init(_ first: DevicePeak) { samples = [first] }

  public mutating func append(_ peak: DevicePeak) { samples.append(peak) }

  /// What results are held against: other programs can only take away.
  public var best: DevicePeak {
    DevicePeak(gflops: gflops.upperBound, gbs: gbs.upperBound)
  }

  /// The least and the most, in 10⁹ floating-point operations per second.
  public var gflops: ClosedRange<Double> { range(samples.map(\.gflops)) }
  /// The least and the most, in 10⁹ bytes per second.
  public var gbs: ClosedRange<Double> { range(samples.map(\.gbs)) }

  private func range(_ values: [Double]) -> ClosedRange<Double> { values.min()!...values.max()! }
}

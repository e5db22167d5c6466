import Foundation
import TernCore

/// What a pixel byte becomes before it enters the network: (value / 255 − mean) / deviation, with a
/// mean and a deviation per channel.
public struct Normalization: Hashable, Sendable {
  public let means: [Double]
  public let deviations: [Double]

  public init(means: [Double], deviations: [Double]) {
    self.means = means
    self.deviations = deviations
  }

  /// Reads `auto`, `none` or `MEAN,STD`.
  ///
  /// - Parameter dataset: what `auto` takes its statistics from.
  public init(_ text: String, channels: Int, statisticsOf dataset: any Dataset) throws {
    switch text {
    case "auto":
      let (means, deviations) = dataset.statistics()
      // A constant channel stays at 0.
      self.init(means: means, deviations: deviations.map { $0 > 0 ? $0 : 1 })
    case "none":
      self.init(
        means: [Double](repeating: 0, count: channels),
        deviations: [Double](repeating: 1, count: channels))
    default:
      guard let (mean, deviation) = Self.pair(text) else {
        throw TernError(.usage, "normalize: expected auto, none or MEAN,STD, got '\(text)'")
      }
      self.init(
        means: [Double](repeating: mean, count: channels),
        deviations: [Double](repeating: deviation, count: channels))
    }
  }

  /// As a checkpoint stores it.
  public var text: String {
    zip(means, deviations).map { "\($0),\($1)" }.joined(separator: ";")
  }

  /// Reads ``text``; `nil` where it is not that.
  public init?(text: String) {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false)
    let pairs = parts.compactMap(Self.pair)
    guard pairs.count == parts.count else { return nil }
    self.init(means: pairs.map(\.mean), deviations: pairs.map(\.deviation))
  }

  /// Reads `MEAN,STD`; `nil` where that is not two numbers one can divide by.
  private static func pair(_ text: some StringProtocol) -> (mean: Double, deviation: Double)? {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    guard numbers.count == 2, let mean = numbers[0], let deviation = numbers[1],
      mean.isFinite, deviation.isFinite, deviation > 0
    else { return nil }
    return (mean, deviation)
  }

  /// 256 values per channel.
  var table: [Float] {
    zip(means, deviations).flatMap { mean, deviation in
      (0..<256).map { Float((Double($0) / 255 - mean) / deviation) }
    }
  }
}

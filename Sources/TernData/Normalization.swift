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
  public init(_ text: String, channels: Int, statisticsOf dataset: InMemoryDataset) throws {
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
      let numbers = text.split(separator: ",").map {
        Double($0.trimmingPrefix(while: \.isWhitespace))
      }
      guard numbers.count == 2, let mean = numbers[0], let deviation = numbers[1],
        mean.isFinite, deviation.isFinite, deviation > 0
      else {
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
    let pairs = text.split(separator: ";").map {
      $0.split(separator: ",").compactMap { Double($0) }
    }
    guard !pairs.isEmpty, pairs.allSatisfy({ $0.count == 2 && $0[1] > 0 }) else { return nil }
    self.init(means: pairs.map { $0[0] }, deviations: pairs.map { $0[1] })
  }

  /// 256 values per channel.
  var table: [Float] {
    zip(means, deviations).flatMap { mean, deviation in
      (0..<256).map { Float((Double($0) / 255 - mean) / deviation) }
    }
  }
}

import TernCore

/// A number that says how well a network does, and which way is better.
public struct Metric: Hashable, Sendable {
  /// As logs and `--json` call it.
  public let name: String
  /// Whether a larger number is a better one.
  public let isBetterLarger: Bool

  /// A metric of that name.
  public init(_ name: String, isBetterLarger: Bool) {
    self.name = name
    self.isBetterLarger = isBetterLarger
  }

  /// The loss, which is better where it is smaller.
  public static let loss = Metric("loss", isBetterLarger: false)
  /// The part of the samples, pixels or labels that are answered rightly.
  public static let accuracy = Metric("accuracy", isBetterLarger: true)
  /// The mean over the classes of intersection over union.
  public static let meanIoU = Metric("mean_iou", isBetterLarger: true)
  /// The area under the ROC curve.
  public static let auc = Metric("auc", isBetterLarger: true)
  /// The mean over the labels of the harmonic mean of precision and recall.
  public static let f1 = Metric("f1", isBetterLarger: true)
  /// The mean squared error.
  public static let mse = Metric("mse", isBetterLarger: false)
  /// The mean absolute error.
  public static let mae = Metric("mae", isBetterLarger: false)
  /// The coefficient of determination, R².
  public static let r2 = Metric("r2", isBetterLarger: true)
  /// e to the mean loss of a token.
  public static let perplexity = Metric("perplexity", isBetterLarger: false)
  /// The mean squared error of what is reconstructed of the data.
  public static let reconstructionError = Metric("reconstruction_error", isBetterLarger: false)

  /// The part of the patterns that a memory recalls whole.
  public static let recalled = Metric("recalled", isBetterLarger: true)

  /// All that can be watched.
  public static let all: [Metric] = [
    .accuracy, .loss, .meanIoU, .auc, .f1, .mse, .mae, .r2, .reconstructionError,
    .perplexity, .recalled,
  ]

  /// Whether one number is better than another; none is better than one that is not a number, and that
  /// than none.
  public func isBetter(_ value: Double, than other: Double) -> Bool {
    if value.isNaN { return false }
    if other.isNaN { return true }
    return isBetterLarger ? value > other : value < other
  }

  /// The best of some numbers; not a number where there is none.
  public func best(of values: some Sequence<Double>) -> Double {
    values.reduce(.nan) { isBetter($1, than: $0) ? $1 : $0 }
  }

  /// The number as one that is minimised; infinite where it is not finite.
  public func cost(_ value: Double) -> Double {
    guard value.isFinite else { return .infinity }
    return isBetterLarger ? -value : value
  }
}

/// A metric of one of a run's sets, as `--monitor` names it: `test_accuracy`, `val_loss`.
public struct MonitoredMetric: Hashable, Sendable {
  /// A set that a network is measured on.
  public enum MeasuredSet: String, CaseIterable, Sendable {
    /// The test set.
    case test
    /// The validation set.
    case validation = "val"
  }

  /// The set that is measured.
  public let set: MeasuredSet
  /// What is measured of it.
  public let metric: Metric

  /// A metric of a set.
  public init(_ metric: Metric, of set: MeasuredSet) {
    self.metric = metric
    self.set = set
  }

  /// Set and metric as settings spell them: `val_accuracy`.
  public var name: String { "\(set.rawValue)_\(metric.name)" }

  /// All that can be named, the usual ones first.
  public static let all: [MonitoredMetric] = Metric.all.flatMap { metric in
    MeasuredSet.allCases.map { MonitoredMetric(metric, of: $0) }
  }

  /// The metric of that name; `nil` where there is none.
  public static func named(_ name: String) -> MonitoredMetric? { all.first { $0.name == name } }

  /// The names of all.
  public static let names = all.map(\.name)
}

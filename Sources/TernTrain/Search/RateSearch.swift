import Foundation
import TernCore

/// A learning-rate range test: the loss while the rate rises exponentially from step to step.
///
/// Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017.
public struct RateSearch: Sendable {
  public struct Point: Sendable, Hashable {
    public let rate: Double
    public let loss: Double
    /// The running mean of the losses, corrected for its start.
    public let smoothedLoss: Double
  }

  public private(set) var points: [Point] = []
  private var average = 0.0

  /// How much of the running mean each loss leaves in place.
  private static let smoothing = 0.9
  /// The part of the loss that must be gained before a fall counts.
  private static let smallestFall = 0.01
  /// A loss this many times the lowest has diverged.
  private static let divergence = 4.0

  public init() {}

  /// The rate of a step of `count`, between `lowest` and `highest`.
  public static func rate(step: Int, count: Int, lowest: Double, highest: Double) -> Double {
    lowest * pow(highest / lowest, Double(step) / Double(max(count - 1, 1)))
  }

  /// Adds a step's loss.
  ///
  /// - Returns: whether to go on: false once the loss has diverged.
  public mutating func add(rate: Double, loss: Double) -> Bool {
    guard loss.isFinite else { return false }
    average = Self.smoothing * average + (1 - Self.smoothing) * loss
    let smoothed = average / (1 - pow(Self.smoothing, Double(points.count + 1)))
    points.append(Point(rate: rate, loss: loss, smoothedLoss: smoothed))
    let lowest = points.map(\.smoothedLoss).min() ?? smoothed
    return smoothed <= Self.divergence * lowest
  }

  /// The rate where the loss falls the fastest with the logarithm of the rate; `nil` where it never
  /// falls.
  public var suggestion: Double? {
    // The first losses say more of the batches than of the rate.
    let usable = Array(points.dropFirst(min(10, points.count / 10)))
    // A loss that stays where it began only trembles.
    guard let first = usable.first?.smoothedLoss, let lowest = usable.map(\.smoothedLoss).min(),
      lowest < first - Self.smallestFall * abs(first)
    else { return nil }
    var steepest: (slope: Double, rate: Double)?
    for (a, b) in zip(usable, usable.dropFirst(2)) {
      let slope = (b.smoothedLoss - a.smoothedLoss) / log(b.rate / a.rate)
      if slope < steepest?.slope ?? 0 { steepest = (slope, (a.rate * b.rate).squareRoot()) }
    }
    return steepest?.rate
  }

  /// The losses over the rate, with the suggestion marked.
  public var svg: String {
    let lowest = points.map(\.smoothedLoss).min() ?? 1
    // What diverged would flatten the rest.
    let shown = points.filter { $0.smoothedLoss <= Self.divergence * lowest }
    let panel = LinePanel(
      title: "loss by learning rate", xLabel: "learning rate", xScale: .logarithmic,
      curves: [
        .init(
          label: "loss", color: "#bbbbbb",
          points: shown.filter { $0.loss <= Self.divergence * lowest }.map { ($0.rate, $0.loss) }),
        .init(
          label: "smoothed", color: LinePanel.colors[0],
          points: shown.map { ($0.rate, $0.smoothedLoss) }),
      ], mark: suggestion.map { ($0, String(format: "%.2g", $0)) })
    return LinePanel.picture([panel], width: 560, height: 320)
  }
}

import Foundation
import TernCore

/// A learning-rate range test: the loss while the rate rises exponentially from step to step.
///
/// Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017.
package struct RateSearch: Sendable {
  package struct Point: Sendable, Hashable {
    package let rate: Double
    package let loss: Double
    /// The running mean of the losses so far, corrected for its start.
    package let smoothedLoss: Double
  }

  package private(set) var points: [Point] = []
  private var average = 0.0

  /// How much of the running mean each loss leaves in place.
  private static let smoothing = 0.9
  /// The part of the loss that must be gained before a fall counts.
  private static let smallestFall = 0.01
  /// A loss this many times the lowest has diverged.
  private static let divergence = 4.0
  /// Steps to either side over which losses are averaged once all are known.
  private static let window = 8
  /// The network has left what it learned where the loss rose again by this part of its fall, and by
  /// this part of its start.
  private static let reboundOfFall = 0.25
  private static let reboundOfStart = 0.05

  package init() {}

  /// The rate of a step of `count`, between `lowest` and `highest`.
  package static func rate(step: Int, count: Int, lowest: Double, highest: Double) -> Double {
    lowest * pow(highest / lowest, Double(step) / Double(max(count - 1, 1)))
  }

  /// Adds a step's loss.
  ///
  /// - Returns: whether to go on: false once the loss has diverged.
  package mutating func add(rate: Double, loss: Double) -> Bool {
    guard loss.isFinite else { return false }
    average = Self.smoothing * average + (1 - Self.smoothing) * loss
    let smoothed = average / (1 - pow(Self.smoothing, Double(points.count + 1)))
    points.append(Point(rate: rate, loss: loss, smoothedLoss: smoothed))
    let lowest = points.map(\.smoothedLoss).min() ?? smoothed
    return smoothed <= Self.divergence * lowest
  }

  /// The rate where the loss falls the fastest with the logarithm of the rate, before it rises for
  /// the first time; `nil` where it never falls.
  ///
  /// A network that was thrown back by too high a rate may fall faster afterwards than ever before,
  /// which tells nothing of how it starts.
  package var suggestion: Double? {
    let losses = centredLosses
    guard let first = losses.first else { return nil }
    // Up to where the loss is lowest before it first rises again.
    var lowest = 0
    for (index, loss) in losses.enumerated() {
      if loss < losses[lowest] { lowest = index }
      let fall = first - losses[lowest]
      let rebound = max(Self.reboundOfFall * fall, Self.reboundOfStart * abs(first))
      if loss - losses[lowest] > rebound { break }
    }
    // A loss that stays where it began only trembles.
    guard losses[lowest] < first - Self.smallestFall * abs(first) else { return nil }
    // The steps are as far apart in the logarithm of the rate.
    let falls = (1...lowest).map { losses[$0 - 1] - losses[$0] }
    let steepest = falls.indices.max { falls[$0] < falls[$1] }
    return steepest.map { (points[$0].rate * points[$0 + 1].rate).squareRoot() }
  }

  /// The losses averaged with those before and behind, the near ones counting most, so that a fall
  /// stands at the rate where it happens.
  private var centredLosses: [Double] {
    points.indices.map { (centre: Int) -> Double in
      let first = max(centre - Self.window, 0)
      let last = min(centre + Self.window, points.count - 1)
      var (sum, weights) = (0.0, 0.0)
      for index in first...last {
        let distance = Double(index - centre) / Double(Self.window)
        let weight = exp(-2 * distance * distance)
        sum += weight * points[index].loss
        weights += weight
      }
      return sum / weights
    }
  }

  /// The losses over the rate, with the suggestion marked.
  package var svg: String {
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

import Foundation
import TernCore

/// Chooses where to try next: where a Gaussian process of the trials so far expects the largest
/// improvement on the best of them.
///
/// Source: Snoek, Larochelle, Adams, "Practical Bayesian optimization of machine learning algorithms",
/// 2012.
package struct GaussianProcessSearch: Sendable {
  package let space: SearchSpace
  package let seed: UInt64

  /// Points drawn anywhere, and points drawn near the best trials, of which the best is refined.
  private static let wideCount = 256
  private static let nearCount = 16
  private static let bestCount = 4
  /// More trials than these cost more than they tell: the best and the last are kept.
  private static let largestCount = 200

  package init(space: SearchSpace, seed: UInt64) {
    self.space = space
    self.seed = seed
  }

  /// Trials drawn at random before the process says anything.
  package var startupCount: Int { max(4, 2 * space.parameters.count) }

  /// The point of a trial, from the trials before: a pure function of those, the seed and the number.
  ///
  /// - Parameter results: points and what is to be minimised.
  package func point(trial: Int, after results: [(point: [Double], loss: Double)]) -> [Double] {
    let finite = results.map(\.loss).filter(\.isFinite)
    guard results.count >= startupCount, let worst = finite.max() else {
      return space.random(trial: trial, seed: seed)
    }
    // A trial that failed is as bad as the worst of the others.
    var known = results.map {
      (point: snapped($0.point), loss: $0.loss.isFinite ? $0.loss : worst)
    }
    if known.count > Self.largestCount {
      let half = Self.largestCount / 2
      let recent = known.suffix(half)
      known =
        Array(known.dropLast(half).sorted { $0.loss.isOrdered(before: $1.loss) }.prefix(half))
        + recent
    }
    let losses = known.map(\.loss)
    let mean = losses.reduce(0, +) / Double(losses.count)
    let spread = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(losses.count)
    let scale = spread > 0 ? spread.squareRoot() : 1
    let values = losses.map { ($0 - mean) / scale }
    guard
      let process = GaussianProcess.fitted(
        points: known.map(\.point), values: values, seed: seed, stream: UInt32(trial),
        distance: distance)
    else { return space.random(trial: trial, seed: seed) }
    return best(of: process, known.map(\.point), values, trial: trial)
  }

  /// The point of the largest expected improvement that is found.
  private func best(
    of process: GaussianProcess, _ points: [[Double]], _ values: [Double], trial: Int
  ) -> [Double] {
    let lowest = values.min() ?? 0
    let axes = space.parameters.count
    let generator = Philox(seed: seed, stream: .data)
    func improvement(_ point: [Double]) -> Double {
      process.expectedImprovement(at: point, below: lowest)
    }
    var candidates = (0..<Self.wideCount).map { number in
      snapped(generator.uniforms(axes, UInt32(trial), UInt32(2_000 + number)).map(Double.init))
    }
    let order = values.indices.sorted { values[$0] < values[$1] }
    for (rank, index) in order.prefix(Self.bestCount).enumerated() {
      for number in 0..<Self.nearCount {
        let width = number % 2 == 0 ? 0.1 : 0.02
        let draws = generator.normals(
          axes, UInt32(trial), UInt32(3_000 + Self.nearCount * rank + number))
        candidates.append(
          snapped(zip(points[index], draws).map { min(max($0 + width * Double($1), 0), 1) }))
      }
    }
    var best = candidates[0]
    var score = -Double.infinity
    for candidate in candidates {
      let value = improvement(candidate)
      if value > score { (best, score) = (candidate, value) }
    }
    // Uphill from there, along one axis after the other.
    var step = 0.05
    while step > 1e-3 {
      let before = score
      for axis in 0..<axes {
        for direction in [step, -step] {
          var point = best
          point[axis] = min(max(point[axis] + direction, 0), 1)
          point = snapped(point)
          let value = improvement(point)
          if value > score { (best, score) = (point, value) }
        }
      }
      if score <= before { step /= 2 }
    }
    return best
  }

  /// The point at which a trial's settings are: of a choice the middle, of whole numbers the number.
  ///
  /// Source: Garrido-Merchán, Hernández-Lobato, 2020.
  private func snapped(_ point: [Double]) -> [Double] {
    zip(space.parameters, point).map { parameter, position in
      switch parameter.domain {
      case .range(_, _, _, isInteger: false): position
      default: parameter.position(of: parameter.value(at: position))
      }
    }
  }

  /// Two choices are as far apart as any two others.
  private var distance: @Sendable (Int, Double, Double) -> Double {
    let isChoice = space.parameters.map {
      if case .choices = $0.domain { true } else { false }
    }
    return { axis, a, b in isChoice[axis] ? (abs(a - b) < 1e-9 ? 0 : 1) : abs(a - b) }
  }
}

import Foundation
import TernCore

/// Chooses where to try next: where good trials are dense and bad ones are not.
///
/// Each setting's density is a mixture of a Gaussian around every trial and a uniform prior, of the
/// best quarter of the trials and of the rest; of some draws from the first the one with the largest
/// ratio is tried.
///
/// Source: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for hyper-parameter optimization", 2011.
package struct ParzenSearch: Sendable {
  package let space: SearchSpace
  package let seed: UInt64

  private static let candidateCount = 24
  private static let goodPart = 0.25

  package init(space: SearchSpace, seed: UInt64) {
    self.space = space
    self.seed = seed
  }

  /// Trials drawn at random before the densities say anything.
  package var startupCount: Int { max(4, 2 * space.parameters.count) }

  /// The point of a trial, from the trials before: a pure function of those, the seed and the number.
  ///
  /// - Parameter results: points and what is to be minimised.
  package func point(trial: Int, after results: [(point: [Double], loss: Double)]) -> [Double] {
    guard results.count >= startupCount else { return space.random(trial: trial, seed: seed) }
    let sorted = results.sorted { $0.loss.isOrdered(before: $1.loss) }
    let goodCount = max(1, Int((Self.goodPart * Double(sorted.count)).rounded(.up)))
    let good = sorted.prefix(goodCount).map(\.point)
    let bad = sorted.dropFirst(goodCount).map(\.point)
    let generator = Philox(seed: seed, stream: .data)
    return space.parameters.indices.map { axis in
      let goodValues = good.map { $0[axis] }
      let badValues = bad.map { $0[axis] }
      let draws = generator.uniforms(
        2 * Self.candidateCount, UInt32(trial), UInt32(2 + axis)
      ).map(Double.init)
      let candidates = (0..<Self.candidateCount).map { number -> Double in
        sample(goodValues, axis, choice: draws[2 * number], position: draws[2 * number + 1])
      }
      return candidates.max {
        score($0, goodValues, badValues, axis) < score($1, goodValues, badValues, axis)
      } ?? 0.5
    }
  }

  private func score(_ x: Double, _ good: [Double], _ bad: [Double], _ axis: Int) -> Double {
    density(x, good, axis) / density(x, bad, axis)
  }

  /// How wide the Gaussians are: the fewer trials, the wider.
  private func width(_ count: Int) -> Double { max(0.05, 0.5 / Double(count + 1)) }

  /// A draw from the mixture around `centers` and the uniform prior, each of the same weight.
  private func sample(
    _ centers: [Double], _ axis: Int, choice: Double, position: Double
  ) -> Double {
    let index = Int(choice * Double(centers.count + 1))
    guard index < centers.count else { return position }
    if case .choices = space.parameters[axis].domain { return centers[index] }
    let value = centers[index] + width(centers.count) * Self.normal(position)
    // Reflected at the ends, which would otherwise be drawn too often.
    return min(max(value < 0 ? -value : value > 1 ? 2 - value : value, 0), 1)
  }

  private func density(_ x: Double, _ centers: [Double], _ axis: Int) -> Double {
    if case .choices(let values) = space.parameters[axis].domain {
      let same = centers.count { Int($0 * Double(values.count)) == Int(x * Double(values.count)) }
      return (Double(same) + 1) / Double(centers.count + values.count)
    }
    let width = width(centers.count)
    let sum = centers.reduce(1.0) { sum, center in
      let z = (x - center) / width
      return sum + exp(-0.5 * z * z) / (width * (2 * Double.pi).squareRoot())
    }
    return sum / Double(centers.count + 1)
  }

  /// The quantile of the logistic distribution with the normal's variance: near enough to the
  /// normal's for proposals.
  private static func normal(_ probability: Double) -> Double {
    let p = min(max(probability, 1e-6), 1 - 1e-6)
    return log(p / (1 - p)) * 3.0.squareRoot() / Double.pi
  }
}

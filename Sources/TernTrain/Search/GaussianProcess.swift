import Foundation
import TernCore

/// Regression by a Gaussian process: a mean and a variance of the values at any point, from the values
/// at some.
///
/// The covariance of the values at two points is a Matérn kernel of smoothness 5/2 with a length scale
/// per axis, s²·(1 + √5·r + 5/3·r²)·e^(−√5·r), and noise on every value.
///
/// Source: Rasmussen, Williams, "Gaussian processes for machine learning", 2006.
package struct GaussianProcess: Sendable {
  /// What the covariances depend on, as logarithms.
  package struct Hyperparameters: Sendable {
    /// Per axis.
    package var lengthScales: [Double]
    /// Of s².
    package var variance: Double
    /// Of the variance of the noise.
    package var noise: Double

    package init(lengthScales: [Double], variance: Double, noise: Double) {
      (self.lengthScales, self.variance, self.noise) = (lengthScales, variance, noise)
    }

    /// As one list, to be searched.
    fileprivate var list: [Double] {
      get { lengthScales + [variance, noise] }
      set {
        lengthScales = Array(newValue.dropLast(2))
        (variance, noise) = (newValue[newValue.count - 2], newValue[newValue.count - 1])
      }
    }
  }

  package let hyperparameters: Hyperparameters
  /// The logarithm of the density of the values that it was made of.
  package let logLikelihood: Double
  private let points: [[Double]]
  /// How far apart two positions of an axis are.
  private let distance: @Sendable (_ axis: Int, Double, Double) -> Double
  /// The lower triangle of the Cholesky factor of the covariance, row by row.
  private let factor: [[Double]]
  /// The covariance's inverse times the values.
  private let weights: [Double]

  /// - Parameter values: at the points, about mean 0 and deviation 1.
  /// - Returns: `nil` where the covariance is not positive definite.
  package init?(
    points: [[Double]], values: [Double], _ hyperparameters: Hyperparameters,
    distance: @escaping @Sendable (_ axis: Int, Double, Double) -> Double = { abs($1 - $2) }
  ) {
    self.points = points
    self.hyperparameters = hyperparameters
    self.distance = distance
    let count = points.count
    var factor: [[Double]] = []
    for row in 0..<count {
      var line = [Double](repeating: 0, count: row + 1)
      for column in 0...row {
        var sum = Self.covariance(points[row], points[column], hyperparameters, distance)
        if row == column { sum += exp(hyperparameters.noise) }
        let other = column == row ? line : factor[column]
        for k in 0..<column { sum -= line[k] * other[k] }
        if row == column {
          guard sum > 1e-12, sum.isFinite else { return nil }
          line[row] = sum.squareRoot()
        } else {
          line[column] = sum / factor[column][column]
        }
      }
      factor.append(line)
    }
    self.factor = factor
    let half = Self.solved(factor, values)
    var weights = half
    for row in (0..<count).reversed() {
      for below in row + 1..<max(count, row + 1) {
        weights[row] -= factor[below][row] * weights[below]
      }
      weights[row] /= factor[row][row]
    }
    self.weights = weights
    var likelihood = -0.5 * Double(count) * log(2 * Double.pi)
    for row in 0..<count { likelihood -= 0.5 * half[row] * half[row] + log(factor[row][row]) }
    logLikelihood = likelihood
  }

  private static func covariance(
    _ a: [Double], _ b: [Double], _ h: Hyperparameters, _ distance: (Int, Double, Double) -> Double
  ) -> Double {
    var square = 0.0
    for axis in a.indices {
      let part = distance(axis, a[axis], b[axis]) * exp(-h.lengthScales[axis])
      square += part * part
    }
    let r = (5 * square).squareRoot()
    return exp(h.variance) * (1 + r + r * r / 3) * exp(-r)
  }

  /// Solves the lower triangle for a right side.
  private static func solved(_ factor: [[Double]], _ side: [Double]) -> [Double] {
    var result = side
    for row in factor.indices {
      for column in 0..<row { result[row] -= factor[row][column] * result[column] }
      result[row] /= factor[row][row]
    }
    return result
  }

  /// Mean and variance of the value without noise at a point.
  package func prediction(at point: [Double]) -> (mean: Double, variance: Double) {
    let covariances = points.map {
      Self.covariance($0, point, hyperparameters, distance)
    }
    var mean = 0.0
    for (covariance, weight) in zip(covariances, weights) { mean += covariance * weight }
    let half = Self.solved(factor, covariances)
    let variance = half.reduce(exp(hyperparameters.variance)) { $0 - $1 * $1 }
    return (mean, max(variance, 1e-12))
  }

  /// How much lower than `best` the value at a point is expected to be, where it is lower at all.
  ///
  /// Source: Močkus, 1975; Jones, Schonlau, Welch, 1998.
  package func expectedImprovement(at point: [Double], below best: Double) -> Double {
    let (mean, variance) = prediction(at: point)
    let deviation = variance.squareRoot()
    let z = (best - mean) / deviation
    let density = exp(-0.5 * z * z) / (2 * Double.pi).squareRoot()
    return deviation * (z * 0.5 * erfc(-z / 2.0.squareRoot()) + density)
  }

  // MARK: Hyperparameters

  /// The process whose hyperparameters make the values likeliest, a weak prior on them included: length
  /// scales about a third of the cube, noise of a hundredth of the variance or less.
  ///
  /// - Parameter seed: of the starts of the search.
  package static func fitted(
    points: [[Double]], values: [Double], seed: UInt64, stream: UInt32,
    distance: @escaping @Sendable (_ axis: Int, Double, Double) -> Double
  ) -> GaussianProcess? {
    let axes = points.first?.count ?? 0
    let centers = [Double](repeating: log(0.4), count: axes) + [0, log(1e-3)]
    let widths = [Double](repeating: 0.9, count: axes) + [0.7, 2]
    func score(_ list: [Double]) -> (Double, GaussianProcess)? {
      var prior = 0.0
      for (value, (center, width)) in zip(list, zip(centers, widths)) {
        prior -= 0.5 * pow((value - center) / width, 2)
      }
      var h = Hyperparameters(
        lengthScales: [Double](repeating: 0, count: axes), variance: 0, noise: 0)
      h.list = list
      // Noise below this makes the covariance of near points singular.
      h.noise = max(h.noise, log(1e-6))
      return GaussianProcess(points: points, values: values, h, distance: distance).map {
        ($0.logLikelihood + prior, $0)
      }
    }
    let generator = Philox(seed: seed, stream: .data)
    var best: (score: Double, list: [Double], process: GaussianProcess)?
    for start in 0..<12 {
      let draws = generator.normals(centers.count, stream, UInt32(1_000 + start))
      // The first start is the middle of the prior.
      let list = centers.indices.map {
        centers[$0] + (start == 0 ? 0 : widths[$0] * Double(draws[$0]))
      }
      if let (value, process) = score(list), value > best?.score ?? -.infinity {
        best = (value, list, process)
      }
    }
    // Along one axis after the other, by steps that are halved where none leads up.
    var step = 0.5
    while step > 0.05, let start = best {
      for axis in centers.indices {
        for direction in [step, -step] {
          guard var list = best?.list, let now = best?.score else { continue }
          list[axis] += direction * widths[axis]
          if let (value, process) = score(list), value > now { best = (value, list, process) }
        }
      }
      if best?.score == start.score { step /= 2 }
    }
    return best?.process
  }
}

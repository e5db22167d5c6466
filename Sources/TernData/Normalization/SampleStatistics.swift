import Foundation
import Synchronization
import TernCore

/// What the samples of a training set have in common: the ground of normalisation.
public struct SampleStatistics: Sendable {
  /// Of each channel or feature.
  public let means: [Double]
  /// The standard deviation of each channel or feature.
  public let deviations: [Double]
  /// The least value of each.
  public let minima: [Double]
  /// The largest value of each.
  public let maxima: [Double]

  /// Sums over some samples, by channel or feature.
  private struct Sums {
    var values: [Double]
    var squares: [Double]
    var lowest: [Float]
    var highest: [Float]

    init(channels: Int) {
      values = [Double](repeating: 0, count: channels)
      squares = values
      lowest = [Float](repeating: .infinity, count: channels)
      highest = [Float](repeating: -.infinity, count: channels)
    }

    mutating func add(_ other: Sums) {
      for channel in values.indices {
        values[channel] += other.values[channel]
        squares[channel] += other.squares[channel]
        lowest[channel] = min(lowest[channel], other.lowest[channel])
        highest[channel] = max(highest[channel], other.highest[channel])
      }
    }
  }

  /// Goes through a dataset once, or through an even choice of it where each sample has to be
  /// decoded.
  public init(_ dataset: any Dataset) throws {
    let channels = dataset.sampleShape[0]
    let plane = dataset.sampleShape.elementCount / channels
    // Pictures as whole numbers 0…255, whose sums are exact.
    let unit: Float = dataset.isPictures ? 255 : 1
    // Variances of numbers far from 0 lose no digits when they are taken from a sample.
    var shifts = [Double](repeating: 0, count: channels)
    if !dataset.isPictures {
      var first = [Float](repeating: 0, count: channels * plane)
      try dataset.copySample(0, to: &first, scale: .identity(for: dataset))
      for channel in 0..<channels { shifts[channel] = Double(first[channel * plane]) }
    }
    let parts = try dataset.statisticsParts(from: Sums(channels: channels)) {
      [shifts] sums, sample in
      for channel in 0..<channels {
        let shift = shifts[channel]
        var (sum, square) = (0.0, 0.0)
        var (low, high) = (sums.lowest[channel], sums.highest[channel])
        for i in channel * plane..<(channel + 1) * plane {
          let value = Double(sample[i] * unit) - shift
          sum += value
          square += value * value
          low = min(low, sample[i])
          high = max(high, sample[i])
        }
        sums.values[channel] += sum
        sums.squares[channel] += square
        (sums.lowest[channel], sums.highest[channel]) = (low, high)
      }
    }
    var sums = Sums(channels: channels)
    for part in parts { sums.add(part) }
    let total = Double(dataset.statisticsCount * plane)
    let scale = Double(unit)
    means = zip(sums.values, shifts).map { ($0 / total + $1) / scale }
    deviations = zip(sums.squares, sums.values).map { square, sum in
      max(square / total - (sum / total) * (sum / total), 0).squareRoot() / scale
    }
    minima = sums.lowest.map(Double.init)
    maxima = sums.highest.map(Double.init)
  }

  /// How the channels or features vary together: [C, C] for pictures, over all their pixels, [D, D]
  /// for vectors.
  static func covariance(_ dataset: any Dataset, means: [Double]) throws -> [Double] {
    let channels = dataset.sampleShape[0]
    let plane = dataset.sampleShape.elementCount / channels
    let zeros = [Double](repeating: 0, count: channels * channels)
    let parts = try dataset.statisticsParts(from: zeros) { sums, sample in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: channels) { centered in
        for i in 0..<plane {
          for c in 0..<channels { centered[c] = Double(sample[c * plane + i]) - means[c] }
          for row in 0..<channels {
            let value = centered[row]
            for column in row..<channels {
              sums[row * channels + column] += value * centered[column]
            }
          }
        }
      }
    }
    var sums = zeros
    for part in parts { for i in sums.indices { sums[i] += part[i] } }
    let total = Double(dataset.statisticsCount * plane)
    for row in 0..<channels {
      for column in row..<channels {
        sums[row * channels + column] /= total
        sums[column * channels + row] = sums[row * channels + column]
      }
    }
    return sums
  }
}

/// The parts that a dataset is cut into for statistics: always as many, so that the order of the
/// additions does not depend on the number of processors.
private let statisticsPartCount = 16

extension Dataset {
  /// Folds the samples, unscaled, that statistics are taken from; part by part, side by side on all
  /// processors, because each sample may have to be decoded.
  fileprivate func statisticsParts<Part: Sendable>(
    from start: Part, _ add: @Sendable (inout Part, UnsafeMutablePointer<Float>) -> Void
  ) throws -> [Part] {
    let scale = ChannelScale.identity(for: self)
    let chosen = statisticsCount
    let partCount = min(statisticsPartCount, chosen)
    let results = Mutex([Result<Part, any Error>?](repeating: nil, count: partCount))
    BackgroundThread.concurrently(partCount, name: "tern-statistics") { number in
      let result = Result {
        var part = start
        let sample = UnsafeMutablePointer<Float>.allocate(capacity: sampleShape.elementCount)
        defer { sample.deallocate() }
        for index in chosen * number / partCount..<chosen * (number + 1) / partCount {
          try copySample(statisticsSample(index), to: sample, scale: scale)
          add(&part, sample)
        }
        return part
      }
      results.withLock { $0[number] = result }
    }
    // Of several faults the first in the order of the samples, whichever came first.
    return try results.withLock { try $0.map { try $0!.get() } }
  }
}

/// Eigenvectors of a symmetric matrix, for principal components.
enum SymmetricEigen {
  /// Eigenvalues, largest first, and the eigenvectors, one a row.
  ///
  /// Source: Jacobi's cyclic rotations, Golub and Van Loan, Matrix Computations, section 8.5. The
  /// sign is chosen so that the largest entry of a vector is positive.
  static func decompose(_ matrix: [Double], size: Int) -> (values: [Double], vectors: [Double]) {
    var a = matrix
    var v = [Double](repeating: 0, count: size * size)
    for i in 0..<size { v[i * size + i] = 1 }
    let norm = a.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for _ in 0..<60 {
      var rest = 0.0
      for row in 0..<size {
        for column in row + 1..<max(size, row + 1) {
          rest += a[row * size + column] * a[row * size + column]
        }
      }
      if rest.squareRoot() <= 1e-14 * norm { break }
      for p in 0..<size {
        for q in p + 1..<max(size, p + 1) where abs(a[p * size + q]) > 1e-300 {
          rotate(&a, &v, size, p, q)
        }
      }
    }
    let order = (0..<size).map { a[$0 * size + $0] }.indicesFromLargest
    let values = order.map { a[$0 * size + $0] }
    let vectors = order.flatMap { row -> [Double] in
      let vector = Array(v[row * size..<(row + 1) * size])
      let largest = vector.max { abs($0) < abs($1) } ?? 1
      return largest < 0 ? vector.map { -$0 } : vector
    }
    return (values, vectors)
  }

  /// One rotation that makes a[p, q] zero; the rows of `v` become the eigenvectors.
  private static func rotate(
    _ a: inout [Double], _ v: inout [Double], _ size: Int, _ p: Int, _ q: Int
  ) {
    let tau = (a[q * size + q] - a[p * size + p]) / (2 * a[p * size + q])
    let t = (tau >= 0 ? 1.0 : -1.0) / (abs(tau) + (1 + tau * tau).squareRoot())
    let cosine = 1 / (1 + t * t).squareRoot()
    let sine = t * cosine
    func mix(_ m: inout [Double], _ i: Int, _ j: Int) {
      let (x, y) = (m[i], m[j])
      m[i] = cosine * x - sine * y
      m[j] = sine * x + cosine * y
    }
    for k in 0..<size { mix(&a, k * size + p, k * size + q) }
    for k in 0..<size { mix(&a, p * size + k, q * size + k) }
    for k in 0..<size { mix(&v, p * size + k, q * size + k) }
  }
}

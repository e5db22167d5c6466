import Foundation
import TernCore

/// Mixes the samples of a batch in pairs: λ·x + (1 − λ)·x', with λ from Beta(α, α) for each batch.
///
/// The loss is mixed alike, so that both classes of a pair count. What is drawn depends on seed,
/// epoch and the batch's number alone.
///
/// Source: Zhang et al., "mixup: Beyond empirical risk minimization", 2018.
struct Mixup: Sendable {
  private let alpha: Double
  private let generator: Philox
  private let epoch: Int

  init(alpha: Double, seed: UInt64, epoch: Int) {
    self.alpha = alpha
    self.epoch = epoch
    generator = Philox(seed: seed, stream: .augmentation)
  }

  /// Far from the numbers that the samples of the same epoch draw.
  private static let substream: UInt64 = 1 << 30

  /// Mixes in place.
  ///
  /// - Parameters:
  ///   - batch: its number in the epoch.
  ///   - labels: a class per sample.
  ///   - partners: written: the class of the sample that each was mixed with.
  /// - Returns: λ, how much of a sample is its own.
  func mix(
    batch: Int, count: Int, sampleSize: Int, images: UnsafeMutablePointer<Float>,
    labels: UnsafePointer<Int32>, partners: UnsafeMutablePointer<Int32>
  ) -> Float {
    var draws = SampleDraws(generator, epoch: epoch, sample: batch).substream(Self.substream)
    let own = Float(draws.symmetricBeta(alpha))
    partners.update(from: labels, count: count)
    withUnsafeTemporaryAllocation(of: Int.self, capacity: count) { order in
      for i in 0..<count { order[i] = i }
      for i in stride(from: count - 1, to: 0, by: -1) {
        order.swapAt(i, min(Int(draws.unit() * Double(i + 1)), i))
      }
      // The last of an odd number stays alone.
      for pair in 0..<count / 2 {
        let (first, second) = (order[2 * pair], order[2 * pair + 1])
        (partners[first], partners[second]) = (labels[second], labels[first])
        let (a, b) = (images + first * sampleSize, images + second * sampleSize)
        for i in 0..<sampleSize {
          let (x, y) = (a[i], b[i])
          a[i] = own * x + (1 - own) * y
          b[i] = own * y + (1 - own) * x
        }
      }
    }
    return own
  }
}

extension SampleDraws {
  /// In [0, 1], with density proportional to (x·(1 − x))^(α − 1): G/(G + G'), both of the gamma
  /// distribution.
  mutating func symmetricBeta(_ alpha: Double) -> Double {
    // In logarithms, for small α makes numbers that are 0 in any other form.
    1 / (1 + exp(logGamma(alpha) - logGamma(alpha)))
  }

  /// The logarithm of a number of the gamma distribution with that shape and scale 1.
  ///
  /// Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; below a
  /// shape of 1 from one above, times U^(1/shape).
  private mutating func logGamma(_ shape: Double) -> Double {
    guard shape >= 1 else { return logGamma(shape + 1) + log(positiveUnit()) / shape }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = Double(normals().0)
      let base = 1 + c * x
      guard base > 0 else { continue }
      let logV = 3 * log(base)
      if log(positiveUnit()) < 0.5 * x * x + d - d * exp(logV) + d * logV { return log(d) + logV }
    }
  }

  /// In (0, 1).
  private mutating func positiveUnit() -> Double { (Double(words().0) + 0.5) * 0x1p-32 }
}

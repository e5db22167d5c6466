import Foundation
import TernCore

/// The random numbers of one sample in one epoch.
struct SampleDraws {
  private let generator: Philox
  private let epoch: UInt32
  private let sample: UInt32
  private var block: UInt64

  init(_ generator: Philox, epoch: Int, sample: Int) {
    self.generator = generator
    self.epoch = UInt32(truncatingIfNeeded: epoch)
    self.sample = UInt32(truncatingIfNeeded: sample)
    block = 0
  }

  /// Those of one transform: its place in the list, far from those of the others.
  func substream(_ number: UInt64) -> SampleDraws {
    var result = self
    result.block = number << 32
    return result
  }

  mutating func words() -> Philox.Words {
    defer { block += 1 }
    return generator.words(block: block, epoch, sample)
  }

  /// In [0, 1).
  mutating func unit() -> Double { Double(Philox.uniform(words().0)) }

  mutating func number(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + unit() * (range.upperBound - range.lowerBound)
  }

  /// Uniform in the logarithm.
  mutating func power(from low: Double, to high: Double) -> Double {
    exp(number(in: log(low)...log(high)))
  }

  /// Two numbers of the standard normal distribution. Source: Box and Muller, 1958.
  mutating func normals() -> (Float, Float) {
    let words = words()
    let radius = (-2 * log((Double(words.0) + 0.5) * 0x1p-32)).squareRoot()
    let angle = 2 * Double.pi * Double(words.1) * 0x1p-32
    return (Float(radius * cos(angle)), Float(radius * sin(angle)))
  }
}

import Foundation

extension Philox {
  /// `count` numbers drawn from the standard normal distribution, of substream (`a`, `b`).
  ///
  /// Source: Box and Muller, 1958; computed in `Double` from 32-bit words.
  package func normals(_ count: Int, _ a: UInt32 = 0, _ b: UInt32 = 0) -> [Float] {
    func pair(_ u: UInt32, _ v: UInt32) -> (Float, Float) {
      let radius = (-2 * log((Double(u) + 0.5) * 0x1p-32)).squareRoot()
      let angle = 2 * Double.pi * Double(v) * 0x1p-32
      return (Float(radius * cos(angle)), Float(radius * sin(angle)))
    }
    return numbers(count, a, b) { w in
      let (x, y) = (pair(w.0, w.1), pair(w.2, w.3))
      return (x.0, x.1, y.0, y.1)
    }
  }
}

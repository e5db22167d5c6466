import Foundation

extension Philox {
  /// `count` numbers drawn from the standard normal distribution, of substream (`a`, `b`).
  ///
  /// Source: Box and Muller, 1958; computed in `Double` from 32-bit words.
  public func normals(_ count: Int, _ a: UInt32 = 0, _ b: UInt32 = 0) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(count + 3)
    for block in 0..<UInt64((count + 3) / 4) {
      let w = words(block: block, a, b)
      for (u, v) in [(w.0, w.1), (w.2, w.3)] {
        let radius = (-2 * log((Double(u) + 0.5) * 0x1p-32)).squareRoot()
        let angle = 2 * Double.pi * Double(v) * 0x1p-32
        result.append(Float(radius * cos(angle)))
        result.append(Float(radius * sin(angle)))
      }
    }
    return Array(result.prefix(count))
  }
}

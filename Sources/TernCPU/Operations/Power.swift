import Foundation

/// x ↦ x^exponent.
struct Power {
  let exponent: Float
  /// Four times the exponent, where that is a small integer: then square roots and products do,
  /// which vectorise. Local response normalisation raises to −¾.
  private let quarters: Int?

  init(_ exponent: Float) {
    self.exponent = exponent
    let quarters = exponent * 4
    self.quarters = quarters == quarters.rounded() && abs(quarters) <= 16 ? Int(quarters) : nil
  }

  /// y[i] = x[i]^exponent; y may be x.
  func loop(
    _ threads: Threads, _ count: Int, _ x: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>
  ) -> Step {
    if let quarters {
      return threads.elementwise(count) {
        transform($0, x, to: y) { Self.power($0, quarters: quarters) }
      }
    }
    return threads.elementwise(count) { [exponent] range in
      for i in range { y[i] = pow(x[i], exponent) }
    }
  }

  /// dx[i] = scale · x[i]^exponent · dy[i]; dx may be dy.
  func backwardLoop(
    _ threads: Threads, _ count: Int, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    _ dx: UnsafeMutablePointer<Float>, scale: Float
  ) -> Step {
    if let quarters {
      return threads.elementwise(count) {
        transform($0, dy, x, to: dx) {
          $0 * (Self.power($1, quarters: quarters) * scale)
        }
      }
    }
    return threads.elementwise(count) { [exponent] range in
      for i in range { dx[i] = dy[i] * (pow(x[i], exponent) * scale) }
    }
  }

  @inline(__always)
  private static func power(_ x: Vector, quarters: Int) -> Vector {
    let magnitude = abs(quarters)
    var result = Vector(repeating: 1)
    for _ in 0..<magnitude / 4 { result *= x }
    if magnitude & 3 != 0 {
      let root = x.squareRoot()
      if magnitude & 2 != 0 { result *= root }
      if magnitude & 1 != 0 { result *= root.squareRoot() }
    }
    return quarters < 0 ? 1 / result : result
  }
}

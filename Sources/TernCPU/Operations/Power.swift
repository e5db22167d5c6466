import Foundation
import TernGraph

/// x ↦ x^exponent.
struct Power {
  let exponent: Float
  private let quarters: Int?

  init(_ exponent: Float) {
    self.exponent = exponent
    quarters = Operations.Unary.quarters(exponent)
  }

  /// y = x^exponent.
  var kernel: UnaryKernel {
    if let quarters {
      return {
        transform(0..<$2, $0, to: $1) { Self.power($0, quarters: quarters) }
      }
    }
    return { [exponent] x, y, count in
      for i in 0..<count { y[i] = pow(x[i], exponent) }
    }
  }

  /// dx = scale · x^exponent · dy, of dy and x.
  func backwardKernel(scale: Float) -> BinaryKernel {
    // A constant passes nothing on, also where x^−1 is infinite.
    if scale == 0 { return { _, _, dx, count in dx.update(repeating: 0, count: count) } }
    if let quarters {
      return {
        transform(0..<$3, $0, $1, to: $2) {
          $0 * (Self.power($1, quarters: quarters) * scale)
        }
      }
    }
    return { [exponent] dy, x, dx, count in
      for i in 0..<count { dx[i] = dy[i] * (pow(x[i], exponent) * scale) }
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

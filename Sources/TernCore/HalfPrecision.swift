/// Numbers of 16 bits. (`Float16` is not available on every platform.)
package enum HalfPrecision {
  /// IEEE 754 binary16 widened.
  package static func float(_ bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let (exponent, fraction) = (Int(bits >> 10 & 0x1F), Float(bits & 0x3FF))
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction * 0x1p-10)
        * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }

  /// The nearest binary16, ties to even.
  package static func bits(_ value: Float) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isNaN { return sign | 0x7E00 }
    let magnitude = value.magnitude
    if magnitude >= 65520 { return sign | 0x7C00 }
    if magnitude < 0x1p-14 { return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven)) }
    let exponent = Int(magnitude.exponent)
    let steps = (magnitude.significand * 1024).rounded(.toNearestOrEven)
    // A fraction that rounds up to 2 carries into the exponent.
    return sign | UInt16((exponent + 15) << 10 + Int(steps) - 1024)
  }

  /// bfloat16 widened.
  @inlinable
  package static func brainFloat(_ bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  /// The nearest bfloat16, ties to even.
  @inlinable
  package static func brainBits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // Rounding could carry a NaN into infinity.
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16((bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  /// The nearest bfloat16, ties to even, as float32.
  package static func brain(_ value: Float) -> Float { brainFloat(brainBits(value)) }
}

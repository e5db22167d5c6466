extension SIMD8<Float> {
  /// e^x, lane by lane, to about one unit in the last place; 0 below the smallest normal number and
  /// infinity above the largest.
  ///
  /// x = n·ln 2 + r with |r| ≤ ½·ln 2; e^r by its Taylor polynomial of degree 7, whose remainder is
  /// below 2⁻²⁶ there; 2ⁿ by writing n into the exponent.
  @inline(__always)
  var exponential: Vector {
    // The bounds outside which 2ⁿ would leave the range of normal numbers.
    let clamped = replacing(with: -87.3, where: self .< -87.3)
      .replacing(with: 88.3, where: self .> 88.3)
    // Adding 1.5·2²³ rounds to an integer, which is then found in the low bits.
    let magic: Float = 12_582_912
    let shifted = clamped * 1.442_695_04 + magic
    let n = shifted - magic
    // ln 2 in two parts, the first short enough that its product with n is exact.
    let r = (clamped - n * 0.693_359_375) + n * 2.121_944_4e-4
    var p = r * (1 / 5040) + (1 / 720)
    p = p * r + (1 / 120)
    p = p * r + (1 / 24)
    p = p * r + (1 / 6)
    p = p * r + 0.5
    p = p * r + 1
    p = p * r + 1
    let exponent = unsafeBitCast(shifted, to: IntegerVector.self) &<< 23
    let bits = unsafeBitCast(p, to: IntegerVector.self) &+ exponent
    return unsafeBitCast(bits, to: Vector.self)
      .replacing(with: 0, where: self .< -87.3).replacing(with: .infinity, where: self .> 88.3)
  }
}

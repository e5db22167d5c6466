/// Floats as bfloat16: the upper half of their bits, rounded to the nearest, ties to even.
enum BrainFloats {
  @inline(__always)
  private static func bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    // Rounding could carry into the sign.
    return value.isNaN ? 0x7FC0 : rounded
  }

  @inline(__always)
  private static func value(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  static func encode(
    _ values: UnsafePointer<Float>, to bits: Slice<UnsafeMutableBufferPointer<UInt16>>
  ) {
    let target = UnsafeMutableBufferPointer(rebasing: bits)
    for i in target.indices { target[i] = Self.bits(values[i]) }
  }

  static func decode(
    _ bits: Slice<UnsafeMutableBufferPointer<UInt16>>, to values: UnsafeMutablePointer<Float>
  ) {
    let source = UnsafeMutableBufferPointer(rebasing: bits)
    for i in source.indices { values[i] = value(source[i]) }
  }

  static func round(_ values: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { values[i] = value(bits(values[i])) }
  }
}

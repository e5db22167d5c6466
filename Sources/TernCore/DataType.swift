/// The type of a tensor's elements.
public enum DataType: String, Hashable, Sendable, CaseIterable {
  /// IEEE 754 binary32: parameters, optimizer state, sums, and activations where nothing else is asked for.
  case float32
  /// IEEE 754 binary16: 5 bits of exponent, 10 of mantissa; the largest number is 65504.
  case float16
  /// The upper half of a binary32: 8 bits of exponent, 7 of mantissa.
  case bfloat16
  /// Two's complement, 32 bits: labels and indices.
  case int32
  /// 0 to 255: pictures as they are stored.
  case uint8

  /// The size of one element, in bytes.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .float16, .bfloat16: 2
    case .uint8: 1
    }
  }

  /// Whether elements are floating-point numbers.
  public var isFloat: Bool {
    switch self {
    case .float32, .float16, .bfloat16: true
    case .int32, .uint8: false
    }
  }

  /// Whether elements are floating-point numbers of 16 bits.
  public var isHalf: Bool { self == .float16 || self == .bfloat16 }

  /// The largest relative error of rounding a number to the type; 0 where integers are exact.
  public var unitRoundoff: Double {
    switch self {
    case .float32: 0x1p-24
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    case .int32, .uint8: 0
    }
  }
}

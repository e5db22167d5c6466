/// What the operands of matrix products and convolutions may be rounded to before they are
/// multiplied. Products are summed, and everything else is computed, in float32.
public enum Precision: String, Hashable, Sendable, CaseIterable {
  /// Nothing is rounded.
  case fp32
  /// NVIDIA's TensorFloat-32: 8 bits of exponent, 10 of mantissa.
  case tf32
  /// bfloat16: 8 bits of exponent, 7 of mantissa.
  case bf16

  /// The largest relative error of rounding an operand.
  public var unitRoundoff: Double {
    switch self {
    case .fp32: 0x1p-24
    case .tf32: 0x1p-11
    case .bf16: 0x1p-8
    }
  }
}

import TernCore

/// In how many bits a network is computed. Parameters, their updates, sums and losses are always float32.
public enum Precision: String, Hashable, Sendable, CaseIterable {
  /// Everything is float32.
  case fp32
  /// NVIDIA's TensorFloat-32: operands of products and convolutions are rounded to 8 bits of exponent and 10 of
  /// mantissa before they are multiplied.
  case tf32
  /// bfloat16, 8 bits of exponent and 7 of mantissa: what is multiplied, and where a device has kernels for it
  /// also how activations and their gradients are stored.
  case bf16
  /// The same by float16: 5 bits of exponent, 10 of mantissa.
  case fp16

  /// The largest relative error of rounding an operand.
  public var unitRoundoff: Double {
    switch self {
    case .fp32: 0x1p-24
    case .tf32, .fp16: 0x1p-11
    case .bf16: 0x1p-8
    }
  }

  /// The type of 16 bits that stands for it.
  package var halfType: DataType? {
    switch self {
    case .fp32, .tf32: nil
    case .bf16: .bfloat16
    case .fp16: .float16
    }
  }

  /// Whether gradients may be too small for it, so that the loss is scaled.
  package var scalesLoss: Bool { self == .fp16 }

  /// What users are told of it.
  package static let help =
    "In how many bits networks are computed: bf16 or fp16 where the device stores them so or has tensor cores, "
    + "tf32 for products by tensor cores; parameters, sums and losses stay fp32. One of "
    + allCases.map(\.rawValue).joined(separator: ", ") + "."
}

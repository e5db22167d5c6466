/// The type of a tensor's elements.
public enum DataType: String, Hashable, Sendable, CaseIterable {
  /// IEEE 754 binary32: activations, parameters, gradients.
  case float32
  /// Two's complement, 32 bits: labels and indices.
  case int32

  /// The size of one element, in bytes.
  public var byteCount: Int { 4 }
}

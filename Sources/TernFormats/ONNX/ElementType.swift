import TernCore

/// The types of elements that ONNX knows, by their numbers in a file.
package enum ElementType: Int, Sendable {
  case float = 1
  case uint8, int8, uint16, int16, int32, int64, string, bool, float16, double, uint32, uint64
  case complex64, complex128, bfloat16

  /// The name as ONNX's documentation writes it.
  package var name: String { "\(self)" }

  /// Whether its values are real numbers; on a device all of these are float32.
  package var isReal: Bool { [.float, .float16, .double, .bfloat16].contains(self) }

  /// Whether its values are whole numbers, or truth values (0 and 1).
  package var isInteger: Bool {
    ![.float, .float16, .double, .bfloat16, .string, .complex64, .complex128].contains(self)
  }

  /// The bytes of an element in raw data; `nil` where values are not read.
  package var byteCount: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .float, .int32, .uint32: 4
    case .double, .int64, .uint64: 8
    case .string, .complex64, .complex128: nil
    }
  }

  /// An integer brought into the range of the type, as a machine of two's complement does.
  package func wrapped(_ value: Int64) -> Int64 {
    switch self {
    case .uint8: Int64(UInt8(truncatingIfNeeded: value))
    case .int8: Int64(Int8(truncatingIfNeeded: value))
    case .uint16: Int64(UInt16(truncatingIfNeeded: value))
    case .int16: Int64(Int16(truncatingIfNeeded: value))
    case .int32: Int64(Int32(truncatingIfNeeded: value))
    case .uint32: Int64(UInt32(truncatingIfNeeded: value))
    case .bool: value == 0 ? 0 : 1
    default: value
    }
  }

  /// A real number as the type has it.
  package func rounded(_ value: Double) -> Double {
    switch self {
    case .float: Double(Float(value))
    case .float16: Double(HalfPrecision.float(HalfPrecision.bits(Float(value))))
    case .bfloat16: Double(HalfPrecision.brain(Float(value)))
    default: value
    }
  }
}

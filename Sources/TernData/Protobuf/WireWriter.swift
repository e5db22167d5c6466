import Foundation

/// Appends fields of a protocol buffer message, for the few messages of an event file and of an ONNX
/// file.
///
/// Writing four kinds of fields takes less than a protobuf library and the generated code of the
/// schemas would; TensorBoard's own reader and onnx's checker check the result.
///
/// Source: the wire format of protocol buffers: a varint key (number · 8 + kind), then the value.
package struct WireWriter {
  package private(set) var data = Data()

  package init() {}

  private enum Kind: UInt64 {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
  }

  private mutating func key(_ field: Int, _ kind: Kind) {
    varint(UInt64(field) << 3 | kind.rawValue)
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      data.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    data.append(UInt8(rest))
  }

  private mutating func fixed<T>(_ value: T) {
    withUnsafeBytes(of: value) { data.append(contentsOf: $0) }
  }

  package mutating func int(_ field: Int, _ value: Int) {
    key(field, .varint)
    varint(UInt64(bitPattern: Int64(value)))
  }

  package mutating func float(_ field: Int, _ value: Float) {
    key(field, .fixed32)
    fixed(value.bitPattern.littleEndian)
  }

  package mutating func double(_ field: Int, _ value: Double) {
    key(field, .fixed64)
    fixed(value.bitPattern.littleEndian)
  }

  /// A repeated field in the packed form.
  package mutating func doubles(_ field: Int, _ values: [Double]) {
    key(field, .lengthDelimited)
    varint(UInt64(values.count * 8))
    for value in values { fixed(value.bitPattern.littleEndian) }
  }

  /// A repeated field of integers in the packed form.
  package mutating func ints(_ field: Int, _ values: [Int]) {
    var inner = WireWriter()
    for value in values { inner.varint(UInt64(bitPattern: Int64(value))) }
    bytes(field, inner.data)
  }

  /// A repeated field of numbers in the packed form.
  package mutating func floats(_ field: Int, _ values: [Float]) {
    key(field, .lengthDelimited)
    varint(UInt64(values.count * 4))
    for value in values { fixed(value.bitPattern.littleEndian) }
  }

  package mutating func bytes(_ field: Int, _ value: Data) {
    key(field, .lengthDelimited)
    varint(UInt64(value.count))
    data.append(value)
  }

  package mutating func string(_ field: Int, _ value: String) { bytes(field, Data(value.utf8)) }

  package mutating func message(_ field: Int, _ body: (inout WireWriter) throws -> Void) rethrows {
    var inner = WireWriter()
    try body(&inner)
    bytes(field, inner.data)
  }
}

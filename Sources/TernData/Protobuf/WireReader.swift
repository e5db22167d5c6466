import Foundation
import TernCore

/// What is wrong with the bytes of a message.
package struct WireFault: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// A stretch of a file in Protocol Buffers' wire format. The bytes stay where the file was mapped.
///
/// Source: "Encoding", protobuf.dev. A reader of our own, because one of general use copies every field of
/// bytes, which for a network are its weights, and believes lengths before it has seen the bytes.
package struct WireSlice: Sendable {
  package let data: Data
  package let range: Range<Int>

  package init(_ data: Data) {
    self.data = data
    range = 0..<data.count
  }

  /// - Precondition: `range` is within the data.
  package init(_ data: Data, in range: Range<Int>) {
    self.data = data
    self.range = range
  }

  package var byteCount: Int { range.count }

  package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try data.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// The text that the bytes spell; what is not UTF-8 is replaced.
  package var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

  /// The fields of the message, in the order in which they are written.
  package func fields(_ budget: WireBudget) throws -> [(number: Int, value: WireValue)] {
    var fields: [(number: Int, value: WireValue)] = []
    try data.withUnsafeBytes { bytes in
      var cursor = WireCursor(bytes: bytes, range: range)
      while !cursor.isAtEnd {
        try budget.take(1)
        let key = try cursor.varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else {
          throw WireFault(description: "a field without a number")
        }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: fields.append((number, .varint(try cursor.varint())))
        case 1: fields.append((number, .fixed64(try cursor.fixed(UInt64.self))))
        case 5: fields.append((number, .fixed32(try cursor.fixed(UInt32.self))))
        case 2: fields.append((number, .bytes(WireSlice(data, in: try cursor.delimited()))))
        default:
          throw WireFault(description: "field \(number) has the unknown wire type \(key & 7)")
        }
      }
    }
    return fields
  }

  /// The numbers of a packed field.
  package func packedVarints(_ budget: WireBudget) throws -> [Int64] {
    // A number takes at least a byte.
    try budget.take(byteCount / 8)
    return try data.withUnsafeBytes { bytes in
      var cursor = WireCursor(bytes: bytes, range: range)
      var values: [Int64] = []
      while !cursor.isAtEnd { values.append(Int64(bitPattern: try cursor.varint())) }
      return values
    }
  }

  /// The numbers of a packed field, or of raw data, each as many bytes as `Word` has.
  package func words<Word: FixedWidthInteger>(_: Word.Type) throws -> [Word] {
    let size = MemoryLayout<Word>.size
    guard byteCount % size == 0 else {
      throw WireFault(description: "\(byteCount) bytes are not a number of words of \(size)")
    }
    return withUnsafeBytes { bytes in
      (0..<bytes.count / size).map {
        Word(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * size, as: Word.self))
      }
    }
  }
}

/// The value of a field.
package enum WireValue: Sendable {
  case varint(UInt64)
  case fixed64(UInt64)
  case fixed32(UInt32)
  case bytes(WireSlice)
}

/// How many fields a file may have: what they become takes more memory than what they are written with.
package final class WireBudget {
  private var left: Int

  package init(_ count: Int = 1 << 24) { left = count }

  package func take(_ count: Int) throws {
    left -= count
    guard left >= 0 else { throw WireFault(description: "more than 2^24 fields") }
  }
}

/// A place in bytes.
private struct WireCursor {
  let bytes: UnsafeRawBufferPointer
  var position: Int
  let end: Int

  init(bytes: UnsafeRawBufferPointer, range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { position == end }

  mutating func varint() throws -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while position < end {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
      guard shift < 64 else { throw WireFault(description: "a number of more than 64 bits") }
    }
    throw WireFault(description: "truncated")
  }

  mutating func fixed<Word: FixedWidthInteger>(_: Word.Type) throws -> Word {
    let size = MemoryLayout<Word>.size
    guard end - position >= size else { throw WireFault(description: "truncated") }
    defer { position += size }
    return Word(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Word.self))
  }

  mutating func delimited() throws -> Range<Int> {
    let length = try varint()
    guard length <= UInt64(end - position) else { throw WireFault(description: "truncated") }
    defer { position += Int(length) }
    return position..<position + Int(length)
  }
}

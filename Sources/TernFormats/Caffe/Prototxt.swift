import Foundation
import TernCore
import TernData

/// What is wrong with a file in Protocol Buffers' text format, and where.
package struct PrototxtFault: Error {
  package let line: Int
  package let text: String
}

/// A field of a message in text format.
struct PrototxtField: Sendable {
  enum Value: Sendable {
    /// A number, a truth value or a name of an enumeration, as it is written.
    case word(String)
    case string(String)
    case message(PrototxtMessage)
  }

  let name: String
  let value: Value
  let line: Int
}

/// A message in text format: its fields, in the order in which they are written.
struct PrototxtMessage: Sendable {
  var fields: [PrototxtField] = []
  /// Where it begins.
  let line: Int

  /// All fields of a name.
  func all(_ name: String) -> [PrototxtField] { fields.filter { $0.name == name } }
  /// The field of a name that counts: the last.
  func last(_ name: String) -> PrototxtField? { fields.last { $0.name == name } }
}

extension PrototxtMessage {
  func message(_ name: String) throws -> PrototxtMessage? {
    try last(name).map { try $0.message() }
  }

  func messages(_ name: String) throws -> [PrototxtMessage] {
    try all(name).map { try $0.message() }
  }

  func text(_ name: String) throws -> String? { try last(name).map { try $0.text() } }

  func texts(_ name: String) throws -> [String] { try all(name).map { try $0.text() } }

  func word(_ name: String) throws -> String? { try last(name).map { try $0.word() } }

  func number(_ name: String) throws -> Double? { try last(name).map { try $0.number() } }

  func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    try last(name).map { try $0.integer(in: range) }
  }

  func integers(_ name: String, in range: ClosedRange<Int>) throws -> [Int] {
    try all(name).map { try $0.integer(in: range) }
  }

  func truth(_ name: String, _ standard: Bool) throws -> Bool {
    guard let field = last(name) else { return standard }
    switch try field.word() {
    case "true", "True", "t", "1": return true
    case "false", "False", "f", "0": return false
    case let other: throw field.fault("expected true or false, got '\(other)'")
    }
  }
}

extension PrototxtField {
  func fault(_ text: String) -> PrototxtFault {
    PrototxtFault(line: line, text: "\(name): \(text)")
  }

  func message() throws -> PrototxtMessage {
    guard case .message(let message) = value else { throw fault("expected a message in braces") }
    return message
  }

  func text() throws -> String {
    guard case .string(let text) = value else { throw fault("expected a text in quotes") }
    return text
  }

  func word() throws -> String {
    switch value {
    case .word(let word): return word
    // The names of enumerations are found in quotes too.
    case .string(let text): return text
    case .message: throw fault("expected a value, got a message")
    }
  }

  func number() throws -> Double {
    guard case .word(let word) = value else { throw fault("expected a number") }
    let digits = word.hasSuffix("f") || word.hasSuffix("F") ? String(word.dropLast()) : word
    guard let number = Double(digits), number.isFinite else {
      throw fault("expected a number, got '\(word)'")
    }
    return number
  }

  func integer(in range: ClosedRange<Int>) throws -> Int {
    guard case .word(let word) = value, let number = Int(word) else {
      throw fault("expected a whole number")
    }
    guard range.contains(number) else {
      throw fault("expected \(range.lowerBound) to \(range.upperBound), got \(number)")
    }
    return number
  }
}

/// Reads Protocol Buffers' text format, without a schema.
///
/// Source: "Text Format Language Specification", protobuf.dev.
package struct PrototxtReader {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var fieldCount = 0

  private static let maximumDepth = 64
  private static let maximumFieldCount = 1 << 20
  private static let maximumByteCount = 1 << 26

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads a file.
  ///
  /// - Throws: ``TernError`` of kind `notFound` or `badData`, with the line.
  static func message(contentsOf path: String) throws -> PrototxtMessage {
    let data = try InputFile.contents(of: path)
    guard data.count <= maximumByteCount else {
      throw TernError(.badData, "\(path): \(data.count) bytes of text; at most 64 MiB are read")
    }
    var reader = PrototxtReader([UInt8](data))
    do { return try reader.message(depth: 0, closing: nil) } catch let fault as PrototxtFault {
      throw fault.error(in: path)
    }
  }

  private func fault(_ text: String) -> PrototxtFault { PrototxtFault(line: line, text: text) }

  private mutating func message(depth: Int, closing end: UInt8?) throws -> PrototxtMessage {
    guard depth < Self.maximumDepth else { throw fault("messages inside messages, \(depth) deep") }
    var message = PrototxtMessage(line: line)
    while true {
      skipSpace()
      guard position < bytes.count else {
        guard end == nil else {
          throw fault("the file ends inside a message that begins in line \(message.line)")
        }
        return message
      }
      if bytes[position] == end {
        position += 1
        return message
      }
      // Fields may have separators between them.
      if bytes[position] == UInt8(ascii: ",") || bytes[position] == UInt8(ascii: ";") {
        position += 1
        continue
      }
      try field(into: &message, depth: depth)
    }
  }

  private mutating func field(into message: inout PrototxtMessage, depth: Int) throws {
    let start = line
    let name = word()
    guard let first = name.utf8.first, Self.isLetter(first) else {
      throw fault("expected the name of a field, got \(found)")
    }
    skipSpace()
    var hasColon = false
    if position < bytes.count, bytes[position] == UInt8(ascii: ":") {
      hasColon = true
      position += 1
      skipSpace()
    }
    guard position < bytes.count else { throw fault("the file ends behind '\(name)'") }
    func append(_ value: PrototxtField.Value, _ message: inout PrototxtMessage) throws {
      fieldCount += 1
      guard fieldCount <= Self.maximumFieldCount else { throw fault("more than 2^20 fields") }
      message.fields.append(PrototxtField(name: name, value: value, line: start))
    }
    guard bytes[position] == UInt8(ascii: "[") else {
      try append(value(of: name, hasColon, depth), &message)
      return
    }
    // A list: the field several times.
    position += 1
    skipSpace()
    if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
      position += 1
      return
    }
    while true {
      skipSpace()
      guard position < bytes.count else { throw fault("the file ends inside a list") }
      try append(value(of: name, hasColon, depth), &message)
      skipSpace()
      guard position < bytes.count else { throw fault("the file ends inside a list") }
      let next = bytes[position]
      position += 1
      if next == UInt8(ascii: "]") { return }
      guard next == UInt8(ascii: ",") else {
        position -= 1
        throw fault("expected ',' or ']' in a list, got \(found)")
      }
    }
  }

  private mutating func value(
    of name: String, _ hasColon: Bool, _ depth: Int
  ) throws -> PrototxtField.Value {
    switch bytes[position] {
    case UInt8(ascii: "{"), UInt8(ascii: "<"):
      let end = bytes[position] == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: ">")
      position += 1
      return .message(try message(depth: depth + 1, closing: end))
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      guard hasColon else { throw fault("expected ':' behind '\(name)'") }
      var text = try string()
      // Texts beside each other are one.
      while true {
        skipSpace()
        guard position < bytes.count,
          bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "'")
        else { return .string(String(decoding: text, as: UTF8.self)) }
        text += try string()
      }
    default:
      let word = word()
      guard !word.isEmpty else { throw fault("expected a value of '\(name)', got \(found)") }
      guard hasColon else { throw fault("expected ':' behind '\(name)'") }
      return .word(word)
    }
  }

  /// The next character, for a message.
  private var found: String {
    guard position < bytes.count else { return "the end of the file" }
    let byte = bytes[position]
    return (0x21...0x7E).contains(byte)
      ? "'\(Character(Unicode.Scalar(byte)))'" : "the byte 0x" + String(byte, radix: 16)
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x0A:
        line += 1
        position += 1
      case 0x20, 0x09, 0x0D, 0x0B, 0x0C: position += 1
      case UInt8(ascii: "#"):
        while position < bytes.count, bytes[position] != 0x0A { position += 1 }
      default: return
      }
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
  }

  /// A name or a number: letters, digits, signs and points.
  private mutating func word() -> String {
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      guard Self.isLetter(byte) || (0x30...0x39).contains(byte) || "+-.".utf8.contains(byte) else {
        break
      }
      position += 1
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func string() throws -> [UInt8] {
    let quote = bytes[position]
    position += 1
    var result: [UInt8] = []
    while position < bytes.count, bytes[position] != quote {
      let byte = bytes[position]
      guard byte != 0x0A else { throw fault("a text goes on over the end of its line") }
      position += 1
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard position < bytes.count else { break }
      let escaped = bytes[position]
      position += 1
      switch escaped {
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): result.append(escaped)
      default: throw fault("an escape in a text that is not read")
      }
    }
    guard position < bytes.count else { throw fault("the file ends inside a text") }
    position += 1
    return result
  }
}

extension PrototxtFault {
  /// As one line that names the file.
  func error(in path: String) -> TernError { TernError(.badData, "\(path):\(line): \(text)") }
}

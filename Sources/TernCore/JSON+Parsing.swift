import Foundation

extension JSON {
  /// Why a text is not JSON.
  package struct ParsingFault: Error, CustomStringConvertible {
    package let description: String
  }

  /// The values that a text may hold: one that stands for more takes memory out of proportion.
  private static let valueLimit = 1 << 22

  /// Parses a JSON text (RFC 8259); the members of an object are ordered by their keys. A number comes
  /// back as the one it was written from: whole, where it is and fits 64 bits.
  ///
  /// - Parameter limit: the values that it may hold.
  package init(parsing text: String, limit: Int? = nil) throws {
    var text = text
    self = try text.withUTF8 { try JSON(parsing: UnsafeRawBufferPointer($0), limit: limit) }
  }

  /// Parses a JSON text in UTF-8.
  package init(parsing bytes: UnsafeRawBufferPointer, limit: Int? = nil) throws {
    var parser = JSONParser(bytes, limit: limit ?? Self.valueLimit)
    self = try parser.document()
  }
}

/// Reads a text once, from front to back.
private struct JSONParser {
  private let bytes: UnsafeRawBufferPointer
  private var place = 0
  private var depth = 0
  private var budget: Int

  /// Lists within lists beyond this are no data but an attack on the stack.
  private static let depthLimit = 200

  init(_ bytes: UnsafeRawBufferPointer, limit: Int) {
    (self.bytes, budget) = (bytes, limit)
  }

  mutating func document() throws -> JSON {
    let result = try value()
    passBlanks()
    guard place == bytes.count else { throw fault("text follows its end") }
    return result
  }

  private func fault(_ what: String) -> JSON.ParsingFault {
    JSON.ParsingFault(description: "\(what) at byte \(place)")
  }

  private mutating func value() throws -> JSON {
    passBlanks()
    budget -= 1
    guard budget >= 0 else { throw fault("too many values") }
    guard place < bytes.count else { throw fault("truncated") }
    switch bytes[place] {
    case UInt8(ascii: "{"): return try nested { try $0.object() }
    case UInt8(ascii: "["): return try nested { try $0.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(_ read: (inout Self) throws -> JSON) throws -> JSON {
    depth += 1
    guard depth <= Self.depthLimit else { throw fault("nested too deeply") }
    defer { depth -= 1 }
    place += 1
    return try read(&self)
  }

  private mutating func object() throws -> JSON {
    var members: [JSON.Member] = []
    if takes("}") { return .object([]) }
    repeat {
      passBlanks()
      guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
        throw fault("a key is missing")
      }
      let name = try string()
      guard takes(":") else { throw fault("':' is missing") }
      members.append(JSON.Member(name: name, value: try value()))
    } while takes(",")
    guard takes("}") else { throw fault("'}' is missing") }
    members.sort { $0.name < $1.name }
    for (one, next) in zip(members, members.dropFirst()) where one.name == next.name {
      throw fault("the key \"\(one.name)\" stands twice in the object that ends")
    }
    return .object(members)
  }

  private mutating func array() throws -> JSON {
    var values: [JSON] = []
    if takes("]") { return .array([]) }
    repeat { values.append(try value()) } while takes(",")
    guard takes("]") else { throw fault("']' is missing") }
    return .array(values)
  }

  private mutating func word(_ text: String, _ value: JSON) throws -> JSON {
    guard bytes[place...].starts(with: text.utf8) else { throw fault("no value") }
    place += text.utf8.count
    return value
  }

  private mutating func number() throws -> JSON {
    let start = place
    func digits(_ place: inout Int) -> Int {
      let first = place
      while place < bytes.count, bytes[place] >= 0x30, bytes[place] <= 0x39 { place += 1 }
      return place - first
    }
    if bytes[place] == UInt8(ascii: "-") { place += 1 }
    let whole = digits(&place)
    guard whole > 0, whole == 1 || bytes[place - whole] != 0x30 else { throw fault("no value") }
    if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
      place += 1
      guard digits(&place) > 0 else { throw fault("digits are missing") }
    }
    if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
      place += 1
      if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-")
      {
        place += 1
      }
      guard digits(&place) > 0 else { throw fault("digits are missing") }
    }
    guard place - start <= 1024 else { throw fault("a number that is too long") }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    if let value = Int(text), text != "-0" { return .int(value) }
    guard let value = Double(text) else { throw fault("no value") }
    // 1e400 is no number that a Double has.
    guard value.isFinite else { throw fault("a number that is too large") }
    if abs(value) < 0x1p53, value != 0 || value.sign == .plus, let whole = Int(exactly: value) {
      return .int(whole)
    }
    return .double(value)
  }

  private mutating func string() throws -> String {
    place += 1
    let start = place
    while place < bytes.count, bytes[place] != UInt8(ascii: "\""), bytes[place] != 0x5C {
      guard bytes[place] >= 0x20 else { throw fault("a control character in a string") }
      place += 1
    }
    guard place < bytes.count else { throw fault("a string is not closed") }
    // Most have no escapes.
    if bytes[place] == UInt8(ascii: "\"") {
      defer { place += 1 }
      return try text(bytes[start..<place])
    }
    var content = Array(bytes[start..<place])
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      guard bytes[place] >= 0x20 else { throw fault("a control character in a string") }
      if bytes[place] == 0x5C {
        content += UTF8.encode(try escape())!
      } else {
        content.append(bytes[place])
        place += 1
      }
    }
    guard place < bytes.count else { throw fault("a string is not closed") }
    place += 1
    return try text(content)
  }

  private func text(_ bytes: some Collection<UInt8>) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw fault("a string that is not UTF-8")
    }
    return text
  }

  private mutating func escape() throws -> Unicode.Scalar {
    place += 1
    guard place < bytes.count else { throw fault("a string is not closed") }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "\""), 0x5C, UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw fault("an unknown escape")
    }
    let high = try hexadecimal()
    if let scalar = Unicode.Scalar(high) { return scalar }
    // The halves of a character above U+FFFF.
    guard high < 0xDC00, bytes[place...].starts(with: "\\u".utf8) else {
      throw fault("half a character")
    }
    place += 2
    let low = try hexadecimal()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    else { throw fault("half a character") }
    return scalar
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard place + 4 <= bytes.count,
      bytes[place..<place + 4].allSatisfy({
        (0x30...0x39).contains($0) || (0x41...0x46).contains($0 & ~0x20)
      }),
      let value = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
    else { throw fault("an unknown escape") }
    place += 4
    return value
  }

  private mutating func takes(_ character: Unicode.Scalar) -> Bool {
    passBlanks()
    guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
    place += 1
    return true
  }

  private mutating func passBlanks() {
    while place < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[place]) { place += 1 }
  }
}

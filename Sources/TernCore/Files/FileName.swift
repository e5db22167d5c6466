/// The names of files as text.
///
/// A name is bytes to the system, and mostly UTF-8, but it need not be; a `String` holds nothing but
/// UTF-8. Here a byte that is no part of UTF-8 becomes a character of its own, U+10FE00 and the byte,
/// from a plane that no script uses. So any name can be kept in settings, and written to YAML and
/// JSON, and the bytes come back from it when the file is opened. A name that holds such a character
/// itself is taken byte by byte too: two names never become the same text.
package enum FileName {
  /// The character for a byte is this one and the byte, which is 128 or more.
  private static let base: UInt32 = 0x10FE00

  /// A name that came from the system.
  package static func text(_ bytes: some Collection<UInt8>) -> String {
    if let text = String(validating: bytes, as: UTF8.self), !holdsStandIn(text) { return text }
    let bytes = Array(bytes)
    var result = String.UnicodeScalarView()
    var position = 0
    while position < bytes.count {
      let length = length(ofCharacterStartingWith: bytes[position])
      let character = bytes[position..<min(position + length, bytes.count)]
      if let text = String(validating: character, as: UTF8.self), !holdsStandIn(text) {
        result.append(contentsOf: text.unicodeScalars)
        position += length
      } else {
        result.append(Unicode.Scalar(base + UInt32(bytes[position]))!)
        position += 1
      }
    }
    return String(result)
  }

  /// A name that came from the system as a string of C.
  package static func text(cString: UnsafePointer<CChar>) -> String {
    var count = 0
    while cString[count] != 0 { count += 1 }
    return cString.withMemoryRebound(to: UInt8.self, capacity: count) {
      text(UnsafeBufferPointer(start: $0, count: count))
    }
  }

  /// The bytes that a name stands for, to be handed to the system.
  package static func bytes(_ text: String) -> [UInt8] {
    guard holdsStandIn(text) else { return Array(text.utf8) }
    var result: [UInt8] = []
    for scalar in text.unicodeScalars {
      if let byte = byte(scalar) { result.append(byte) } else { result += UTF8.encode(scalar)! }
    }
    return result
  }

  /// A name as people read it: `caf\xE9`.
  package static func shown(_ text: String) -> String {
    guard holdsStandIn(text) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if let byte = byte(scalar) {
        result.append(contentsOf: "\\x\(String(byte, radix: 16, uppercase: true))".unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// The byte that a character stands for, if it does.
  package static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
    guard scalar.value >= base + 0x80, scalar.value <= base + 0xFF else { return nil }
    return UInt8(scalar.value - base)
  }

  private static func holdsStandIn(_ text: String) -> Bool {
    // All of them start with this byte, as few other characters do.
    text.utf8.contains(0xF4) && text.unicodeScalars.contains { byte($0) != nil }
  }

  private static func length(ofCharacterStartingWith byte: UInt8) -> Int {
    switch byte {
    case 0xF0...: 4
    case 0xE0...: 3
    case 0xC0...: 2
    default: 1
    }
  }
}

extension String {
  /// Calls `body` with the path as the system takes it; see ``FileName``. No file has a name with a
  /// byte 0 in it: such a path is handed on as the empty one, which names none.
  package func withFilePath<Result>(
    _ body: (UnsafePointer<CChar>) throws -> Result
  ) rethrows -> Result {
    var bytes = FileName.bytes(self).map { CChar(bitPattern: $0) }
    if bytes.contains(0) { bytes = [] }
    bytes.append(0)
    return try bytes.withUnsafeBufferPointer { try body($0.baseAddress!) }
  }
}

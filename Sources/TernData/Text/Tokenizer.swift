import TernCore

/// What text is cut into.
public enum TokenUnit: String, CaseIterable, Sendable {
  /// Bytes, whatever they stand for; there are 256.
  case byte
  /// Unicode scalars of UTF-8.
  case character
  /// Words, numbers and marks: letters, digits and underscores in a row, with apostrophes between them;
  /// any other character that is no blank; the end of a line.
  case word
}

/// Cuts text into tokens and joins tokens to text.
enum Tokenizer {
  /// Calls `body` with every token in order.
  ///
  /// Bytes that are no UTF-8 are read as U+FFFD, and CR LF as LF.
  static func forEachToken(
    in bytes: some Collection<UInt8>, _ unit: TokenUnit, _ body: (String) throws -> Void
  ) rethrows {
    switch unit {
    case .byte: for byte in bytes { try body(name(ofByte: byte)) }
    case .character: try forEachScalar(in: bytes) { try body(String($0)) }
    case .word:
      var word = String.UnicodeScalarView()
      // An apostrophe that belongs to a word if a letter follows.
      var apostrophe: Unicode.Scalar?
      func endWord() throws {
        if !word.isEmpty { try body(String(word)) }
        word.removeAll(keepingCapacity: true)
        if let mark = apostrophe { try body(String(mark)) }
        apostrophe = nil
      }
      try forEachScalar(in: bytes) { scalar in
        if isInWord(scalar) {
          if let mark = apostrophe { word.append(mark) }
          apostrophe = nil
          word.append(scalar)
        } else if apostrophe == nil, !word.isEmpty, scalar == "'" || scalar == "\u{2019}" {
          apostrophe = scalar
        } else {
          try endWord()
          if scalar == "\n" || !scalar.properties.isWhitespace { try body(String(scalar)) }
        }
      }
      try endWord()
    }
  }

  private static func isInWord(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_": return true
      default: return false
      }
    }
    return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
  }

  private static func forEachScalar(
    in bytes: some Collection<UInt8>, _ body: (Unicode.Scalar) throws -> Void
  ) rethrows {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var isAfterReturn = false
    while true {
      let scalar: Unicode.Scalar
      switch decoder.decode(&iterator) {
      case .scalarValue(let value): scalar = value
      case .error: scalar = "\u{FFFD}"
      case .emptyInput:
        if isAfterReturn { try body("\r") }
        return
      }
      if isAfterReturn, scalar != "\n" { try body("\r") }
      isAfterReturn = scalar == "\r"
      if !isAfterReturn { try body(scalar) }
    }
  }

  // MARK: Bytes

  /// What the token of a byte is called: `0x41`.
  static func name(ofByte byte: UInt8) -> String { byteNames[Int(byte)] }

  static let byteNames: [String] = (0...255).map {
    let digits = String($0, radix: 16)
    return "0x" + (digits.count == 1 ? "0" : "") + digits
  }

  static func byte(named name: String) -> UInt8? {
    name.hasPrefix("0x") ? UInt8(name.dropFirst(2), radix: 16) : nil
  }

  // MARK: Back to text

  /// Whether no blank stands between two words or marks where text is written.
  static func areJoined(_ first: String, _ second: String) -> Bool {
    if first == "\n" || second == "\n" { return true }
    let closing: Set = [
      ".", ",", ";", ":", "!", "?", ")", "]", "}", "%", "/", "-", "'", "\u{2019}",
    ]
    let opening: Set = ["(", "[", "{", "/", "-", "$", "#", "@"]
    return closing.contains(second) || opening.contains(first)
  }
}

// How text from outside (names of files and classes, settings, messages) is written into each
// format. All of it goes scalar by scalar: a `Character` may be a mark of markup together with
// another scalar that joins it, and comparing characters would let such a mark pass.

extension Unicode.Scalar {
  /// Whether showing it would do something else than show it: control characters, which move the
  /// cursor or command the terminal, line separators, and marks that turn the direction of writing.
  fileprivate var isControl: Bool {
    switch value {
    case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF,
      0xFFFE, 0xFFFF:
      true
    default: false
    }
  }

  /// Its value in four hexadecimal digits.
  fileprivate var hexadecimal: String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(4 - text.count, 0)) + text
  }
}

extension UInt8 {
  fileprivate var hexadecimal: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
  fileprivate var octal: String {
    let digits = String(self, radix: 8)
    return String(repeating: "0", count: 3 - digits.count) + digits
  }
}

extension String {
  private func escaping(_ replacement: (Unicode.Scalar) -> String?) -> String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if let text = replacement(scalar) {
        result.append(contentsOf: text.unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// Between double quotes, as JSON and YAML read it; nothing in it commands a terminal.
  package var quotedLiteral: String {
    "\""
      + escaping { scalar in
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: scalar.isControl ? "\\u" + scalar.hexadecimal : nil
        }
      } + "\""
  }

  /// As content or as a quoted attribute of HTML, XML and SVG.
  package var escapedForMarkup: String {
    var previous: Unicode.Scalar = " "
    return escaping { scalar in
      defer { previous = scalar }
      return switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      // Nothing but the end of a section of raw text, in XML.
      case ">": previous == "]" ? "&gt;" : nil
      case "\"": "&quot;"
      case "'": "&#39;"
      case "\n", "\t", "\u{200E}", "\u{200F}", "\u{061C}": nil
      // XML has no way to write most control characters.
      default: scalar.isControl ? "\u{FFFD}" : FileName.byte(scalar).map { "\\x" + $0.hexadecimal }
      }
    }
  }

  /// As a field of a CSV file: in double quotes where it needs them (RFC 4180).
  package var csvField: String {
    let needsQuotes =
      unicodeScalars.contains { [",", "\"", "\n", "\r"].contains($0) }
      || unicodeScalars.first == " " || unicodeScalars.last == " "
    return needsQuotes ? "\"" + escaping { $0 == "\"" ? "\"\"" : nil } + "\"" : self
  }

  /// As a cell of a table in Markdown.
  package var markdownCell: String {
    visible.escaping { scalar in
      switch scalar {
      case "|": "\\|"
      case "<": "&lt;"
      case "&": "&amp;"
      default: nil
      }
    }
  }

  /// On one line of a terminal: control characters are spelled as Swift and C spell them.
  package var visible: String { escaping(\.spelling) }

  /// On lines of a terminal: all but the line feeds is as ``visible``.
  package var visibleLines: String { escaping { $0 == "\n" ? nil : $0.spelling } }

  /// As one word of a command line that a shell reads: in quotes where it needs them.
  package var shellWord: String {
    let isPlain =
      !isEmpty
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "@%+=:,./-_".utf8.contains(byte)
        }
      }
    if isPlain { return self }
    // Nothing is special between single quotes but the quote itself.
    guard unicodeScalars.contains(where: { $0.spelling != nil }) else {
      return "'" + escaping { $0 == "'" ? "'\\''" : nil } + "'"
    }
    // What must not be printed as it is stands there by its bytes, in octal.
    return "$'"
      + escaping { scalar in
        switch scalar {
        case "'": "\\'"
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\t": "\\t"
        default:
          if let byte = FileName.byte(scalar) {
            "\\" + byte.octal
          } else {
            scalar.isControl ? UTF8.encode(scalar)!.map { "\\" + $0.octal }.joined() : nil
          }
        }
      } + "'"
  }

  /// A path as a word of a command line: never one that looks like a flag.
  package var shellPath: String {
    (unicodeScalars.first == "-" ? "./" + self : self).shellWord
  }
}

extension Unicode.Scalar {
  /// How a control character is spelled where it is shown; `nil` for what is shown as it is.
  fileprivate var spelling: String? {
    switch self {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default:
      if let byte = FileName.byte(self) {
        "\\x" + byte.hexadecimal
      } else if isControl {
        value < 0x100 ? "\\x" + UInt8(value).hexadecimal : "\\u{\(hexadecimal)}"
      } else {
        nil
      }
    }
  }
}

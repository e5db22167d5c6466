import Foundation
import TernCore
import Testing

/// Text from outside comes back from every format as it was, and never means anything in it.
@Suite struct EscapingTests {
  /// What joins the scalar before or after it to one character, what formats give a meaning to, what
  /// moves a cursor, and what looks harmless.
  private static let pool: [Unicode.Scalar] = [
    "<", ">", "&", "\"", "'", "\\", "/", "\n", "\r", "\t", "\u{1B}", "\u{7}", "\u{9B}", "\u{85}",
    "\u{7F}", "\u{600}", "\u{301}", "\u{200D}", "\u{FE0F}", "\u{202E}", "\u{2028}", "\u{FEFF}",
    "\u{FFFF}", "\u{110BD}", "\u{1F1E9}", "#", ":", "-", " ", ",", "$", "`", "!", "%", "{", "[",
    "é", "日", "\u{1F600}", "a", "0", "~", "*", "?",
  ]

  static let texts: [String] = {
    var texts = [
      "", " ", "-x", "--out", "\u{600}<img src=x onerror=alert(1)>", "\"\u{301}", "<\u{301}b>",
      "\r\n", "my \"best\" pics", "a\\new", "a: b # c", " leading", "null", "0x10", "1e3", "~",
      "yes",
      "'\u{200D}'", "\\\u{600}\"", "$(touch x)", "`x`", "=1+1", "]]>",
    ]
    let generator = Philox(seed: 7, stream: .data)
    for number in 0..<300 {
      let draws = generator.uniforms(12, UInt32(number))
      var text = String.UnicodeScalarView()
      for draw in draws.dropFirst().prefix(1 + number % 11) {
        text.append(pool[Int(draw * Float(pool.count)) % pool.count])
      }
      texts.append(String(text))
    }
    return texts
  }()

  private func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

  @Test func jsonReadsBackWhatWasWritten() throws {
    for text in Self.texts {
      let line = JSON.object([JSON.Member(name: text, value: .string(text))]).description
      guard case .object(let members) = try JSON(parsing: line) else {
        Issue.record("\(line)")
        continue
      }
      #expect(members.count == 1 && scalars(members[0].name) == scalars(text))
      #expect(scalars(members[0].value.stringValue ?? "") == scalars(text), "\(line)")
      #expect(line.visible == line, "nothing in it commands a terminal")
    }
  }

  @Test func markupIsNeverOpenedOrClosed() {
    for text in Self.texts {
      let escaped = text.escapedForMarkup
      let marks = escaped.unicodeScalars.filter { ["<", "\"", "'"].contains($0) }
      #expect(marks.isEmpty && !escaped.contains("]]>"), "\(escaped)")
      // What a reader of the page makes of it.
      var plain = escaped
      for (entity, mark) in [
        ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&"),
      ] {
        plain = plain.replacingOccurrences(of: entity, with: mark, options: .literal)
      }
      let expected = text.unicodeScalars.filter { $0.value >= 0x20 }
      #expect(plain.unicodeScalars.filter { $0 == "\u{FFFD}" }.count <= text.unicodeScalars.count)
      #expect(
        plain.unicodeScalars.count { $0 == "<" } == expected.count { $0 == "<" }, "\(escaped)")
    }
  }

  @Test func terminalsAreNotCommanded() {
    for text in Self.texts {
      for scalar in text.visible.unicodeScalars {
        #expect(scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value))
        #expect(!(0x202A...0x202E).contains(scalar.value))
      }
      #expect(
        text.visibleLines.unicodeScalars.count { $0 == "\n" }
          == text.unicodeScalars.count { $0 == "\n" })
    }
    #expect("a\u{1B}[31m\n".visible == "a\\x1b[31m\\n")
    #expect("café 日本".visible == "café 日本")
  }

  @Test func aShellReadsTheWordThatWasMeant() throws {
    // As one script, so that one shell reads all.
    let texts = Self.texts.filter { !$0.unicodeScalars.contains("\0") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = [
      "--norc", "-c", texts.map { "printf '%s\\0' \($0.shellWord)" }.joined(separator: "\n"),
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let words = output.split(separator: 0, omittingEmptySubsequences: false).dropLast()
    #expect(words.count == texts.count)
    for (word, text) in zip(words, texts) {
      #expect(Array(word) == Array(text.utf8), "\(text.shellWord)")
    }
    for text in texts { #expect(text.shellWord.visible == text.shellWord) }
    #expect("-x".shellPath == "./-x")
    #expect("-x y".shellPath == "'./-x y'")
  }

  @Test func tablesReadBackWhatWasWritten() {
    for text in Self.texts {
      let field = text.csvField
      guard field.unicodeScalars.first == "\"", field != text else {
        #expect(scalars(field) == scalars(text))
        #expect(!field.unicodeScalars.contains { [",", "\n", "\r", "\""].contains($0) })
        continue
      }
      let inner = field.unicodeScalars.dropFirst().dropLast()
      var (plain, isQuote) = ([UInt32](), false)
      for scalar in inner {
        if scalar == "\"", !isQuote {
          isQuote = true
          continue
        }
        #expect(!isQuote || scalar == "\"", "\(field)")
        isQuote = false
        plain.append(scalar.value)
      }
      #expect(plain == scalars(text))
    }
  }
}

@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ])
  func digestsOfTheStandard(text: String, digest: String) {
    var whole = SHA256()
    whole.update(text.utf8)
    #expect(whole.hexadecimal == digest)
    var parts = SHA256()
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: 37) {
      parts.update(bytes[start..<min(start + 37, bytes.count)])
    }
    #expect(parts.hexadecimal == digest)
  }
}

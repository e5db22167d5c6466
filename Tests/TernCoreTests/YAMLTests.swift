import TernCore
import Testing

@Suite struct YAMLTests {
  /// What means something in YAML, joins its neighbours to one character, or is no printable one.
  private static let pool: [Unicode.Scalar] = [
    "\"", "\\", "'", "#", ":", "-", " ", "\n", "\r", "\t", "\u{85}", "\u{2028}", "\u{FEFF}",
    "\u{1B}", "\u{7F}", "\u{9B}", "\u{600}", "\u{301}", "\u{200D}", "\u{1F600}", "{", "}", "[", "]",
    ",", "&", "*", "!", "|", ">", "%", "@", "`", "a", "1", "~", "é",
  ]

  @Test func settingsReadBackAsTheyWereWritten() throws {
    let generator = Philox(seed: 3, stream: .data)
    var texts = ["", "null", "true", "1", "1e3", " a", "a ", "- a", "a: b", "---", "...", "? a"]
    for number in 0..<400 {
      let draws = generator.uniforms(10, UInt32(number))
      var text = String.UnicodeScalarView()
      for draw in draws.prefix(1 + number % 10) {
        text.append(Self.pool[Int(draw * Float(Self.pool.count)) % Self.pool.count])
      }
      // A mark of the order of bytes at the beginning is dropped by whoever reads.
      if text.first != "\u{FEFF}" { texts.append(String(text)) }
    }
    for text in texts {
      let value = AttributeValue.string(text)
      let map = AttributeValue.map(["key": value, "y": .int(1), "0x1f": .bool(true), "on": .null])
      let settings = [
        (name: "text", value: value), (name: "list", value: .list([value, .double(0.1), .null])),
        (name: "map", value: map), (name: "last", value: .int(7)),
      ]
      let yaml = YAML.text(settings, notes: ["text": "a note: \(text)"])
      let read = try YAML.parseMap(yaml, file: "config.yaml")
      #expect(scalars(read["text"]) == scalars(value), "\(yaml)")
      #expect(read["list"] == settings[1].value && read["map"] == map, "\(yaml)")
      #expect(read["last"] == .int(7))
    }
  }

  private func scalars(_ value: AttributeValue?) -> [Unicode.Scalar]? {
    if case .string(let text)? = value { Array(text.unicodeScalars) } else { nil }
  }
}

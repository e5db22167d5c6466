import TernCore
import Testing

@Suite struct JSONParsingTests {
  @Test func valuesAreWhatTheySay() throws {
    #expect(
      try JSON(parsing: #" {"b": [1, -2.5, 1e3, true, null], "a": "x\n\u00e9\ud83d\ude00\/"} "#)
        == .object([
          "a": .string("x\né😀/"),
          "b": .array([.int(1), .double(-2.5), .int(1000), .bool(true), .null]),
        ]))
    #expect(try JSON(parsing: "-0") == .double(-0.0))
    #expect(try JSON(parsing: "9223372036854775807") == .int(.max))
    #expect(try JSON(parsing: "0.1") == .double(0.1))
  }

  /// A truth is no number, and a number that no integer holds is none.
  @Test func numbersAreNotMadeUp() throws {
    #expect(try JSON(parsing: "true").intValue == nil)
    #expect(try JSON(parsing: "99999999999999999999").intValue == nil)
    #expect(try JSON(parsing: "1e30").intValue == nil)
    #expect(try JSON(parsing: "2.5").intValue == nil)
  }

  @Test(arguments: [
    "", " ", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "1e",
    "nul",
    "NaN", "\"", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\u12\"", "\"\n\"", "[1] 2", "1e400",
    "{\"a\":1,\"a\":2}", "'a'",
  ])
  func whatIsNoJSONIsRefused(text: String) {
    #expect(throws: JSON.ParsingFault.self) { try JSON(parsing: text) }
  }

  @Test func depthAndCountAreBounded() {
    #expect(throws: JSON.ParsingFault.self) {
      try JSON(parsing: String(repeating: "[", count: 100_000))
    }
    #expect(throws: JSON.ParsingFault.self) { try JSON(parsing: "[1,2,3]", limit: 3) }
    #expect(throws: Never.self) { try JSON(parsing: "[1,2,3]", limit: 4) }
    #expect(throws: JSON.ParsingFault.self) {
      try JSON(parsing: String(repeating: "9", count: 2000))
    }
  }

  @Test func bytesThatAreNoTextAreRefused() {
    let bytes: [UInt8] = [0x22, 0xE9, 0x22]
    #expect(throws: JSON.ParsingFault.self) { try bytes.withUnsafeBytes { try JSON(parsing: $0) } }
  }
}

import TernCore

/// The header of an NPY file: a dictionary as Python writes it, with the keys `descr`,
/// `fortran_order` and `shape`.
///
/// Versions of NumPy differ in quotes, blanks, commas and in the `L` behind long integers.
struct NPYHeader {
  /// Such as `<f4`.
  let type: String
  let isFortranOrder: Bool
  let shape: [Int]

  /// What is wrong with a header.
  struct Fault: Error {
    let text: String
  }

  private enum Value: Equatable {
    case text(String)
    case bool(Bool)
    case integers([Int])
    /// The type of structures, which are not read.
    case other
  }

  init(_ text: String) throws {
    var parser = Parser(text)
    let values = try parser.dictionary()
    guard case .text(let type)? = values["descr"] else {
      throw Fault(text: "the header names no simple type: \(Self.excerpt(text))")
    }
    guard case .bool(let order)? = values["fortran_order"] else {
      throw Fault(text: "the header does not say the order of axes: \(Self.excerpt(text))")
    }
    guard case .integers(let shape)? = values["shape"] else {
      throw Fault(text: "the header has no shape: \(Self.excerpt(text))")
    }
    (self.type, isFortranOrder, self.shape) = (type, order, shape)
  }

  private static func excerpt(_ header: String) -> String {
    String(header.prefix(80).filter { !$0.isNewline })
  }

  private struct Parser {
    private let text: [UInt8]
    private var place = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    private func fault() -> Fault { Fault(text: "the header is malformed at byte \(place)") }

    mutating func dictionary() throws -> [String: Value] {
      var values: [String: Value] = [:]
      try expect("{")
      while !takes("}") {
        let key = try string()
        try expect(":")
        values[key] = try value()
        if takes(",") { continue }
        try expect("}")
        break
      }
      passBlanks()
      guard place == text.count else { throw fault() }
      return values
    }

    private mutating func value() throws -> Value {
      passBlanks()
      guard place < text.count else { throw fault() }
      switch text[place] {
      case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "u"), UInt8(ascii: "b"):
        return .text(try string())
      case UInt8(ascii: "("):
        return .integers(try integers())
      case UInt8(ascii: "["):
        try passBrackets()
        return .other
      default:
        if takes("True") { return .bool(true) }
        if takes("False") { return .bool(false) }
        // Some other word.
        place =
          text[place...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") }
          ?? text.count
        return .other
      }
    }

    /// `(40, 4)`, `(40L,)`, `()`.
    private mutating func integers() throws -> [Int] {
      try expect("(")
      var result: [Int] = []
      while !takes(")") {
        passBlanks()
        let start = place
        var number = 0
        while place < text.count, text[place] >= 0x30, text[place] <= 0x39 {
          let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
          let (sum, carry) = tens.addingReportingOverflow(Int(text[place] - 0x30))
          guard !overflow, !carry else {
            throw Fault(text: "an axis of its shape is longer than any memory")
          }
          number = sum
          place += 1
        }
        guard place > start else { throw fault() }
        if place < text.count, text[place] | 0x20 == UInt8(ascii: "l") { place += 1 }
        result.append(number)
        guard result.count <= 32 else { throw Fault(text: "more than 32 axes") }
        if takes(",") { continue }
        try expect(")")
        break
      }
      return result
    }

    private mutating func string() throws -> String {
      passBlanks()
      // u'…' and b'…'.
      if place < text.count, text[place] == UInt8(ascii: "u") || text[place] == UInt8(ascii: "b") {
        place += 1
      }
      guard place < text.count,
        text[place] == UInt8(ascii: "'") || text[place] == UInt8(ascii: "\"")
      else { throw fault() }
      let quote = text[place]
      place += 1
      guard let end = text[place...].firstIndex(of: quote) else { throw fault() }
      defer { place = end + 1 }
      return String(decoding: text[place..<end], as: UTF8.self)
    }

    /// A list is passed over: the type of a structure.
    private mutating func passBrackets() throws {
      var depth = 0
      repeat {
        guard place < text.count else { throw fault() }
        if text[place] == UInt8(ascii: "[") { depth += 1 }
        if text[place] == UInt8(ascii: "]") { depth -= 1 }
        place += 1
      } while depth > 0
    }

    private mutating func expect(_ word: String) throws {
      guard takes(word) else { throw fault() }
    }

    private mutating func takes(_ word: String) -> Bool {
      passBlanks()
      guard text[place...].starts(with: word.utf8) else { return false }
      place += word.utf8.count
      return true
    }

    private mutating func passBlanks() {
      while place < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[place]) { place += 1 }
    }
  }
}

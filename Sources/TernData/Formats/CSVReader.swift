import TernCore

/// The records of a text file of separated fields (RFC 4180), read once from front to back.
///
/// - Fields are separated by commas, semicolons or tabs, by what most of the first line is; where they
///   are as many, not by the comma, which then may stand in numbers.
/// - A field may stand in double quotes, where two stand for one, and which may hold separators and
///   ends of lines. Blanks around a field do not count.
/// - A line ends with LF, CR LF, or CR. Lines without anything but blanks are passed over.
struct CSVReader {
  /// The fields of the record that was read last: their bytes, each field followed by a 0.
  private(set) var text: [UInt8] = []
  /// Where in ``text`` each field is.
  private(set) var fields: [Range<Int>] = []
  /// The line, counted from 1, that it began in.
  private(set) var line = 0

  private let path: String
  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private var nextLine = 1
  private let separator: UInt8

  /// The longest record that is read, in bytes: a quote that is never closed is not read on to the end.
  static let recordLimit = 1 << 24
  /// The lines that one record may take.
  static let recordLineLimit = 1000
  /// The fields that one record may have.
  static let fieldLimit = 1 << 20

  private static let (lineFeed, carriageReturn) = (UInt8(0x0A), UInt8(0x0D))
  private static let (quote, blank) = (UInt8(0x22), UInt8(0x20))

  /// - Parameters:
  ///   - bytes: the file; they have to stay where they are.
  ///   - path: what an error calls it.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw TernError(.badData, "\(path): text in UTF-16; save it as UTF-8")
    }
    (self.bytes, self.path) = (bytes, path)
    // The mark that some programs put before UTF-8.
    position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    separator = Self.separator(of: bytes[position...].prefix(Self.recordLimit))
  }

  func fault(_ line: Int, _ text: String) -> TernError {
    TernError(.badData, "\(path): line \(line): \(text)")
  }

  /// Reads the next record; `false` at the end of the file.
  mutating func next() throws -> Bool {
    text.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
    passBlankLines()
    guard position < bytes.count else { return false }
    line = nextLine
    let start = position
    while true {
      passBlanks()
      if position < bytes.count, bytes[position] == Self.quote {
        try readQuoted(recordStart: start)
      } else {
        try readPlain(recordStart: start)
      }
      guard fields.count <= Self.fieldLimit else {
        throw fault(line, "more than \(Self.fieldLimit) fields")
      }
      guard position < bytes.count, bytes[position] == separator else { break }
      position += 1
    }
    passLineEnd()
    return true
  }

  // MARK: Fields

  private mutating func readPlain(recordStart: Int) throws {
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == separator || byte == Self.lineFeed || byte == Self.carriageReturn { break }
      guard byte != 0 else { throw fault(line, "holds a byte 0: not a text file") }
      position += 1
      guard position - recordStart <= Self.recordLimit else { throw tooLong() }
    }
    var end = position
    while end > start, bytes[end - 1] == Self.blank { end -= 1 }
    append(start..<end)
    endField(from: text.count - (end - start))
  }

  private mutating func readQuoted(recordStart: Int) throws {
    let first = text.count
    position += 1
    var start = position
    while true {
      guard position < bytes.count, nextLine - line < Self.recordLineLimit else {
        throw fault(line, "a quote is not closed")
      }
      guard position - recordStart <= Self.recordLimit else { throw tooLong() }
      let byte = bytes[position]
      guard byte != 0 else { throw fault(line, "holds a byte 0: not a text file") }
      if byte == Self.quote {
        append(start..<position)
        position += 1
        guard position < bytes.count, bytes[position] == Self.quote else { break }
        // Two stand for one.
        start = position
      } else if byte == Self.lineFeed
        || byte == Self.carriageReturn && !isLineFeed(at: position + 1)
      {
        nextLine += 1
      }
      position += 1
    }
    endField(from: first)
    passBlanks()
    guard position == bytes.count || bytes[position] == separator || isLineEnd(at: position) else {
      throw fault(line, "text follows a closing quote")
    }
  }

  private mutating func append(_ range: Range<Int>) {
    text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  /// Ends a field with a 0, where C's reader of numbers stops.
  private mutating func endField(from start: Int) {
    fields.append(start..<text.count)
    text.append(0)
  }

  private func tooLong() -> TernError { fault(line, "longer than \(Self.recordLimit) bytes") }

  // MARK: Blanks and ends of lines

  private func isLineFeed(at place: Int) -> Bool {
    place < bytes.count && bytes[place] == Self.lineFeed
  }

  private func isLineEnd(at place: Int) -> Bool {
    bytes[place] == Self.lineFeed || bytes[place] == Self.carriageReturn
  }

  private mutating func passBlanks() {
    while position < bytes.count, bytes[position] == Self.blank { position += 1 }
  }

  private mutating func passLineEnd() {
    guard position < bytes.count else { return }
    position += bytes[position] == Self.carriageReturn && isLineFeed(at: position + 1) ? 2 : 1
    nextLine += 1
  }

  private mutating func passBlankLines() {
    while true {
      let start = position
      passBlanks()
      guard position < bytes.count, isLineEnd(at: position) else {
        // Blanks before the first field do not count, blanks before the end of the file neither.
        if position < bytes.count { position = start }
        return
      }
      passLineEnd()
    }
  }

  /// The character of the first line that separates most of its fields.
  private static func separator(of bytes: Slice<UnsafeRawBufferPointer>) -> UInt8 {
    var counts: [UInt8: Int] = [0x09: 0, 0x3B: 0, 0x2C: 0]
    var isQuoted = false
    for byte in bytes {
      if byte == quote { isQuoted.toggle() }
      if isQuoted { continue }
      if byte == lineFeed || byte == carriageReturn {
        if counts.values.contains(where: { $0 > 0 }) { break }
        continue
      }
      if byte == 0x09 || byte == 0x3B || byte == 0x2C { counts[byte]! += 1 }
    }
    return [0x09, 0x3B, 0x2C].max { counts[$0]! < counts[$1]! }!
  }
}

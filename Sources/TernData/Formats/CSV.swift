import Foundation
import TernCore

/// Tables of numbers with a class each.
///
/// Fields are separated by commas, semicolons or tabs, by what most of the first line is, and may
/// stand in double quotes, where two stand for one (RFC 4180). The first line holds the names of the
/// columns if any of its fields, the last apart, is not a number. The class is the column called
/// `label` (in any case), else the last one; all others are numbers, which make a sample [D]. Classes
/// are numbered in the order of their names, or of their values where all are whole numbers.
struct CSVTable {
  private(set) var values: [Float] = []
  private(set) var labels: [String] = []
  private(set) var featureCount = 0
  private var labelColumn = 0
  private var columns: [String] = []
  /// What its columns are called, that of the class apart; numbers where it has no header.
  var featureNames: [String] {
    columns.indices.filter { $0 != labelColumn }.map { columns[$0] }
  }
  private var separator = UInt8(ascii: ",")
  private let path: String

  /// The longest line that is read.
  private static let lineLimit = 1 << 24
  /// The lines that one sample may take: a quote that is never closed is not read on to the end.
  private static let lineCountLimit = 1000

  /// - Throws: ``TernError`` naming file, line and column of the fault.
  init(contentsOf path: String) throws {
    self.path = path
    let data = try InputFile.contents(of: path)
    var number = 0
    // A line with an end that C's number parser stops at.
    var line: [UInt8] = []
    try data.withUnsafeBytes { bytes in
      if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
        throw TernError(.badData, "\(path): text in UTF-16; save it as UTF-8")
      }
      // The mark that some programs put before UTF-8.
      var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
      while start < bytes.count {
        line.removeAll(keepingCapacity: true)
        var fields: [Field]?
        let first = number + 1
        // A field in quotes may hold ends of lines.
        repeat {
          guard start < bytes.count, number - first < Self.lineCountLimit else {
            throw fault(first, "a quote is not closed")
          }
          let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
          number += 1
          guard line.count + end - start <= Self.lineLimit else {
            throw fault(first, "longer than \(Self.lineLimit) bytes")
          }
          if !line.isEmpty { line[line.count - 1] = 0x0A }
          line.append(contentsOf: bytes[start..<end])
          if line.last == 0x0D { line.removeLast() }
          start = end + 1
          guard !line.contains(0) else { throw fault(number, "holds a byte 0: not a text file") }
          line.append(0)
          fields = try split(line, first)
        } while fields == nil
        if let fields, !fields.isEmpty { try read(fields, of: line, first) }
      }
    }
    guard !labels.isEmpty else { throw TernError(.badData, "\(path): no line with a sample") }
  }

  private func fault(_ line: Int, _ text: String) -> TernError {
    TernError(.badData, "\(path): line \(line): \(text)")
  }

  private mutating func read(_ fields: [Field], of line: [UInt8], _ number: Int) throws {
    if columns.isEmpty {
      guard fields.count >= 2 else {
        throw fault(
          number,
          "\(fields.count) column where at least 2 belong, separated by commas, semicolons or tabs")
      }
      let texts = fields.map { Self.text(line, $0) }
      let isHeader = texts.dropLast().contains { Double($0) == nil }
      columns = isHeader ? texts : texts.indices.map { "\($0 + 1)" }
      labelColumn =
        isHeader
        ? texts.firstIndex { $0.lowercased() == "label" } ?? texts.count - 1 : texts.count - 1
      featureCount = columns.count - 1
      if isHeader { return }
    }
    guard fields.count == columns.count else {
      throw fault(number, "\(fields.count) fields where \(columns.count) belong")
    }
    try line.withUnsafeBytes { bytes in
      let text = bytes.assumingMemoryBound(to: CChar.self).baseAddress!
      for (column, field) in fields.enumerated() where column != labelColumn {
        var end: UnsafeMutablePointer<CChar>?
        let value = strtof(text + field.range.lowerBound, &end)
        var stop = end.map { UnsafePointer($0) - text } ?? 0
        while stop < field.range.upperBound, bytes[stop] == 0x20 { stop += 1 }
        guard stop == field.range.upperBound, !field.range.isEmpty, value.isFinite else {
          throw unfit(Self.text(line, field), column: column, number)
        }
        values.append(value)
      }
    }
    let label = Self.text(line, fields[labelColumn])
    guard !label.isEmpty else {
      throw fault(number, "column '\(columns[labelColumn])': no label")
    }
    labels.append(label)
  }

  /// What stands where a number belongs.
  private func unfit(_ text: String, column: Int, _ line: Int) -> TernError {
    guard !text.isEmpty else {
      return fault(
        line, "column '\(columns[column])': no number; fill it in, or leave the line out")
    }
    let label = columns[labelColumn]
    return fault(
      line,
      "column '\(columns[column])': expected a number, got '\(text)'"
        + (label.lowercased() == "label"
          ? "" : "; the class is taken from the last column, unless one is called label"))
  }

  /// A field of a line.
  private struct Field {
    /// Where it is, without its quotes.
    let range: Range<Int>
    /// Whether it holds quotes, each written twice.
    var hasQuotes = false
  }

  /// The character of the first line that separates most of its fields; of equals, not the comma,
  /// which then may stand in numbers.
  private static func separator(of line: [UInt8]) -> UInt8 {
    var counts = [UInt8: Int]()
    var isQuoted = false
    for byte in line {
      if byte == 0x22 { isQuoted.toggle() }
      if !isQuoted { counts[byte, default: 0] += 1 }
    }
    return [0x09, 0x3B, 0x2C].max { counts[$0, default: 0] < counts[$1, default: 0] }!
  }

  /// The fields of a line; none where it is blank, `nil` where it ends within quotes.
  private mutating func split(_ line: [UInt8], _ number: Int) throws -> [Field]? {
    var fields: [Field] = []
    fields.reserveCapacity(columns.count)
    var position = 0
    let end = line.count - 1
    if columns.isEmpty { separator = Self.separator(of: line) }
    while true {
      while position < end, line[position] == 0x20 { position += 1 }
      if position == end, fields.isEmpty { return [] }
      if position < end, line[position] == 0x22 {
        let start = position + 1
        var hasQuotes = false
        position = start
        while let close = line[position..<end].firstIndex(of: 0x22), line[close + 1] == 0x22 {
          hasQuotes = true
          position = close + 2
        }
        guard let close = line[position..<end].firstIndex(of: 0x22) else { return nil }
        fields.append(Field(range: start..<close, hasQuotes: hasQuotes))
        position = close + 1
        while position < end, line[position] == 0x20 { position += 1 }
        guard position == end || line[position] == separator else {
          throw fault(number, "text follows a closing quote")
        }
      } else {
        let stop = line[position..<end].firstIndex(of: separator) ?? end
        fields.append(Field(range: position..<stop))
        position = stop
      }
      if position >= end { return fields }
      position += 1
    }
  }

  private static func text(_ line: [UInt8], _ field: Field) -> String {
    let text = String(decoding: line[field.range], as: UTF8.self)
      .trimmingCharacters(in: .whitespaces)
    return field.hasQuotes ? text.replacing("\"\"", with: "\"") : text
  }

  /// The names of the classes, in order.
  static func classes(of labels: some Sequence<String>) -> [String] {
    let names = Set(labels)
    let numbers = names.compactMap(Int.init)
    guard numbers.count == names.count, let largest = numbers.max(), numbers.min()! >= 0,
      largest < 1 << 16
    else { return names.sorted() }
    return (0...largest).map(String.init)
  }

  /// As a dataset with given classes.
  func dataset(_ classNames: [String]) throws -> ValueDataset {
    guard classNames.count >= 2 else {
      throw TernError(.badData, "\(path): all samples have the label '\(labels[0])'")
    }
    let numbers = Dictionary(uniqueKeysWithValues: zip(classNames, Int32(0)...))
    let own = try labels.enumerated().map { index, name in
      guard let number = numbers[name] ?? Int(name).flatMap({ numbers[String($0)] }) else {
        throw TernError(
          .badData, "\(path): sample \(index + 1): label '\(name)' is not in the training set")
      }
      return number
    }
    return ValueDataset(
      values: values, labels: own, sampleShape: [featureCount], classNames: classNames)
  }
}

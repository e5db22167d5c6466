import Foundation
import TernCore

/// Tables of numbers with a class each.
///
/// Fields are separated by commas, and may stand in double quotes. The first line holds the names of
/// the columns if any of its fields, the last apart, is not a number. The class is the column called
/// `label` (in any case), else the last one; all others are numbers, which make a sample [D]. Classes
/// are numbered in the order of their names, or of their values where all are whole numbers.
struct CSVTable {
  private(set) var values: [Float] = []
  private(set) var labels: [String] = []
  private(set) var featureCount = 0
  private var labelColumn = 0
  private var columns: [String] = []
  private let path: String

  /// The longest line that is read.
  private static let lineLimit = 1 << 24

  /// - Throws: ``TernError`` naming file, line and column of the fault.
  init(contentsOf path: String) throws {
    self.path = path
    let data = try InputFile.contents(of: path)
    var number = 0
    // A line with an end that C's number parser stops at.
    var line: [UInt8] = []
    try data.withUnsafeBytes { bytes in
      // The mark that some programs put before UTF-8.
      var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
      while start < bytes.count {
        let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
        number += 1
        guard end - start <= Self.lineLimit else {
          throw fault(number, "longer than \(Self.lineLimit) bytes")
        }
        line.removeAll(keepingCapacity: true)
        line.append(contentsOf: bytes[start..<end])
        if line.last == 0x0D { line.removeLast() }
        start = end + 1
        if line.isEmpty { continue }
        guard !line.contains(0) else { throw fault(number, "holds a byte 0: not a text file") }
        line.append(0)
        try read(line, number)
      }
    }
    guard !labels.isEmpty else { throw TernError(.badData, "\(path): no line with a sample") }
  }

  private func fault(_ line: Int, _ text: String) -> TernError {
    TernError(.badData, "\(path): line \(line): \(text)")
  }

  private mutating func read(_ line: [UInt8], _ number: Int) throws {
    let fields = try split(line, number)
    if columns.isEmpty {
      guard fields.count >= 2 else {
        throw fault(number, "\(fields.count) column where at least 2 belong, separated by commas")
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
        let value = strtof(text + field.lowerBound, &end)
        var stop = end.map { UnsafePointer($0) - text } ?? 0
        while stop < field.upperBound, bytes[stop] == 0x20 { stop += 1 }
        guard stop == field.upperBound, !field.isEmpty, value.isFinite else {
          throw fault(
            number,
            "column '\(columns[column])': expected a number, got '\(Self.text(line, field))'")
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

  /// Where the fields of a line are, without their quotes.
  private func split(_ line: [UInt8], _ number: Int) throws -> [Range<Int>] {
    var fields: [Range<Int>] = []
    fields.reserveCapacity(columns.count)
    var position = 0
    let end = line.count - 1
    while true {
      while position < end, line[position] == 0x20 { position += 1 }
      if position < end, line[position] == 0x22 {
        guard let close = line[(position + 1)..<end].firstIndex(of: 0x22) else {
          throw fault(number, "a quote is not closed")
        }
        fields.append(position + 1..<close)
        position = close + 1
        while position < end, line[position] == 0x20 { position += 1 }
        guard position == end || line[position] == 0x2C else {
          throw fault(number, "text follows a closing quote")
        }
      } else {
        let stop = line[position..<end].firstIndex(of: 0x2C) ?? end
        fields.append(position..<stop)
        position = stop
      }
      if position >= end { return fields }
      position += 1
    }
  }

  private static func text(_ line: [UInt8], _ field: Range<Int>) -> String {
    String(decoding: line[field], as: UTF8.self).trimmingCharacters(in: .whitespaces)
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

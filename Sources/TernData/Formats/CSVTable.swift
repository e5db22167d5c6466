import Foundation
import TernCore

/// The columns of a table that a network is trained on, by name.
public struct TableColumns: Hashable, Sendable {
  /// The numbers that make a sample, in its order.
  public let features: [String]
  /// The class.
  public let label: String

  /// Columns of these names.
  public init(features: [String], label: String) {
    (self.features, self.label) = (features, label)
  }
}

/// Tables of numbers with a class each; how they are cut into fields is told at ``CSVReader``.
///
/// The first line may hold the names of the columns, see ``CSVFirstLine``. The class is the column
/// called `label` (in any case), else the last one; all others are numbers, which make a sample [D].
/// Where the columns of another table are given, they are found by their names, in any order.
struct CSVTable {
  private(set) var values: [Float] = []
  /// The labels that occur, as they are first met, and each sample's.
  private(set) var labelNames: [String] = []
  private(set) var labels: [Int32] = []
  private(set) var featureCount = 0
  /// `nil` where there is no header.
  private(set) var columns: TableColumns?
  private(set) var notes: [String] = []

  private let path: String
  private var labelNumbers: [String: Int32] = [:]
  /// What the columns of the file are called in errors.
  private var names: [String] = []
  private var labelColumn = 0
  /// Which feature each column of the file is.
  private var places: [Int] = []

  /// - Parameter known: the columns of the table that this one goes with.
  /// - Throws: ``TernError`` naming file, line and column of the fault.
  init(contentsOf path: String, known: TableColumns? = nil) throws {
    self.path = path
    let data = try InputFile.unpacked(path)
    try data.withUnsafeBytes { bytes in
      var reader = try CSVReader(bytes, path: path)
      guard try reader.next() else { throw Self.empty(path) }
      guard reader.fields.count >= 2 else {
        throw reader.fault(
          reader.line,
          "\(reader.fields.count) column where at least 2 belong, separated by commas, semicolons or "
            + "tabs")
      }
      let texts = reader.fields.map { Self.text(reader.text[$0]) }
      let first = CSVFirstLine(texts, known: known)
      try arrange(texts, hasHeader: first != .sample, known: known, reader)
      let rows = bytes.count / max(reader.text.count, 2)
      values.reserveCapacity(rows * featureCount)
      labels.reserveCapacity(rows)
      if first == .sample { try append(reader) }
      while try reader.next() { try append(reader) }
      // What may be a header or a sample is a sample if its label is one of the others' too.
      if first == .undecided, labelNumbers[Self.canonical(texts[labelColumn])] != nil {
        try prependFirstLine(of: bytes)
      }
    }
    guard !labels.isEmpty else { throw Self.empty(path) }
  }

  private static func empty(_ path: String) -> TernError {
    TernError(.badData, "\(path): no line with a sample")
  }

  // MARK: Columns

  private mutating func arrange(
    _ texts: [String], hasHeader: Bool, known: TableColumns?, _ reader: CSVReader
  ) throws {
    names = hasHeader ? texts : texts.indices.map { "\($0 + 1)" }
    featureCount = names.count - 1
    if let known, hasHeader {
      try arrange(like: known, reader)
      return
    }
    if let known {
      guard featureCount == known.features.count else {
        throw reader.fault(
          reader.line,
          "\(featureCount) features where \(known.features.count) belong: "
            + Self.list(known.features))
      }
      notes.append("\(path): no header; its columns are taken for \(Self.list(known.features))")
    }
    if hasHeader {
      let labels = texts.indices.filter { texts[$0].lowercased() == "label" }
      guard labels.count <= 1 else {
        throw reader.fault(reader.line, "\(labels.count) columns called label")
      }
      labelColumn = labels.first ?? texts.count - 1
    } else {
      labelColumn = texts.count - 1
    }
    places = names.indices.map { $0 < labelColumn ? $0 : $0 - 1 }
    if hasHeader {
      let features = names.indices.filter { $0 != labelColumn }.map { names[$0] }
      columns = TableColumns(features: features, label: names[labelColumn])
      if let unnamed = features.firstIndex(of: "") {
        notes.append("\(path): column \(unnamed + 1) has no name; it is taken for a feature")
      }
    } else {
      columns = known
    }
  }

  /// Finds each column of another table in this one.
  private mutating func arrange(like known: TableColumns, _ reader: CSVReader) throws {
    func fault(_ text: String) -> TernError { reader.fault(reader.line, text) }
    var free = Set(names.indices)
    func take(_ name: String) -> Int? {
      // Of columns of the same name, the first is the first.
      guard let found = names.indices.first(where: { free.contains($0) && names[$0] == name })
      else { return nil }
      free.remove(found)
      return found
    }
    places = [Int](repeating: -1, count: names.count)
    for (feature, name) in known.features.enumerated() {
      guard let column = take(name) else {
        throw fault(
          "no column '\(name)', one of the \(known.features.count) features of the training set; "
            + "there are \(Self.list(names))")
      }
      places[column] = feature
    }
    let label =
      take(known.label) ?? names.indices.first {
        free.contains($0) && names[$0].lowercased() == "label"
      }
      ?? (free.count == 1 ? free.first : nil)
    guard let label else {
      throw fault("no column '\(known.label)', which holds the class in the training set")
    }
    labelColumn = label
    free.remove(label)
    guard free.isEmpty else {
      throw fault(
        "\(names.count - 1) features where \(known.features.count) belong: "
          + "\(Self.list(free.sorted().map { names[$0] })) not among those of the training set")
    }
    columns = known
    if places.filter({ $0 >= 0 }) != Array(0..<featureCount) {
      notes.append("\(path): its columns stand in another order; they are taken by their names")
    }
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(8).map { "'\($0)'" }.joined(separator: ", ")
      + (names.count > 8 ? " and \(names.count - 8) more" : "")
  }

  // MARK: Samples

  private mutating func append(_ reader: CSVReader) throws {
    guard reader.fields.count == names.count else {
      let isOpen = reader.fields.count > names.count && reader.fields.last?.isEmpty == true
      throw reader.fault(
        reader.line,
        "\(reader.fields.count) fields where \(names.count) belong"
          + (isOpen ? "; the line ends in a separator" : ""))
    }
    let start = values.count
    values.append(contentsOf: repeatElement(0, count: featureCount))
    try reader.text.withUnsafeBufferPointer { text in
      for (column, field) in reader.fields.enumerated() where column != labelColumn {
        guard let value = CSVNumber.value(text, field) else {
          throw unfit(Self.text(text[field]), column: column, reader)
        }
        values[start + places[column]] = value
      }
    }
    let label = Self.text(reader.text[reader.fields[labelColumn]])
    guard !label.isEmpty else {
      throw reader.fault(reader.line, "column '\(names[labelColumn])': no label")
    }
    labels.append(number(ofLabel: Self.canonical(label)))
  }

  private mutating func number(ofLabel label: String) -> Int32 {
    if let number = labelNumbers[label] { return number }
    let number = Int32(labelNames.count)
    labelNames.append(label)
    labelNumbers[label] = number
    return number
  }

  /// What was held back as a header goes before the other samples.
  private mutating func prependFirstLine(of bytes: UnsafeRawBufferPointer) throws {
    var reader = try CSVReader(bytes, path: path)
    guard try reader.next() else { return }
    names = names.indices.map { "\($0 + 1)" }
    labelColumn = names.count - 1
    places = names.indices.map { $0 }
    columns = nil
    try append(reader)
    values = Array(values.suffix(featureCount)) + values.dropLast(featureCount)
    labels = Array(labels.suffix(1)) + labels.dropLast()
  }

  /// What stands where a number belongs.
  private func unfit(_ text: String, column: Int, _ reader: CSVReader) -> TernError {
    let name = "column '\(names[column])'"
    guard !text.isEmpty else {
      return reader.fault(
        reader.line, "\(name): no number; fill it in, or leave the line out")
    }
    if CSVNumber.isNumber(text.replacing(",", with: ".")), text.contains(",") {
      return reader.fault(
        reader.line, "\(name): expected a number, got '\(text)'; decimals are written with a point")
    }
    if CSVNumber.isNumber(text) {
      return reader.fault(reader.line, "\(name): \(text) is too large for a float32")
    }
    return reader.fault(
      reader.line,
      "\(name): expected a number, got '\(text)'"
        + (names[labelColumn].lowercased() == "label"
          ? "" : "; the class is taken from the last column, unless one is called label"))
  }

  /// Bytes that are no UTF-8 are kept apart, as in the names of files.
  private static func text(_ bytes: some Collection<UInt8>) -> String {
    FileName.text(Array(bytes)).trimmingCharacters(in: .whitespaces)
  }

  /// `1.0` and `01` are the class 1, as they are for who reads them as numbers.
  private static func canonical(_ label: String) -> String {
    ClassNames.wholeNumber(label).map(String.init) ?? label
  }

  // MARK: As a dataset

  /// - Parameter classNames: in their order.
  func dataset(_ classNames: ClassNames) throws -> ValueDataset {
    let numbers = try labelNames.enumerated().map { index, name in
      guard let number = classNames.number(of: name) else {
        let sample = labels.firstIndex(of: Int32(index))! + 1
        throw TernError(
          .badData,
          "\(path): sample \(sample): label '\(name)' is not in the training set"
            + classNames.hint)
      }
      return number
    }
    return ValueDataset(
      values: values, labels: labels.map { numbers[Int($0)] }, sampleShape: [featureCount],
      classNames: classNames.names)
  }
}

import Foundation
import TernCore

/// The columns of a table that a network is trained on, by name.
public struct TableColumns: Hashable, Sendable {
  /// The numbers that make a sample, in its order.
  public let features: [String]
  /// What is predicted: the class, or numbers.
  public let targets: [String]

  /// Columns of these names; at least one is a target.
  public init(features: [String], targets: [String]) {
    precondition(!targets.isEmpty)
    (self.features, self.targets) = (features, targets)
  }

  /// Columns of these names.
  public init(features: [String], label: String) {
    self.init(features: features, targets: [label])
  }

  /// The class, or the first of the numbers.
  public var label: String { targets[0] }
}

/// Tables of numbers with a class or numbers to be predicted each; how they are cut into fields is told
/// at ``CSVReader``.
///
/// The first line may hold the names of the columns, see ``CSVFirstLine``. What is to be predicted is in
/// the columns that are asked for, else in the one called `label` (in any case), else in the last; all
/// others are numbers, which make a sample [D]. Where the columns of another table are given, they are
/// found by their names, in any order.
struct CSVTable {
  private(set) var values: [Float] = []
  /// The labels that occur, as they are first met, and each sample's.
  private(set) var labelNames: [String] = []
  private(set) var labels: [Int32] = []
  /// The numbers to be predicted, [N, T]; empty where there are classes.
  private(set) var numbers: [Float] = []
  private(set) var featureCount = 0
  /// `nil` where there is no header.
  private(set) var columns: TableColumns?
  private(set) var notes: [String] = []

  private let path: String
  private let selection: TargetSelection
  private var labelNumbers: [String: Int32] = [:]
  /// What the columns of the file are called in errors.
  private var names: [String] = []
  /// Where what is to be predicted stands, in the order that is asked for.
  private var targetColumns = [0]
  /// Which feature each column of the file is.
  private var places: [Int] = []

  /// Where the class stands, or the first of the numbers.
  private var labelColumn: Int { targetColumns[0] }
  private var hasNumbers: Bool { selection.kind != .classes }

  /// - Parameters:
  ///   - known: the columns of the table that this one goes with.
  ///   - selection: what is to be predicted.
  /// - Throws: ``TernError`` naming file, line and column of the fault.
  init(
    contentsOf path: String, known: TableColumns? = nil,
    selection: TargetSelection = TargetSelection()
  ) throws {
    self.path = path
    self.selection = selection
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
      let first = CSVFirstLine(texts, known: known, selection: selection)
      try arrange(texts, hasHeader: first != .sample, known: known, reader)
      let rows = bytes.count / max(reader.text.count, 2)
      values.reserveCapacity(rows * featureCount)
      if hasNumbers {
        numbers.reserveCapacity(rows * targetColumns.count)
      } else {
        labels.reserveCapacity(rows)
      }
      if first == .sample { try append(reader) }
      while try reader.next() { try append(reader) }
      // What may be a header or a sample is a sample if its label is one of the others' too.
      if first == .undecided, labelNumbers[Self.canonical(texts[labelColumn])] != nil {
        try prependFirstLine(of: bytes)
      }
    }
    guard !labels.isEmpty || !numbers.isEmpty else { throw Self.empty(path) }
  }

  private static func empty(_ path: String) -> TernError {
    TernError(.badData, "\(path): no line with a sample")
  }

  // MARK: Columns

  private mutating func arrange(
    _ texts: [String], hasHeader: Bool, known: TableColumns?, _ reader: CSVReader
  ) throws {
    names = hasHeader ? texts : texts.indices.map { "\($0 + 1)" }
    featureCount = names.count - max(known?.targets.count ?? selection.columns.count, 1)
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
    if !selection.columns.isEmpty {
      targetColumns = try selection.columns.map { try column($0, reader) }
      guard featureCount >= 1, Set(targetColumns).count == targetColumns.count else {
        throw reader.fault(
          reader.line,
          "target: \(selection.columns.joined(separator: ",")) of the columns "
            + "\(Self.list(names)) leaves no feature, or names one twice")
      }
    } else if let known, !hasHeader {
      targetColumns = Array(names.indices.suffix(known.targets.count))
    } else if hasHeader {
      let labels = texts.indices.filter { texts[$0].lowercased() == "label" }
      guard labels.count <= 1 else {
        throw reader.fault(reader.line, "\(labels.count) columns called label")
      }
      targetColumns = [labels.first ?? texts.count - 1]
    } else {
      targetColumns = [texts.count - 1]
    }
    var place = 0
    places = names.indices.map {
      guard !targetColumns.contains($0) else { return -1 }
      defer { place += 1 }
      return place
    }
    if hasHeader {
      let features = names.indices.filter { !targetColumns.contains($0) }.map { names[$0] }
      columns = TableColumns(features: features, targets: targetColumns.map { names[$0] })
      if let unnamed = features.firstIndex(of: "") {
        notes.append("\(path): column \(unnamed + 1) has no name; it is taken for a feature")
      }
    } else {
      columns = known
    }
  }

  /// The column of a name; where there is no header, of a number counted from 1.
  private func column(_ name: String, _ reader: CSVReader) throws -> Int {
    let found = names.indices.filter { names[$0] == name }
    guard found.count <= 1 else {
      throw reader.fault(reader.line, "target: \(found.count) columns called '\(name)'")
    }
    guard let column = found.first else {
      let hint = EditDistance.nearest(to: name, among: names).map { "; did you mean '\($0)'?" }
      throw reader.fault(
        reader.line,
        "target: no column '\(name)'" + (hint ?? "; there are \(Self.list(names))"))
    }
    return column
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
    targetColumns = []
    for name in known.targets {
      let isOnly = known.targets.count == 1
      let target =
        take(name) ?? names.indices.first {
          isOnly && free.contains($0) && names[$0].lowercased() == "label"
        }
        ?? (isOnly && free.count == 1 ? free.first : nil)
      guard let target else {
        throw fault("no column '\(name)', which holds what is predicted in the training set")
      }
      targetColumns.append(target)
      free.remove(target)
    }
    guard free.isEmpty else {
      throw fault(
        "\(names.count - known.targets.count) features where \(known.features.count) belong: "
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
      for (column, field) in reader.fields.enumerated() where places[column] >= 0 {
        guard let value = CSVNumber.value(text, field) else {
          throw unfit(Self.text(text[field]), column: column, reader)
        }
        values[start + places[column]] = value
      }
    }
    guard !hasNumbers else {
      try appendNumbers(reader)
      return
    }
    let label = Self.text(reader.text[reader.fields[labelColumn]])
    guard !label.isEmpty else {
      throw reader.fault(reader.line, "column '\(names[labelColumn])': no label")
    }
    labels.append(number(ofLabel: Self.canonical(label)))
  }

  private mutating func appendNumbers(_ reader: CSVReader) throws {
    try reader.text.withUnsafeBufferPointer { text in
      for column in targetColumns {
        let field = reader.fields[column]
        guard let value = CSVNumber.value(text, field) else {
          throw unfit(Self.text(text[field]), column: column, reader)
        }
        guard selection.kind != .labels || value == 0 || value == 1 else {
          throw reader.fault(
            reader.line,
            "column '\(names[column])': expected 0 or 1, got '\(Self.text(text[field]))'")
        }
        numbers.append(value)
      }
    }
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
    targetColumns = [names.count - 1]
    places = names.indices.map { $0 < names.count - 1 ? $0 : -1 }
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
        + (hasNumbers || names[labelColumn].lowercased() == "label"
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

  /// The table as samples with numbers to be predicted.
  var numericDataset: ValueDataset {
    ValueDataset(
      values: values, numbers: numbers, sampleShape: [featureCount],
      targetNames: targetColumns.map { names[$0] })
  }

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

import TernCore

/// The names of classes, in the order of their numbers, and the way back.
///
/// Labels that are whole numbers become classes in their order: 10115 and 20095 are two classes, 0
/// to 9 are ten. Names are compared as text: é is é, composed or not.
struct ClassNames {
  let names: [String]
  private let numbers: [String: Int32]
  /// Where all of the names are whole numbers, the same by number; else empty.
  private let wholeNumbers: [Int: Int32]

  /// More are no classes any more.
  static let limit = 1 << 16

  init(_ names: [String]) {
    self.names = names
    numbers = Dictionary(zip(names, Int32(0)...)) { first, _ in first }
    let whole = names.compactMap(Self.wholeNumber)
    wholeNumbers =
      whole.count == names.count ? Dictionary(zip(whole, Int32(0)...)) { first, _ in first } : [:]
  }

  /// The classes of labels that are whole numbers: those that occur.
  ///
  /// - Parameter path: what an error calls the data.
  init(wholeNumbers labels: some Sequence<Int>, path: String) throws {
    var present = Set(labels)
    // A network has two classes at least, also where the labels say nothing.
    if present.count < 2 { present.formUnion(present.contains(0) ? [1] : [0]) }
    try self.init(checked: present.sorted().map(String.init), path: path)
  }

  /// The classes of labels as text: numbers where all are that, else by name.
  ///
  /// - Parameters:
  ///   - training: decides the names.
  ///   - others: of further parts of the data, whose numbers are classes too.
  init(training: [String], others: [[String]] = [], path: String) throws {
    let all = training + others.flatMap(\.self)
    let whole = all.compactMap(Self.wholeNumber)
    if whole.count == all.count {
      try self.init(checked: Set(whole).sorted().map(String.init), path: path)
    } else {
      try self.init(checked: training.sorted(), path: path)
    }
  }

  private init(checked names: [String], path: String) throws {
    guard names.count <= Self.limit else {
      throw TernError(
        .badData,
        "\(path): \(names.count) different labels, more than the \(Self.limit) classes allowed; are "
          + "they numbers to be predicted?")
    }
    self.init(names)
  }

  func number(of name: String) -> Int32? {
    numbers[name] ?? Self.wholeNumber(name).flatMap { wholeNumbers[$0] }
  }

  /// The class of a label that comes as a number, without a name: that of this name, or where names
  /// are words, that of this number.
  func number(of label: Int) -> Int32? {
    if !wholeNumbers.isEmpty { return wholeNumbers[label] }
    return names.indices.contains(label) ? Int32(label) : nil
  }

  /// What an error ends with: the classes that there are.
  var hint: String {
    ": its classes are " + names.prefix(8).joined(separator: ", ")
      + (names.count > 8 ? " and \(names.count - 8) more" : "")
  }

  /// 3, -1, 007, 2.0
  static func wholeNumber(_ text: String) -> Int? {
    if let number = Int(text) { return number }
    guard CSVNumber.isNumber(text), let number = Double(text), abs(number) < 0x1p53 else {
      return nil
    }
    return Int(exactly: number)
  }
}

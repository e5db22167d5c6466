import Foundation
import TernCore

/// What the first line of a table is: the names of its columns, or a sample.
///
/// - It holds names if a field other than the last is neither a number, nor empty, nor a word for a
///   missing number, where numbers are predicted also the last; if one is called `label`; or if it holds
///   all the names that are looked for.
/// - It may hold names if its numbers only count the columns (`0,1,2,3,class`), or if the last field
///   is called as classes are in general: then it is a sample if its label is that of others too.
/// - Else it is a sample.
enum CSVFirstLine {
  case names, sample, undecided

  private static let missing: Set = [
    "", "na", "n/a", "nan", "null", "none", "?", "-", "inf", "-inf",
  ]
  private static let labels: Set = [
    "labels", "class", "classes", "target", "y", "category", "species",
  ]

  init(
    _ texts: [String], known: TableColumns? = nil, selection: TargetSelection = TargetSelection()
  ) {
    let looked = known?.features ?? selection.columns
    if !looked.isEmpty, Set(texts).isSuperset(of: looked) {
      self = .names
      return
    }
    let lower = texts.map { $0.lowercased() }
    func isText(_ field: String) -> Bool {
      !CSVNumber.isNumber(field) && !Self.missing.contains(field)
    }
    if lower.contains("label") || lower.dropLast().contains(where: isText) {
      self = .names
      return
    }
    let last = lower.last ?? ""
    if selection.kind != .classes {
      self = isText(last) ? .names : .sample
      return
    }
    let counted = isText(last) ? lower.dropLast() : lower[...]
    let counts = [0, 1].contains { first in
      counted.count >= 3 && counted.enumerated().allSatisfy { $1 == "\($0 + first)" }
    }
    // Names that are looked for are not in it.
    self = known == nil && (counts || Self.labels.contains(last)) ? .undecided : .sample
  }
}

/// Numbers as tables hold them: `12`, `-0.5`, `.5`, `1e-3`.
enum CSVNumber {
  /// The number in a part of a text, which a 0 follows; `nil` where there is something else, or one
  /// that float32 does not reach.
  static func value(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Float? {
    // Short whole numbers, such as pixels, are exact and many.
    if !range.isEmpty, range.count <= 7 {
      var number = 0
      var place = range.lowerBound
      while place < range.upperBound, text[place] >= 0x30, text[place] <= 0x39 {
        number = 10 * number + Int(text[place] - 0x30)
        place += 1
      }
      if place == range.upperBound { return Float(number) }
    }
    guard isNumber(UnsafeBufferPointer(rebasing: text[range])) else { return nil }
    let value = text.baseAddress!.withMemoryRebound(to: CChar.self, capacity: text.count) {
      strtof($0 + range.lowerBound, nil)
    }
    return value.isFinite ? value : nil
  }

  static func isNumber(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { isNumber($0) }
  }

  /// Whether it is written as a decimal number, and as nothing else that C reads: no hexadecimal
  /// digits, no infinity.
  private static func isNumber(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var place = 0
    func digits() -> Int {
      let start = place
      while place < text.count, text[place] >= 0x30, text[place] <= 0x39 { place += 1 }
      return place - start
    }
    func sign() {
      if place < text.count, text[place] == 0x2B || text[place] == 0x2D { place += 1 }
    }
    // Blanks that stand in quotes.
    while place < text.count, text[place] == 0x20 { place += 1 }
    sign()
    var count = digits()
    if place < text.count, text[place] == 0x2E {
      place += 1
      count += digits()
    }
    guard count > 0 else { return false }
    if place < text.count, text[place] | 0x20 == 0x65 {
      place += 1
      sign()
      guard digits() > 0 else { return false }
    }
    while place < text.count, text[place] == 0x20 { place += 1 }
    return place == text.count
  }
}

import Foundation
import TernCore

/// A table with a text and a class each. The first line holds the names of its columns.
struct TextTable {
  private let path: String
  private let column: String?
  private let target: [String]

  /// - Parameters:
  ///   - column: which holds the text; where none is named, the one called `text`, or the only one
  ///     beside the class.
  ///   - target: which holds the class; where none is named, the one called `label`, else the last.
  init(_ path: String, column: String?, target: [String]) {
    (self.path, self.column, self.target) = (path, column, target)
  }

  /// - Throws: ``TernError`` naming file, line and column of the fault.
  func read() throws -> (texts: [Data], labels: [String]) {
    let data = try InputFile.unpacked(path)
    return try data.withUnsafeBytes { bytes in
      var reader = try CSVReader(bytes, path: path)
      guard try reader.next() else { throw TernError(.badData, "\(path): no line in it") }
      let names = reader.fields.map { FileName.text(Array(reader.text[$0])) }
      func fault(_ text: String) -> TernError { reader.fault(reader.line, text) }
      func place(_ name: String, _ setting: String) throws -> Int {
        guard let place = names.firstIndex(of: name) else {
          let hint = EditDistance.nearest(to: name, among: names).map { "; did you mean '\($0)'?" }
          throw fault(
            "\(setting): no column '\(name)'"
              + (hint ?? "; there are \(names.joined(separator: ", "))"))
        }
        return place
      }
      guard names.count >= 2 else {
        throw fault("\(names.count) column where a text and a class belong")
      }
      let lower = names.map { $0.lowercased() }
      let label =
        try target.first.map { try place($0, "target") }
        ?? lower.firstIndex(of: "label") ?? names.count - 1
      let others = names.indices.filter { $0 != label }
      guard
        let text = try column.map({ try place($0, "text-column") })
          ?? others.first(where: { lower[$0] == "text" }) ?? (others.count == 1 ? others[0] : nil),
        text != label
      else {
        throw fault(
          "which column holds the text? there are \(names.joined(separator: ", ")); "
            + "text-column names it")
      }
      var (texts, labels) = ([Data](), [String]())
      while try reader.next() {
        guard reader.fields.count == names.count else {
          throw reader.fault(
            reader.line, "\(reader.fields.count) fields where \(names.count) belong")
        }
        let name = FileName.text(Array(reader.text[reader.fields[label]]))
        guard !name.isEmpty else {
          throw reader.fault(reader.line, "column '\(names[label])': no label")
        }
        texts.append(Data(reader.text[reader.fields[text]]))
        labels.append(name)
      }
      guard !texts.isEmpty else { throw TernError(.badData, "\(path): no line with a sample") }
      return (texts, labels)
    }
  }
}

import ArgumentParser
import Foundation
import Tern

/// How results are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  /// Columns for people.
  case table
  /// A row per result under a header, every number unrounded.
  case csv
  /// A table of Markdown.
  case markdown
  /// One object, when all is measured or the measurement is interrupted.
  case json

  /// Whether stdout is for programs alone: what is said beside the results goes to stderr.
  var isForPrograms: Bool { self == .csv || self == .json }
}

/// The flags that choose a format.
struct FormatOptions: ParsableArguments {
  @Option(
    help: """
      How to print results: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")). \
      (default: table)
      """)
  var format: OutputFormat?
  @Flag(help: "Print one JSON object, as --format json does.")
  var json = false

  /// - Throws: ``TernError`` of kind `usage` where the flags contradict each other.
  func chosen() throws -> OutputFormat {
    if json, let format, format != .json {
      throw TernError(
        .usage, "format: --json and --format \(format.rawValue) contradict each other")
    }
    return json ? .json : format ?? .table
  }
}

/// A table that is printed row by row: the width of a column is decided before its cells are known.
struct RowLayout {
  struct Column {
    let title: String
    let width: Int
    /// Whether its cells stand at the right edge.
    let isNumeric: Bool

    init(_ title: String, width: Int = 0, isNumeric: Bool = false) {
      self.title = title
      self.width = max(width, title.count)
      self.isNumeric = isNumeric
    }
  }

  let columns: [Column]
  let isMarkdown: Bool

  var header: String {
    let titles = row(columns.map(\.title))
    guard isMarkdown else { return titles }
    let rules = columns.map { column in
      String(repeating: "-", count: column.width + 1) + (column.isNumeric ? ":" : "-")
    }
    return titles + "\n|" + rules.joined(separator: "|") + "|"
  }

  /// - Parameter cells: as many as there are columns; one that is too wide moves those behind it.
  func row(_ cells: [String]) -> String {
    let padded = zip(columns, cells).map { column, cell in
      let cell = isMarkdown ? cell.markdownCell : cell
      let space = String(repeating: " ", count: max(0, column.width - cell.count))
      return column.isNumeric ? space + cell : cell + space
    }
    if isMarkdown { return "| " + padded.joined(separator: " | ") + " |" }
    var line = padded.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }
}

/// Rows of RFC 4180.
enum CSVRow {
  static func header(_ fields: [String]) -> String {
    fields.map { $0.replacing(".", with: "_") }.joined(separator: ",")
  }

  /// - Parameter fields: names of members; `time_ns.median` is a member of a member.
  static func text(_ object: JSON, fields: [String]) -> String {
    fields.map { field in
      let value = field.split(separator: ".").reduce(JSON?.some(object)) { $0?[String($1)] }
      return switch value {
      case nil, .null?: ""
      case .string(let text)?: text.csvField
      case let value?: value.description
      }
    }.joined(separator: ",")
  }
}

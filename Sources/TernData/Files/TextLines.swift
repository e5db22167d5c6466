import Foundation
import TernCore

/// The lines of a list: a file in which each line names another.
struct TextLines {
  /// With their numbers, from 1; without those that are empty, and without blanks around them.
  let lines: [(number: Int, text: String)]

  /// - Throws: ``TernError`` where it is missing, too large, or no text.
  init(_ path: String, limit: Int) throws {
    let data = try InputFile.contents(of: path, limit: limit)
    guard !data.contains(0) else { throw TernError(.badData, "\(path): not a list: no text") }
    let blanks: Set<UInt8> = [0x20, 0x09, 0x0D]
    lines = data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
      .compactMap { index, line in
        let rest = line.drop { blanks.contains($0) }
        guard let last = rest.lastIndex(where: { !blanks.contains($0) }) else { return nil }
        // Names of files are bytes.
        return (index + 1, FileName.text(rest[...last]))
      }
  }

  /// The first of some places where there is a file.
  static func located(_ places: [String]) -> String? { places.first(where: FileSystem.exists) }
}

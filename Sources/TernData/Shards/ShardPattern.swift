import Foundation
import TernCore

/// The files that a pattern names: `train-{000..009}.tar`, `shards/*.tar.gz`, `{a,b}-*.tar`, or a folder.
enum ShardPattern {
  /// More files are nobody's shards.
  static let limit = 1 << 16

  /// The files in the order of a pattern's braces, and by name where a star stands for them.
  ///
  /// - Throws: ``TernError`` where the pattern is wrong, or names no file.
  static func files(_ pattern: String) throws -> [String] {
    if FileSystem.isFolder(pattern) {
      let listing = try FolderListing(pattern)
      let names = listing.files.filter { name in
        [".tar", ".tar.gz", ".tgz"].contains { name.lowercased().hasSuffix($0) }
      }
      guard !names.isEmpty else {
        throw TernError(.notFound, "\(pattern): no .tar, .tar.gz or .tgz in it")
      }
      return names.map { pattern.appendingPath($0) }
    }
    if FileSystem.exists(pattern) { return [pattern] }
    var files: [String] = []
    for path in try expanded(pattern) {
      let found = path.utf8.contains(where: { "*?[".utf8.contains($0) }) ? matches(path) : [path]
      guard let first = found.first, FileSystem.exists(first) else {
        throw TernError(.notFound, "no file '\(path)', of the shards tar:\(pattern)")
      }
      files += found
    }
    guard files.count <= limit else {
      throw TernError(.usage, "tar:\(pattern): more than \(limit) files")
    }
    return files
  }

  private static func matches(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard pattern.withFilePath({ glob($0, 0, nil, &found) }) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).map { FileName.text(cString: found.gl_pathv[$0]!) }
  }

  /// A pattern without its braces.
  static func expanded(_ pattern: String) throws -> [String] {
    guard let open = pattern.firstIndex(of: "{") else { return [pattern] }
    guard let close = pattern[open...].firstIndex(of: "}") else {
      throw TernError(.usage, "tar:\(pattern): '{' without '}'")
    }
    let inner = String(pattern[pattern.index(after: open)..<close])
    guard !inner.contains("{") else {
      throw TernError(.usage, "tar:\(pattern): braces within braces")
    }
    let (head, rest) = (pattern[..<open], String(pattern[pattern.index(after: close)...]))
    let tails = try expanded(rest)
    let choices = try choices(inner, pattern)
    guard choices.count * tails.count <= limit else {
      throw TernError(.usage, "tar:\(pattern): more than \(limit) files")
    }
    return choices.flatMap { choice in tails.map { head + choice + $0 } }
  }

  /// `000..009` counts, with as many digits; `a,b` are names.
  private static func choices(_ text: String, _ pattern: String) throws -> [String] {
    if text.contains(",") {
      return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    guard let range = text.wholeMatch(of: /([0-9]+)\.\.([0-9]+)/), let first = Int(range.1),
      let last = Int(range.2), first <= last, last - first < limit
    else {
      throw TernError(
        .usage, "tar:\(pattern): expected {FIRST..LAST} or {A,B} in braces, got {\(text)}")
    }
    let width = range.1.hasPrefix("0") || range.1.count == range.2.count ? range.1.count : 0
    return (first...last).map { number in
      let digits = String(number)
      return String(repeating: "0", count: max(width - digits.count, 0)) + digits
    }
  }
}

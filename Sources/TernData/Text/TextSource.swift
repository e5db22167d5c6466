import Foundation
import TernCore

/// The parts of data that is text.
///
/// For language models it is one file, or a folder whose files are read one behind the other, by name.
/// With a class each, texts are the files of a folder per class, the lines of a file per class, or a
/// column of a table. Files and folders called `train`, `val` and `test`, spelled as ``DataPart`` knows
/// them, are parts: `wiki.train.tokens` is one too.
struct TextSource {
  let path: String
  let options: TextOptions
  /// Whether the next token is predicted, not a class.
  let predictsTokens: Bool
  /// What the class of a table's text is.
  let selection: TargetSelection
  let known: TrainedSamples?
  /// Whether but one part is wanted, to measure a network on.
  let measures: Bool

  private static let tables = ["csv", "tsv"]

  func parts() throws -> DataParts {
    guard let kind = FileSystem.kind(path) else {
      throw TernError(.notFound, "\(path): no such file or folder")
    }
    if predictsTokens { return try streams(isFolder: kind == .folder) }
    if kind == .folder { return try classFolders() }
    guard Self.tables.contains(path.pathSuffix.lowercased()) else {
      throw TernError(
        .usage,
        "\(path): one text without classes; give a folder with a folder or a file per class, or a "
          + "table (.csv); the task language-model predicts a text's next token")
    }
    return try table()
  }

  /// A file's bytes.
  ///
  /// - Throws: ``TernError`` also where they are no text.
  private func text(_ path: String) throws -> Data {
    let data = try InputFile.unpacked(path)
    guard !data.prefix(1 << 16).contains(0) || options.unit == .byte else {
      throw TernError(.badData, "\(path): no text: it holds bytes that are 0")
    }
    return data
  }

  private func vocabulary(of texts: some Sequence<Data>) throws -> Vocabulary {
    if let known {
      guard let vocabulary = known.vocabulary else {
        throw TernError(.badData, "\(path): text, which the network was not trained on")
      }
      return vocabulary
    }
    let vocabulary = Vocabulary(options.unit, of: texts, limit: options.vocabularyLimit)
    guard vocabulary.count > 3 else {
      throw TernError(
        .badData, "\(path): \(vocabulary.count - 2) different tokens, too few to learn from")
    }
    return vocabulary
  }

  private func note(_ vocabulary: Vocabulary, _ tokenCount: Int, unknown: Int) -> String {
    let share = tokenCount == 0 ? 0 : 100 * Double(unknown) / Double(tokenCount)
    return
      "text: \(tokenCount) tokens (\(options.unit.rawValue)), a vocabulary of \(vocabulary.count)"
      + (unknown > 0
        ? "; \(unknown) tokens (\((share * 100).rounded() / 100) %) are not in it" : "")
  }

  // MARK: One text

  private func streams(isFolder: Bool) throws -> DataParts {
    var parts = DataParts()
    var files: [DataPart: [String]] = [.training: [path]]
    if isFolder {
      files = try partFiles(&parts.notes)
    } else if Self.tables.contains(path.pathSuffix.lowercased()) {
      parts.notes.append("\(path): read as plain text; a table's texts have a class each")
    }
    let wanted = DataPart.wanted(files.keys, measures: measures)
    let texts = try wanted.map { part in try files[part]!.map(text) }
    // The training set comes first: it decides what is known.
    let vocabulary = try vocabulary(of: texts.first ?? [])
    var (count, unknown) = (0, 0)
    for (part, texts) in zip(wanted, texts) {
      let tokens = texts.flatMap { vocabulary.encode($0) }
      guard tokens.count > options.length else {
        throw TernError(
          .badData,
          "\(path): \(tokens.count) tokens, of which no sample of \(options.length) and the token "
            + "behind it can be made")
      }
      count += tokens.count
      unknown += tokens.count { $0 == Vocabulary.unknown }
      parts[part] = .init(
        set: TokenWindows(tokens, length: options.length, vocabulary: vocabulary),
        origin: origin(files[part]!))
    }
    parts.vocabulary = vocabulary
    parts.notes.append(note(vocabulary, count, unknown: unknown))
    return parts
  }

  private func origin(_ files: [String]) -> String {
    files.count == 1 ? files[0] : "\(files.count) files of \(files[0].parentPath)"
  }

  /// The files of each part of a folder, in the order of their names.
  private func partFiles(_ notes: inout [String]) throws -> [DataPart: [String]] {
    let listing = try FolderListing(path)
    var parts: [DataPart: [String]] = [:]
    var others: [String] = []
    var (links, leftOut) = (0, listing.hidden.count)
    for name in listing.files {
      let file = "\(path)/\(name)"
      // A link to a file beside it would be read twice.
      if let target = FileSystem.linkTarget(file), listing.files.contains(target.lastPathPart),
        FileSystem.isSame(file, "\(path)/\(target.lastPathPart)")
      {
        links += 1
      } else if let part = Self.part(ofFile: name) {
        parts[part, default: []].append(file)
      } else {
        others.append(file)
      }
    }
    for name in listing.folders {
      guard let part = DataPart(named: name) else {
        leftOut += 1
        continue
      }
      let inner = try FolderListing("\(path)/\(name)")
      parts[part, default: []] += inner.files.map { "\(path)/\(name)/\($0)" }
      leftOut += inner.folders.count + inner.hidden.count
    }
    if parts[.training] == nil, known == nil || parts.isEmpty {
      parts[.training] = others
    } else {
      leftOut += others.count
    }
    parts = parts.filter { !$0.value.isEmpty }
    guard parts[.training] != nil || known != nil, !parts.isEmpty else {
      throw TernError(.badData, "\(path): no file of text in it")
    }
    if links > 0 { notes.append("left out: \(links) links to files that are read already") }
    if leftOut > 0 {
      notes.append("left out: \(leftOut) files and folders beside the parts")
    }
    return parts
  }

  /// `train.txt`, `wiki.train.tokens`
  private static func part(ofFile name: String) -> DataPart? {
    let found = name.split(separator: ".").compactMap { DataPart(named: $0) }
    return found.count == 1 ? found[0] : nil
  }

  // MARK: Texts with classes

  /// Texts by the names of their classes.
  private typealias Samples = [(className: String, text: Data)]

  private func classFolders() throws -> DataParts {
    let listing = try FolderListing(path)
    var places: [DataPart: String] = [:]
    for name in listing.folders {
      guard let part = DataPart(named: name), try isOfClasses("\(path)/\(name)") else { continue }
      places[part] = name
    }
    if let file = listing.files.first(where: { Self.part(ofFile: $0) != nil }) {
      throw TernError(
        .badData,
        "\(path)/\(file): a part of a text without classes; the task language-model predicts its "
          + "next token, texts with classes are a folder or a file per class")
    }
    var notes: [String] = []
    if places.isEmpty || places[.training] == nil && known == nil {
      places[.training] = ""
    } else {
      let count = listing.folders.count - places.count + listing.files.count
      if count > 0 { notes.append("left out: \(count) files and folders beside the parts") }
    }
    var parts: [(DataPart, origin: String, Samples)] = []
    for part in DataPart.wanted(places.keys, measures: measures) {
      let place = places[part]!
      let folder = place.isEmpty ? path : "\(path)/\(place)"
      let aside = place.isEmpty ? Set(places.values) : []
      parts.append((part, place.isEmpty ? path : place, try samples(in: folder, besides: aside)))
    }
    var result = try classified(parts)
    result.notes = notes + result.notes
    return result
  }

  /// Whether a folder called as a part holds classes itself.
  private func isOfClasses(_ folder: String) throws -> Bool {
    let listing = try FolderListing(folder)
    // A class called `test` holds many files that are texts; a part of files has one per class.
    return !listing.folders.isEmpty || listing.files.count >= 2
  }

  private func samples(in folder: String, besides aside: Set<String>) throws -> Samples {
    let listing = try FolderListing(folder)
    let folders = listing.folders.filter { !aside.contains($0) }
    guard folders.isEmpty else {
      return try folders.flatMap { name in
        try FolderListing("\(folder)/\(name)").files.map {
          (name, try text("\(folder)/\(name)/\($0)"))
        }
      }
    }
    return try listing.files.flatMap { name in
      try text("\(folder)/\(name)").split(separator: UInt8(ascii: "\n")).compactMap { line in
        let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        return isBlank ? nil : (name.pathStem, Data(line))
      }
    }
  }

  private func table() throws -> DataParts {
    let (texts, labels) = try TextTable(path, column: options.column, target: selection.columns)
      .read()
    return try classified([(.training, path, Array(zip(labels, texts)))])
  }

  private func classified(_ parts: [(DataPart, origin: String, Samples)]) throws -> DataParts {
    let names = Set(parts.first?.2.map(\.className) ?? []).sorted()
    let classes = known.map { ClassNames($0.classNames) } ?? ClassNames(names)
    guard classes.names.count >= 2 else {
      throw TernError(
        .badData,
        "\(path): \(classes.names.count) class\(classes.names.count == 1 ? "" : "es") with text in it; "
          + "at least 2 belong here, a folder or a file each")
    }
    let vocabulary = try vocabulary(of: (parts.first?.2 ?? []).lazy.map(\.text))
    var result = DataParts()
    result.vocabulary = vocabulary
    var (count, unknown, cut) = (0, 0, 0)
    for (part, origin, samples) in parts {
      var set = TokenizedTexts(
        length: options.length, classNames: classes.names, vocabulary: vocabulary)
      for (name, text) in samples {
        guard let number = classes.number(of: name) else {
          throw TernError(
            .badData, "\(path): class '\(name)' is not in the training set\(classes.hint)")
        }
        let tokens = vocabulary.encode(text)
        guard !tokens.isEmpty else { continue }
        count += tokens.count
        unknown += tokens.count { $0 == Vocabulary.unknown }
        set.append(tokens, label: number)
      }
      cut += set.cutCount
      result[part] = .init(set: set, origin: origin)
    }
    result.notes.append(note(vocabulary, count, unknown: unknown))
    if cut > 0 {
      result.notes.append(
        "text: \(cut) texts are longer than the \(options.length) tokens of a sample; their beginnings "
          + "count")
    }
    return result
  }
}

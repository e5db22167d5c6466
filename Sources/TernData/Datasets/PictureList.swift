import TernCore

/// Pictures that a list names, as Caffe's `ImageData` layers read them: `list:FILE`, or `list:TRAIN,TEST`.
///
/// ```
/// cats/001.jpg 0
/// dogs/a picture.png 1
/// ```
///
/// What follows the last blank of a line is the label, a number or a word, or a number to be predicted. A picture is named from the root that
/// is given, or without one from where the program was started; else from where the list lies.
struct PictureList {
  let location: String
  let root: String?
  let frame: PictureFrame
  let known: TrainedSamples?
  let onError: ItemErrorPolicy
  let measures: Bool
  /// Whether labels are numbers to be predicted, not classes.
  let predictsNumbers: Bool

  private struct Entry {
    let line: Int
    let name: String
    let label: String
  }

  private static let sizeLimit = 1 << 32

  func parts() throws -> DataParts {
    guard let paths = DataSource.tables(location), !paths.contains("") else {
      throw TernError(
        .usage, "data: expected list:FILE or list:TRAIN,TEST, got 'list:\(location)'")
    }
    let lists = Dictionary(
      uniqueKeysWithValues: zip([DataPart.training, .test], paths))
    var parts = DataParts()
    var classes = predictsNumbers ? nil : known.map { ClassNames($0.classNames) }
    for part in DataPart.wanted(lists.keys, measures: measures) {
      let path = lists[part]!
      let entries = try Self.entries(of: path)
      let labels = Set(entries.map(\.label))
      let named =
        predictsNumbers
        ? ClassNames(labels.sorted())
        : try classes ?? ClassNames(training: Array(labels), path: path)
      guard classes != nil || predictsNumbers || named.names.count >= 2 else {
        throw TernError(
          .badData, "\(path): all pictures have the label '\(named.names.first ?? "")'")
      }
      if !predictsNumbers { classes = named }
      let (files, notes) = try files(entries, named, path)
      parts.notes += notes
      let set = ImageFolderDataset(files, frame: frame)
      parts[part] = .init(
        set: predictsNumbers ? try NumberedLabels(set, path: path) : set, origin: path)
    }
    return parts
  }

  private static func entries(of path: String) throws -> [Entry] {
    let entries = try TextLines(path, limit: sizeLimit).lines.map { number, text in
      // By bytes, as names of files are.
      guard let blank = text.utf8.lastIndex(where: { $0 == 0x20 || $0 == 0x09 }) else {
        throw TernError(
          .badData, "\(path):\(number): expected a picture and its label, got '\(text)'")
      }
      let name = text[..<blank]
      let end = name.utf8.lastIndex { $0 != 0x20 && $0 != 0x09 }!
      return Entry(
        line: number, name: String(name[...end]),
        label: String(text[text.utf8.index(after: blank)...]))
    }
    guard !entries.isEmpty else { throw TernError(.badData, "\(path): an empty list") }
    return entries
  }

  /// The pictures with their classes; where that is asked for, without those that cannot be read.
  private func files(
    _ entries: [Entry], _ classes: ClassNames, _ path: String
  ) throws -> (ImageFolderDataset.Files, notes: [String]) {
    let folders = [root ?? "", path.parentPath]
    var places: [String] = []
    var numbers: [Int32] = []
    for entry in entries {
      guard let number = classes.number(of: entry.label) else {
        throw TernError(
          .badData,
          "\(path):\(entry.line): label '\(entry.label)' is not in the training set\(classes.hint)")
      }
      let candidates =
        entry.name.hasPrefix("/") ? [entry.name] : folders.map { $0.appendingPath(entry.name) }
      let place = TextLines.located(candidates)
      guard place != nil || onError == .skip else { throw Self.missing(entry, candidates, path) }
      places.append(place ?? candidates[0])
      numbers.append(number)
    }
    var files = ImageFolderDataset.Files(classNames: classes.names)
    guard onError == .skip else {
      for (place, number) in zip(places, numbers) { files.add(place, class: number) }
      return (files, [])
    }
    let found = places
    let damaged = DamagedItems.find(entries.count) { index in
      guard FileSystem.exists(found[index]) else {
        throw Self.missing(entries[index], [found[index]], path)
      }
      do { _ = try Picture(contentsOf: found[index]) } catch let error as TernError {
        throw TernError(error.kind, "\(path):\(entries[index].line): \(error.message)")
      }
    }
    for index in entries.indices where damaged.faults[index] == nil {
      files.add(places[index], class: numbers[index])
    }
    return (files, damaged.notes)
  }

  private static func missing(
    _ entry: Entry, _ candidates: [String], _ path: String
  ) -> TernError {
    TernError(
      .notFound,
      "\(path):\(entry.line): no picture '\(candidates.joined(separator: "' or '"))'")
  }
}

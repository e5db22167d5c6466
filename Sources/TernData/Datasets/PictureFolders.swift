import Foundation
import TernCore

/// The parts of a folder of pictures.
///
/// It holds a folder per class; or parts, each of which does: `train`, `val` and `test`, spelled as
/// ``DataPart`` knows them. A folder `train` that holds pictures itself is a class of that name. The
/// same with folders `images` and `masks` in place of classes, see ``SegmentationFolderDataset``.
struct PictureFolders {
  let directory: String
  let frame: PictureFrame
  let known: TrainedSamples?
  let onError: ItemErrorPolicy
  /// Whether but one part is wanted, to measure a network on.
  let measures: Bool

  func parts() throws -> DataParts {
    let listing = try FolderListing(directory)
    var leftOut = LeftOut()
    var places: [DataPart: String] = [:]
    var others: [String] = []
    for name in listing.folders {
      guard let part = DataPart(named: name), try isPart("\(directory)/\(name)") else {
        others.append(name)
        continue
      }
      if let twin = places.updateValue(name, forKey: part) {
        throw TernError(
          .badData, "\(directory): two folders for the \(part) set, '\(twin)' and '\(name)'")
      }
    }
    if places.isEmpty || places[.training] == nil && known == nil {
      // Without a part for training, the classes lie beside the other parts.
      places[.training] = ""
    } else {
      for name in others { leftOut.add("folder", name) }
    }
    leftOut.add(picturesBeside: listing.files.filter(PictureFolder.isPicture).count)
    for file in listing.hidden { leftOut.add(file: file) }
    let wanted = DataPart.wanted(places.keys, measures: measures)
    return try SegmentationFolderDataset.isFolder(path(places[wanted[0]]!))
      ? masks(places, wanted, &leftOut) : classes(places, wanted, &leftOut)
  }

  private func path(_ part: String) -> String { part.isEmpty ? directory : "\(directory)/\(part)" }

  private func origin(_ part: String) -> String { part.isEmpty ? directory : part }

  /// Whether a folder that is called as a part is one: it holds folders, and no pictures itself, or
  /// astray beside several folders of them.
  private func isPart(_ path: String) throws -> Bool {
    let listing = try FolderListing(path)
    guard listing.files.contains(where: PictureFolder.isPicture) else {
      return !listing.folders.isEmpty
    }
    let classes = try listing.folders.filter {
      try FolderListing("\(path)/\($0)").files.contains(where: PictureFolder.isPicture)
    }
    return classes.count >= 2
  }

  // MARK: A folder per class

  private func classes(
    _ places: [DataPart: String], _ wanted: [DataPart], _ leftOut: inout LeftOut
  ) throws -> DataParts {
    var parts = DataParts()
    var names = known.map { ClassNames($0.classNames) }
    var spellings = Spellings()
    // The training set comes first: it decides the classes.
    for part in wanted {
      let place = places[part]!
      let folder = path(place)
      let aside = place.isEmpty ? Set(places.values) : []
      let listing = try FolderListing(folder)
      let found = listing.folders.filter { !aside.contains($0) }
      if !place.isEmpty {
        leftOut.add(picturesBeside: listing.files.filter(PictureFolder.isPicture).count)
      }
      let classes = try names ?? classNames(found, folder)
      names = classes
      var files = ImageFolderDataset.Files(classNames: classes.names)
      for name in found {
        guard let number = classes.number(of: name) else {
          throw TernError(
            .badData, "\(folder)/\(name): no such class in the training set\(classes.hint)")
        }
        spellings.add(name, as: classes.names[Int(number)])
        try files.add(folder: "\(folder)/\(name)", class: number, &leftOut)
      }
      guard !files.paths.isEmpty else {
        throw TernError(
          .badData, "\(folder): no folder of a class with pictures in it\(classes.hint)")
      }
      if onError == .skip { parts.notes += files.dropDamaged() }
      parts[part] = .init(
        set: ImageFolderDataset(files, frame: frame), origin: origin(place))
    }
    parts.notes += spellings.notes
    if let text = leftOut.text { parts.notes.append(text) }
    return parts
  }

  private func classNames(_ folders: [String], _ directory: String) throws -> ClassNames {
    var names: [String] = []
    for folder in folders where names.last != folder { names.append(folder) }
    guard names.count >= 2 else {
      throw TernError(
        .badData,
        "\(directory): \(names.count) folder\(names.count == 1 ? "" : "s"), at least 2 classes with a "
          + "folder each belong here")
    }
    return ClassNames(names)
  }

  // MARK: Pictures with masks

  /// Classes are called as the lines of `classes.txt` say, else by their numbers.
  private func masks(
    _ places: [DataPart: String], _ wanted: [DataPart], _ leftOut: inout LeftOut
  ) throws -> DataParts {
    var parts = DataParts()
    var files: [(part: DataPart, SegmentationFolderDataset.Files)] = []
    for part in wanted {
      let place = places[part]!
      guard SegmentationFolderDataset.isFolder(path(place)) else {
        throw TernError(.badData, "\(path(place)): folders images and masks belong here")
      }
      files.append(
        (part, try SegmentationFolderDataset.files(in: path(place), onError, &parts.notes)))
    }
    let largest = Int(files.map(\.1.largestClass).max()!)
    let classNames = try maskClasses(largest)
    for (part, files) in files {
      parts[part] = .init(
        set: SegmentationFolderDataset(
          files, size: frame.sampleShape.dimensions.last!, classNames: classNames),
        origin: origin(places[part]!))
    }
    if let text = leftOut.text { parts.notes.append(text) }
    return parts
  }

  private func maskClasses(_ largest: Int) throws -> [String] {
    if let known {
      guard largest < known.classNames.count else {
        throw TernError(
          .badData,
          "\(directory): the masks hold class \(largest), the network was trained on "
            + "\(known.classNames.count) classes")
      }
      return known.classNames
    }
    guard largest >= 1 else {
      throw TernError(
        .badData,
        "\(directory): the masks hold class 0 alone; their pixels are class numbers, and 255 does not "
          + "count")
    }
    let listPath = "\(directory)/classes.txt"
    guard FileSystem.exists(listPath) else { return (0...largest).map(String.init) }
    let text = String(decoding: try InputFile.contents(of: listPath, limit: 1 << 20), as: UTF8.self)
    let names = text.split(whereSeparator: \.isNewline).map(String.init)
    guard largest < names.count, names.count <= 255 else {
      throw TernError(
        .badData, "\(listPath): \(names.count) names; the masks hold class \(largest)")
    }
    return names
  }
}

/// Names of one class that are written in several forms of Unicode: they look the same, and are taken
/// for the same.
private struct Spellings {
  private var different: [String] = []

  mutating func add(_ folder: String, as name: String) {
    guard !folder.utf8.elementsEqual(name.utf8), folder == name, !different.contains(name) else {
      return
    }
    different.append(name)
  }

  var notes: [String] {
    different.map {
      "class '\($0)': its folders are written in two forms of Unicode (composed and decomposed); they "
        + "are taken as one class"
    }
  }
}

/// What is in a folder, by name.
struct FolderListing {
  let folders: [String]
  let files: [String]
  /// Folders and files whose names begin with a point.
  let hidden: [String]

  init(_ directory: String) throws {
    guard let entries = FileSystem.entries(in: directory) else {
      throw TernError(
        .notFound,
        errno == EACCES ? "\(directory): cannot be read" : "\(directory): no such folder")
    }
    // Names that differ in the form of Unicode alone are equal as text, their bytes decide.
    let sorted = entries.sorted {
      $0.name == $1.name
        ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : $0.name < $1.name
    }
    hidden = sorted.map(\.name).filter { $0.hasPrefix(".") }
    let seen = sorted.filter { !$0.name.hasPrefix(".") }
    folders = seen.filter(\.isFolder).map(\.name)
    files = seen.filter { !$0.isFolder }.map(\.name)
  }
}

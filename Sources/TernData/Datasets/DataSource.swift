import Foundation
import TernCore

/// A data set as a user names it: a training and a test set.
///
/// The formats are described where they are read: ``IDXFile``, `CIFAR`, ``ImageFolderDataset``,
/// `CSVTable`, `NPZ`.
public struct DataSource: Sendable {
  /// As the user named it.
  public let specification: String
  public let training: any Dataset
  public let test: any Dataset
  /// Where the data comes with one.
  public let validation: (any Dataset)?

  /// How data can be named.
  public static let forms =
    "fashion-mnist, mnist, idx:DIR, cifar10:DIR, cifar100:DIR, images:DIR, csv:FILE, npz:FILE"

  private init(
    _ specification: String, _ training: any Dataset, _ test: any Dataset,
    validation: (any Dataset)? = nil
  ) {
    (self.specification, self.training, self.test) = (specification, training, test)
    self.validation = validation
  }

  private static let digits = (0...9).map(String.init)
  private static let clothes = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
  ]

  /// The folders that hold a data set each, by its name: `$TERN_DATA`, then where Debian's
  /// packages put them.
  public static var standardRoots: [String] {
    [getenv("TERN_DATA").map { FileName.text(cString: $0) } ?? "", "/usr/share/datasets"]
      .filter { !$0.isEmpty }
  }

  /// Opens data by one of its ``forms``; `fashion-mnist` and `mnist` also with `:DIR`, `csv` also with
  /// a second file for testing: `csv:TRAIN,TEST`.
  ///
  /// Where images, a table or arrays come without a test set, every fifth sample of each class is
  /// one.
  ///
  /// - Parameters:
  ///   - roots: where a data set is searched that is named without a folder.
  ///   - imageSize: the side of samples made from `images:DIR`.
  /// - Throws: ``TernError`` where the name is unknown, or a file is missing or damaged.
  public static func open(
    _ specification: String, roots: [String] = standardRoots, imageSize: Int = 224
  ) throws -> DataSource {
    let colon = specification.firstIndex(of: ":")
    let name = String(specification[..<(colon ?? specification.endIndex)])
    let location = colon.map { String(specification[specification.index(after: $0)...]) }
    /// The location, which is not optional.
    func place(_ kind: String = "DIR") throws -> String {
      guard let location, !location.isEmpty else {
        let what = kind == "DIR" ? "folder" : "file"
        throw TernError(.usage, "data: \(name) needs a \(what), as in \(name):\(kind)")
      }
      return location
    }
    switch name {
    case "fashion-mnist":
      let directory =
        try location == nil
        ? find(name, in: roots, hint: "apt-get install dataset-fashion-mnist") : place()
      return try idx(specification, directory, clothes)
    case "mnist":
      let directory =
        try location == nil
        ? find(name, in: roots, hint: "put its four IDX files into $TERN_DATA/mnist") : place()
      return try idx(specification, directory, digits)
    case "idx":
      return try idx(specification, try place(), nil)
    case "cifar10", "cifar100":
      let sets = try CIFAR.open(try place(), classCount: name == "cifar10" ? 10 : 100)
      return DataSource(specification, sets.training, sets.test)
    case "images":
      return try images(specification, try place(), imageSize)
    case "csv":
      return try table(specification, try place("FILE"))
    case "npz":
      let sets = try NPZ.open(try place("FILE"))
      return try withTest(specification, sets.training, sets.test)
    default:
      throw TernError(
        .usage,
        "unknown data '\(specification)'; "
          + (form(ofPath: specification).map { "did you mean '\($0)'?" } ?? "known are \(forms)"))
    }
  }

  /// How data is named that lies at a path.
  private static func form(ofPath path: String) -> String? {
    guard let kind = FileSystem.kind(path) else { return nil }
    if kind == .folder { return "images:\(path)" }
    let ending = path.pathSuffix.lowercased()
    return ["csv", "npz"].contains(ending) ? "\(ending):\(path)" : nil
  }

  /// How picture files become samples for a network trained on this data: as those of a folder do,
  /// for other data from the centre of the picture.
  ///
  /// - Parameter isPerPixel: whether the network gives a class per pixel, so that it sees all of the
  ///   picture.
  /// - Throws: ``TernError`` of kind `usage` where samples are not pictures.
  public static func frame(
    _ specification: String, sampleShape: Shape, isPerPixel: Bool = false
  ) throws -> PictureFrame {
    guard sampleShape.rank == 3, [1, 3].contains(sampleShape[0]) else {
      throw TernError(
        .usage, "samples of \(specification) are \(sampleShape), which no picture file gives")
    }
    if isPerPixel { return PictureFrame(sampleShape, view: .whole) }
    return PictureFrame(
      sampleShape,
      view: specification.hasPrefix("images:") ? ImageFolderDataset.view : .center(part: 1))
  }

  /// Whether a folder, or its part for training, holds pictures with masks.
  static func isSegmentation(_ directory: String) -> Bool {
    ["", "/train"].contains { SegmentationFolderDataset.isFolder(directory + $0) }
  }

  private static func withTest(
    _ specification: String, _ all: any Dataset, _ test: (any Dataset)?
  ) throws -> DataSource {
    if let test { return DataSource(specification, all, test) }
    let parts = try Subset.testSplit(all, name: specification)
    return DataSource(specification, parts.first, parts.second)
  }

  /// Pictures with masks, see ``SegmentationFolderDataset``; or a folder per class, or folders `train` and `test` or `val` of such; with both, `val` is for
  /// validation.
  private static func images(
    _ specification: String, _ directory: String, _ size: Int
  ) throws -> DataSource {
    let parts = try ImageFolderDataset.folders(in: directory)
    if isSegmentation(directory) {
      return try masks(specification, directory, size, parts: parts)
    }
    guard parts.contains("train") else {
      return try withTest(
        specification, try ImageFolderDataset(directory: directory, size: size), nil)
    }
    let training = try ImageFolderDataset(directory: "\(directory)/train", size: size)
    let others = try ["test", "val"].filter(parts.contains).map {
      try ImageFolderDataset(
        directory: "\(directory)/\($0)", size: size, classNames: training.classNames)
    }
    guard let test = others.first else { return try withTest(specification, training, nil) }
    return DataSource(
      specification, training, test, validation: others.count == 2 ? others[1] : nil)
  }

  /// Pictures and masks, in one folder or in `train` and `test` or `val`.
  ///
  /// Classes are called as the lines of `classes.txt` say, else by their numbers.
  private static func masks(
    _ specification: String, _ directory: String, _ size: Int, parts: [String]
  ) throws -> DataSource {
    let names = ["train", "test", "val"].filter(parts.contains)
    let folders = parts.contains("train") ? names.map { "\(directory)/\($0)" } : [directory]
    let files = try folders.map { folder in
      guard SegmentationFolderDataset.isFolder(folder) else {
        throw TernError(.badData, "\(folder): folders images and masks belong here")
      }
      return try SegmentationFolderDataset.files(in: folder)
    }
    let largest = Int(files.map(\.largestClass).max()!)
    guard largest >= 1 else {
      throw TernError(
        .badData,
        "\(directory): the masks hold class 0 alone; their pixels are class numbers, and 255 does not "
          + "count")
    }
    var classNames = (0...largest).map(String.init)
    let listPath = "\(directory)/classes.txt"
    if FileSystem.exists(listPath) {
      let text = String(decoding: try InputFile.contents(of: listPath), as: UTF8.self)
      classNames = text.split(whereSeparator: \.isNewline).map(String.init)
      guard largest < classNames.count, classNames.count <= 255 else {
        throw TernError(
          .badData, "\(listPath): \(classNames.count) names; the masks hold class \(largest)")
      }
    }
    let sets = files.map { SegmentationFolderDataset($0, size: size, classNames: classNames) }
    guard sets.count >= 2 else { return try withTest(specification, sets[0], nil) }
    return DataSource(
      specification, sets[0], sets[1], validation: sets.count == 3 ? sets[2] : nil)
  }

  private static func table(_ specification: String, _ location: String) throws -> DataSource {
    let paths = location.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard paths.count <= 2, !paths.contains("") else {
      throw TernError(.usage, "data: expected csv:FILE or csv:TRAIN,TEST, got '\(specification)'")
    }
    let training = try CSVTable(contentsOf: paths[0])
    guard paths.count == 2 else {
      let classes = CSVTable.classes(of: training.labels)
      return try withTest(specification, try training.dataset(classes), nil)
    }
    let test = try CSVTable(contentsOf: paths[1])
    guard test.featureCount == training.featureCount else {
      throw TernError(
        .badData,
        "\(paths[1]): \(test.featureCount) features where \(paths[0]) has \(training.featureCount)")
    }
    let names = [training, test].map(\.featureNames)
    guard names[0] == names[1] || names[0].sorted() != names[1].sorted() else {
      throw TernError(
        .badData, "\(paths[1]): its columns are in another order than those of \(paths[0])")
    }
    let classes = CSVTable.classes(of: training.labels)
    return DataSource(
      specification, try training.dataset(classes), try test.dataset(classes))
  }

  private static func find(_ name: String, in roots: [String], hint: String) throws -> String {
    let candidates = roots.map { $0.appendingPath(name) }
    guard let found = candidates.first(where: FileSystem.exists) else {
      throw TernError(
        .notFound, "no \(name) data in \(candidates.joined(separator: " or ")); \(hint)")
    }
    return found
  }

  private static func idx(
    _ specification: String, _ directory: String, _ classNames: [String]?
  ) throws -> DataSource {
    guard FileSystem.exists(directory) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    func path(_ set: String, _ kind: String, axes: Int) throws -> String {
      // The separator differs among the copies that are about.
      let names = ["-", "."].flatMap { separator in
        ["", ".gz"].map { "\(set)-\(kind)\(separator)idx\(axes)-ubyte\($0)" }
      }
      let paths = names.map { directory.appendingPath($0) }
      guard let found = paths.first(where: FileSystem.exists) else {
        throw TernError(.notFound, "\(paths[0]): no such file (nor with .gz)")
      }
      return found
    }
    let paths = try ["train", "t10k"].map {
      (images: try path($0, "images", axes: 3), labels: try path($0, "labels", axes: 1))
    }
    let names = try classNames ?? numberedClasses(paths.map(\.labels))
    let sets = try paths.map {
      try IDX.open(images: $0.images, labels: $0.labels, classNames: names)
    }
    guard sets[0].sampleShape == sets[1].sampleShape else {
      throw TernError(
        .badData,
        "\(paths[1].images): images of \(sets[1].sampleShape) where the training set has "
          + "\(sets[0].sampleShape)")
    }
    return DataSource(specification, sets[0], sets[1])
  }

  /// As many classes as the largest label asks for, at least two.
  private static func numberedClasses(_ labelPaths: [String]) throws -> [String] {
    let largest = try labelPaths.map { try IDXFile(contentsOf: $0, axes: 1).elements.max()! }.max()!
    return (0...max(Int(largest), 1)).map(String.init)
  }
}

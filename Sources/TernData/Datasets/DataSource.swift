import Foundation
import TernCore

/// A data set as a user names it: a training and a test set.
///
/// The formats are described where they are read: ``IDXFile``, `CIFAR`, ``ImageFolderDataset``,
/// `CSVTable`, `ArraySets`, `ShardSets`, `LMDBSets`, `PictureList`.
public struct DataSource: Sendable {
  /// As the user named it.
  public let specification: String
  /// What is trained on.
  public let training: any Dataset
  /// What is measured at the end.
  public let test: any Dataset
  /// Where the data comes with one. It may be the test set too, see ``testIsValidation``.
  public let validation: (any Dataset)?
  /// Whether the validation set is measured as test set because there is no other.
  public let testIsValidation: Bool
  /// The columns of a table, where it has names for them.
  public let columns: TableColumns?
  /// The tokens of text.
  public let vocabulary: Vocabulary?
  /// What is used for what, where it is from, and how many samples it has; what is left out; a line
  /// each.
  public let notes: [String]

  /// How data can be named.
  public static let forms =
    "fashion-mnist, mnist, idx:DIR, cifar10:DIR, cifar100:DIR, images:DIR, csv:FILE, npz:FILE, "
    + "hdf5:FILE, text:PATH, tar:PATTERN, lmdb:DIR, list:FILE"

  /// The formats of which a second location may be for testing, behind a comma.
  package static let formatsOfPairs: Set = ["csv", "hdf5", "list", "lmdb"]

  /// The folders that hold a data set each, by its name: `$TERN_DATA`, then where Debian's
  /// packages put them.
  public static var standardRoots: [String] {
    [getenv("TERN_DATA").map { FileName.text(cString: $0) } ?? "", "/usr/share/datasets"]
      .filter { !$0.isEmpty }
  }

  /// Opens data by one of its ``forms``; `fashion-mnist` and `mnist` also with `:DIR`, `csv`, `hdf5`,
  /// `list` and `lmdb` also with a second place for testing: `csv:TRAIN,TEST`, see ``tables(_:isThere:)``. In all
  /// others a comma is a part of the name.
  ///
  /// A validation set is the test set where there is no other. Where there is neither, every fifth
  /// sample of each class is held out for testing.
  ///
  /// - Parameters:
  ///   - roots: where a data set is searched that is named without a folder.
  ///   - pictures: the samples that picture files become.
  ///   - known: what a network was trained on that goes on with this data: its classes keep their
  ///     numbers, its columns their order.
  ///   - onError: what becomes of samples that cannot be read: of pictures in files, archives and databases.
  ///   - targets: what is to be predicted.
  ///   - inputs: the network's inputs, where it is known: arrays of `npz:FILE` may be called by them.
  ///   - writesIndex: whether an index of samples in archives and databases may be put beside them.
  /// - Throws: ``TernError`` where the name is unknown, or a file is missing, damaged, or not what is
  ///   known.
  public static func open(
    _ specification: String, roots: [String] = standardRoots,
    pictures: PictureOptions = PictureOptions(), known: TrainedSamples? = nil,
    onError: ItemErrorPolicy = .stop,
    targets: TargetSelection = TargetSelection(), inputs: [Field] = [], writesIndex: Bool = true
  ) throws -> DataSource {
    let parts = try DataOpener(
      roots: roots, known: known, pictures: pictures, view: pictures.view, onError: onError,
      measures: false, selection: targets, writesIndex: writesIndex, inputs: inputs
    ).open(specification)
    return try DataSource(specification, parts, targets)
  }

  private init(_ specification: String, _ parts: DataParts, _ targets: TargetSelection) throws {
    guard let all = parts.training else {
      throw TernError(.badData, "\(specification): no training set in it")
    }
    self.specification = specification
    columns = parts.columns
    vocabulary = parts.vocabulary
    validation = parts.validation?.set
    testIsValidation = parts.test == nil && parts.validation != nil
    var uses: [String]
    if let test = parts.test ?? parts.validation {
      (training, self.test) = (all.set, test.set)
      uses = [Self.use("training", all)]
      if testIsValidation {
        uses.append(Self.use("validation and test", test))
      } else {
        uses += [parts.validation.map { Self.use("validation", $0) }].compactMap(\.self)
        uses.append(Self.use("test", test))
      }
    } else {
      let isSmall = all.set.hasNumericTargets && all.set.count < TargetSelection.fewSamples
      let part = targets.testSplit ?? (isSmall ? 0 : 0.2)
      if part == 0 {
        (training, test) = (all.set, all.set)
        uses = [
          "training and test \(all.set.count) (\(all.origin)): there is no test set, the training "
            + "samples are measured"
        ]
      } else {
        let split = try Subset.testSplit(all.set, part, name: specification)
        (training, test) = (split.first, split.second)
        let held =
          targets.testSplit.map { "\($0.description) of the samples" } ?? "every fifth sample"
        let each = all.set is any DatasetOfRuns ? "file" : "class"
        uses = [
          "training \(split.first.count) and test \(split.second.count) of \(all.origin): there is no "
            + "test set, \(held)\(targets.kind == .classes ? " of each \(each)" : "") is held out"
        ]
      }
    }
    notes =
      ["data: " + uses.joined(separator: ", ")]
      + (targets.kind == .tokens ? [] : [Self.classes(training)]) + parts.notes
  }

  /// Data of which one set alone is used, to measure a network on.
  init(measuring part: DataParts.Part, _ notes: [String], _ specification: String) {
    self.specification = specification
    (training, test, validation, testIsValidation) = (part.set, part.set, nil, false)
    columns = nil
    vocabulary = nil
    self.notes = ["data: \(Self.use("measured on", part))"] + notes
  }

  /// The same with its sets changed.
  public func map(_ change: (any Dataset) throws -> any Dataset) rethrows -> DataSource {
    DataSource(
      specification: specification, training: try change(training), test: try change(test),
      validation: try validation.map(change), testIsValidation: testIsValidation,
      columns: columns, vocabulary: vocabulary, notes: notes)
  }

  private init(
    specification: String, training: any Dataset, test: any Dataset,
    validation: (any Dataset)?, testIsValidation: Bool, columns: TableColumns?,
    vocabulary: Vocabulary?, notes: [String]
  ) {
    self.vocabulary = vocabulary
    self.specification = specification
    (self.training, self.test, self.validation) = (training, test, validation)
    self.testIsValidation = testIsValidation
    self.columns = columns
    self.notes = notes
  }

  private static func use(_ name: String, _ part: DataParts.Part) -> String {
    "\(name) \(part.set.count) (\(part.origin))"
  }

  private static func classes(_ set: any Dataset) -> String {
    let names = set.classNames
    return (set.hasNumericTargets ? "predicted" : "classes") + ": \(names.count): "
      + names.prefix(10).joined(separator: ", ")
      + (names.count > 10 ? ", … \(names.last!)" : "")
  }

  /// Whether two names stand for the same files, however they are spelled.
  package static func isSame(_ first: String, _ second: String) -> Bool {
    if first == second { return true }
    let (a, b) = (cut(first), cut(second))
    guard a.name == b.name, let ours = a.location, let theirs = b.location else { return false }
    let paths = [ours, theirs].map { formatsOfPairs.contains(a.name) ? tables($0) ?? [$0] : [$0] }
    return paths[0].count == paths[1].count && zip(paths[0], paths[1]).allSatisfy(FileSystem.isSame)
  }

  /// Whether there is a file, a folder, or what a pattern of shards names.
  package static func isThere(_ path: String) -> Bool {
    FileSystem.exists(path) || (try? ShardPattern.files(path)) != nil
  }

  /// The files that the location of tables names: one, or one to train on and one for testing with a
  /// comma between. Names may hold commas too: taken is what is there, one file before two, the shorter
  /// first name before the longer.
  ///
  /// - Parameter isThere: whether a file is at a path.
  /// - Returns: one or two paths; `nil` where nothing is there and there are several commas.
  package static func tables(
    _ location: String, isThere: (String) -> Bool = FileSystem.exists
  ) -> [String]? {
    if isThere(location) { return [location] }
    // By bytes, as names of files are.
    let bytes = location.utf8
    let pairs = bytes.indices.filter { bytes[$0] == UInt8(ascii: ",") }.map { comma in
      [String(location[..<comma]), String(location[bytes.index(after: comma)...])]
    }
    guard !pairs.isEmpty else { return [location] }
    func count(_ pair: [String]) -> Int { pair.count { !$0.isEmpty && isThere($0) } }
    let most = pairs.map(count).max() ?? 0
    // Where one of two is there, the other is the one that is missing.
    guard let pair = pairs.first(where: { count($0) == most }), most > 0 || pairs.count == 1 else {
      return nil
    }
    return pair
  }

  /// The name of a format or data set, and where it is.
  static func cut(_ specification: String) -> (name: String, location: String?) {
    // By its bytes: a name may begin with a mark that belongs to the character before it.
    let bytes = specification.utf8
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return (specification, nil) }
    return (
      String(specification[..<colon]), String(specification[bytes.index(after: colon)...])
    )
  }

  /// How picture files become samples for a network trained on this data: as those of a folder do,
  /// for other data from the centre of the picture.
  ///
  /// - Parameter isPerPixel: whether the network gives a class per pixel, so that it sees all of the
  ///   picture.
  /// - Throws: ``TernError`` of kind `usage` where samples are not pictures.
  package static func frame(
    _ specification: String, sampleShape: Shape, pictures: PictureOptions,
    isPerPixel: Bool = false
  ) throws -> PictureFrame {
    guard sampleShape.rank == 3, [1, 3].contains(sampleShape[0]) else {
      throw TernError(
        .usage, "samples of \(specification) are \(sampleShape), which no picture file gives")
    }
    return PictureFrame(
      sampleShape, view: isPerPixel ? .whole : pictures.view(trainedOn: specification))
  }
}

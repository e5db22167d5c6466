import Foundation
import TernCore

/// What becomes of a set where one of its items cannot be read.
public enum ItemErrorPolicy: String, CaseIterable, Sendable {
  /// It ends everything, with an error that names it.
  case stop
  /// It is left out, counted and named.
  case skip
}

/// Finds the parts of data by its name.
struct DataOpener {
  let roots: [String]
  /// What the data is held against, where a network was trained already.
  let known: TrainedSamples?
  /// The samples that picture files become, and where those of a list are.
  let pictures: PictureOptions
  /// What of a picture a sample shows.
  let view: PictureFrame.View
  let onError: ItemErrorPolicy
  /// Whether but one part is wanted, to measure a network on.
  let measures: Bool
  /// What is to be predicted.
  var selection = TargetSelection()
  /// Whether an index of samples in archives and databases may be put beside them.
  var writesIndex = true
  /// The network's inputs, which the arrays of an npz file may be called by.
  var inputs: [Field] = []

  private static let digits = (0...9).map(String.init)
  private static let clothes = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
  ]

  /// - Throws: ``TernError`` where the samples are not those that are known, or a part has none.
  func open(_ specification: String) throws -> DataParts {
    let parts = try partsOf(specification)
    for part in DataPart.allCases {
      guard let found = parts[part] else { continue }
      guard found.set.count > 0 else {
        throw TernError(.badData, "\(specification): \(found.origin): no samples in it")
      }
      guard found.set.hasNumericTargets == selection.isNumeric else {
        throw TernError(
          .usage,
          "\(specification): has classes, not \(selection.kind == .labels ? "labels" : "numbers") to be "
            + "predicted; csv:FILE, npz:FILE\(selection.kind == .labels ? "" : ", list:FILE, lmdb:DIR") and "
            + "hdf5:FILE may have those")
      }
      if let known, found.set.sampleShape != known.shape {
        throw TernError(
          .badData,
          "\(specification): samples of \(found.set.sampleShape), the network was trained on "
            + "\(known.shape)")
      }
    }
    return parts
  }

  private func partsOf(_ specification: String) throws -> DataParts {
    let (name, location) = DataSource.cut(specification)
    guard selection.columns.isEmpty || ["csv", "hdf5", "npz", "text"].contains(name) else {
      throw TernError(
        .usage,
        "target: is for csv:FILE, npz:FILE, hdf5:FILE and text:FILE.csv, not for \(specification)")
    }
    guard selection.samples == nil || ["hdf5", "npz"].contains(name) else {
      throw TernError(.usage, "samples: is for npz:FILE and hdf5:FILE, not for \(specification)")
    }
    guard selection.kind != .tokens || name == "text" else {
      throw TernError(
        .usage, "\(specification): a language model is trained on text:FILE or text:DIR")
    }
    guard inputs.count <= 1 || ["hdf5", "npz", "text"].contains(name) else {
      throw TernError(
        .usage,
        "\(specification): the network reads \(inputs.map(\.name).joined(separator: ", ")); npz:FILE and "
          + "hdf5:FILE may hold an array for each")
    }
    /// The location, which is not optional.
    func place(_ kind: String = "DIR") throws -> String {
      guard let location, !location.isEmpty else {
        let what =
          [
            "DIR": "folder", "PATH": "file or folder", "PATTERN": "pattern of files",
          ][kind] ?? "file"
        throw TernError(.usage, "data: \(name) needs a \(what), as in \(name):\(kind)")
      }
      return location
    }
    switch name {
    case "fashion-mnist":
      let directory =
        try location == nil
        ? find(name, hint: "apt-get install dataset-fashion-mnist") : place()
      return try IDX.open(directory, captions: Self.clothes, known: known, measures: measures)
    case "mnist":
      let directory =
        try location == nil
        ? find(name, hint: "put its four IDX files into $TERN_DATA/mnist") : place()
      return try IDX.open(directory, captions: Self.digits, known: known, measures: measures)
    case "idx":
      return try IDX.open(try place(), captions: nil, known: known, measures: measures)
    case "cifar10", "cifar100":
      return try CIFAR.open(try place(), classCount: name == "cifar10" ? 10 : 100, known: known)
    case "images":
      return try PictureFolders(
        directory: try place(), frame: frame(specification), known: known, onError: onError,
        measures: measures
      ).parts()
    case "list":
      return try PictureList(
        location: try place("FILE"), root: pictures.root, frame: frame(specification), known: known,
        onError: onError, measures: measures, predictsNumbers: selection.kind == .numbers
      ).parts()
    case "tar":
      return try ShardSets(
        pattern: try place("PATTERN"), frame: { try frame(specification) }, known: known,
        measures: measures, storage: storage
      ).parts()
    case "lmdb":
      return try LMDBSets(
        location: try place(), frame: { try frame(specification) }, known: known,
        measures: measures, storage: storage, input: inputs.first?.type.shape,
        predictsNumbers: selection.kind == .numbers
      ).parts()
    case "csv":
      return try tables(specification, try place("FILE"))
    case "text":
      return try text(try place("PATH"))
    case "npz":
      let path = try place("FILE")
      return try ArraySets(
        files: [(try NPZ(path), nil)], path: path, known: known, measures: measures,
        selection: selection, inputs: inputs, channelOrder: pictures.channelOrder
      ).parts()
    case "hdf5":
      let path = try place("FILE")
      return try ArraySets(
        files: try HDF5Sets.files(path), path: path, known: known, measures: measures,
        selection: selection, inputs: inputs, channelOrder: pictures.channelOrder, isCaffes: true
      ).parts()
    default:
      throw TernError(
        .usage,
        "unknown data '\(specification)'; "
          + (Self.form(ofPath: specification).map { "did you mean '\($0)'?" }
            ?? "known are \(DataSource.forms)"))
    }
  }

  private func text(_ path: String) throws -> DataParts {
    guard inputs.isEmpty || inputs[0].type.dataType == .int32 && inputs[0].type.shape.rank == 1
    else {
      throw TernError(
        .usage,
        "text:\(path): tokens, int32[T]; the network reads \(inputs[0].type.dataType)"
          + "\(inputs[0].type.shape)")
    }
    guard !selection.isNumeric else {
      throw TernError(.usage, "text:\(path): text has classes or next tokens, no numbers")
    }
    var options = selection.text
    if let length = known?.shape.first { options.length = length }
    return try TextSource(
      path: path, options: options, predictsTokens: selection.kind == .tokens,
      selection: selection, known: known, measures: measures
    ).parts()
  }

  private var storage: RunIndex.Storage { .init(isWritten: writesIndex, onError: onError) }

  private func frame(_ specification: String) throws -> PictureFrame {
    let shape = known?.shape ?? pictures.shape
    guard shape.rank == 3, [1, 3].contains(shape[0]) else {
      throw TernError(
        .badData, "\(specification): pictures, the network was trained on samples of \(shape)")
    }
    return PictureFrame(shape, view: view)
  }

  /// How data is named that lies at a path.
  private static func form(ofPath path: String) -> String? {
    guard let kind = FileSystem.kind(path) else { return nil }
    if kind == .folder { return "images:\(path)" }
    let ending = path.pathSuffix.lowercased()
    if ending == "tar" || path.lowercased().hasSuffix(".tar.gz") { return "tar:\(path)" }
    if ["h5", "hdf5"].contains(ending) { return "hdf5:\(path)" }
    return ["csv", "npz"].contains(ending)
      ? "\(ending):\(path)" : ending == "txt" ? "text:\(path)" : nil
  }

  private func tables(_ specification: String, _ location: String) throws -> DataParts {
    guard let paths = DataSource.tables(location), !paths.contains("") else {
      throw TernError(.usage, "data: expected csv:FILE or csv:TRAIN,TEST, got '\(specification)'")
    }
    guard paths.count == 1 || paths.contains(where: FileSystem.exists) else {
      throw TernError(
        .notFound,
        "no file '\(location)', nor '\(paths[0])' and '\(paths[1])' for training and testing")
    }
    guard selection.kind != .classes || selection.columns.count <= 1 else {
      throw TernError(
        .usage,
        "target: a class stands in one column, got \(selection.columns.joined(separator: ",")); "
          + "task regression or multilabel predicts several")
    }
    let training = try CSVTable(contentsOf: paths[0], known: known?.columns, selection: selection)
    var tables = [training]
    if paths.count == 2 {
      let test = try CSVTable(
        contentsOf: paths[1], known: training.columns, selection: selection)
      guard test.featureCount == training.featureCount else {
        throw TernError(
          .badData,
          "\(paths[1]): \(test.featureCount) features where \(paths[0]) has "
            + "\(training.featureCount)")
      }
      tables.append(test)
    }
    guard selection.kind == .classes else {
      var parts = DataParts()
      parts.columns = training.columns
      for (table, (part, path)) in zip(tables, zip([DataPart.training, .test], paths)) {
        parts[part] = .init(set: table.numericDataset, origin: path)
        parts.notes += table.notes
      }
      return parts
    }
    let classes =
      try known.map { ClassNames($0.classNames) }
      ?? ClassNames(
        training: training.labelNames, others: tables.dropFirst().map(\.labelNames), path: paths[0])
    guard classes.names.count >= 2 else {
      throw TernError(
        .badData, "\(paths[0]): all samples have the label '\(training.labelNames[0])'")
    }
    var parts = DataParts()
    parts.columns = training.columns
    for (table, (part, path)) in zip(tables, zip([DataPart.training, .test], paths)) {
      parts[part] = .init(set: try table.dataset(classes), origin: path)
      parts.notes += table.notes
    }
    return parts
  }

  private func find(_ name: String, hint: String) throws -> String {
    let candidates = roots.map { $0.appendingPath(name) }
    guard let found = candidates.first(where: FileSystem.exists) else {
      throw TernError(
        .notFound, "no \(name) data in \(candidates.joined(separator: " or ")); \(hint)")
    }
    return found
  }
}

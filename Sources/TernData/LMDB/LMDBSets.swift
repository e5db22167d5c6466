import Foundation
import TernCore

/// The parts of data in LMDB databases: one folder with a `data.mdb`, one to train on and one for testing with
/// a comma between, or a folder of such folders, whose names have words such as `train` and `test` in them.
struct LMDBSets {
  let location: String
  let frame: () throws -> PictureFrame
  let known: TrainedSamples?
  let measures: Bool
  let storage: RunIndex.Storage
  /// What the network reads, where that is known: the middle of larger values.
  let input: Shape?
  /// Whether labels are numbers to be predicted, not classes.
  let predictsNumbers: Bool

  func parts() throws -> DataParts {
    let places = try places()
    var parts = DataParts()
    var classes = predictsNumbers ? nil : known.map { ClassNames($0.classNames) }
    var shape: Shape?
    for part in DataPart.wanted(places.keys, measures: measures) {
      let path = LMDBFile.file(of: places[part]!)
      let (index, stamps) = try RunIndex.of([path], storage, isStrict: true) {
        try LMDBCount.index(of: path, leavesOutDamaged: storage.onError == .skip)
      }
      // Whoever made the index has looked over the file, on this machine.
      let file = try LMDBFile(path, isChecked: true)
      let keys = try keys(index, path)
      let named =
        try classes
        ?? ClassNames(
          wholeNumbers: index.labels.keys.compactMap { Int($0) }, path: path)
      _ = try index.classes(known: named, path: path)
      if !predictsNumbers { classes = named }
      let (content, own, note) = try content(index, path)
      if let note, part == .training { parts.notes.append(note) }
      if let shape, shape != own {
        throw TernError(.badData, "\(path): samples of \(own) where the training set has \(shape)")
      }
      shape = own
      let traits =
        ["\(index.counts[0]) \(stamps[0].byteCount)"]
        + index.labels.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      var digest = SHA256()
      for trait in traits { digest.update(trait) }
      let runLength = LMDBDataset.runLength
      let lengths = keys.indices.map { min(runLength, index.counts[0] - $0 * runLength) }
      var damaged = lengths.map { _ in [Int]() }
      for place in index.damaged[0] { damaged[place / runLength].append(place % runLength) }
      parts.notes += index.damageNotes
      let set = LMDBDataset(
        file, keys: keys, lengths: lengths, damaged: DamagedSamples(places: damaged),
        classes: named, content: content, sampleShape: own, summary: digest.hexadecimal)
      parts[part] = .init(
        set: predictsNumbers ? try NumberedLabels(set, path: path) : set, origin: places[part]!)
    }
    return parts
  }

  private func places() throws -> [DataPart: String] {
    guard let paths = DataSource.tables(location), !paths.contains("") else {
      throw TernError(.usage, "data: expected lmdb:DIR or lmdb:TRAIN,TEST, got 'lmdb:\(location)'")
    }
    for path in paths where !FileSystem.exists(path) {
      throw TernError(.notFound, "no folder '\(path)'")
    }
    if paths.count == 2 { return [.training: paths[0], .test: paths[1]] }
    let path = paths[0]
    guard FileSystem.isFolder(path), !FileSystem.exists(LMDBFile.file(of: path)) else {
      return [.training: path]
    }
    var places: [DataPart: String] = [:]
    for name in try FolderListing(path).folders
    where FileSystem.exists(LMDBFile.file(of: path.appendingPath(name))) {
      let words = name.split { !$0.isLetter }
      guard let part = words.lazy.compactMap({ DataPart(named: $0) }).first else { continue }
      if let other = places.updateValue(path.appendingPath(name), forKey: part) {
        throw TernError(
          .badData,
          "\(path): two databases for the \(part) set, '\(other.lastPathPart)' and '\(name)'")
      }
    }
    guard !places.isEmpty else {
      throw TernError(.notFound, "\(path): no data.mdb in it, nor in folders called train or test")
    }
    return places
  }

  /// What samples are made of, their shape, and what is to be said of it.
  private func content(
    _ index: RunIndex, _ path: String
  ) throws -> (LMDBDataset.Content, Shape, note: String?) {
    let kind = index.details["kind"]?.stringValue.flatMap(Datum.Kind.init)
    if kind == .encoded {
      let frame = try frame()
      return (.pictures(frame), frame.sampleShape, nil)
    }
    guard case .array(let extents)? = index.details["shape"], extents.count == 3 else {
      throw TernError(.badData, "\(path): no entries in it")
    }
    let shape = Shape(extents.compactMap(\.intValue))
    if let wanted = known?.shape ?? input, wanted.rank == 3, wanted[0] == shape[0],
      wanted[1] <= shape[1], wanted[2] <= shape[2], wanted != shape
    {
      return (
        .values(shape), wanted,
        "the middle \(wanted[1])×\(wanted[2]) of the \(shape[1])×\(shape[2]) values of \(path) is seen"
      )
    }
    return (.values(shape), shape, nil)
  }

  private func keys(_ index: RunIndex, _ path: String) throws -> [[UInt8]] {
    guard case .array(let texts)? = index.details["keys"] else { return [] }
    let keys = texts.compactMap { $0.stringValue.flatMap { Data(base64Encoded: $0) } }
    guard keys.count == texts.count,
      keys.count == (index.counts[0] + LMDBDataset.runLength - 1) / LMDBDataset.runLength
    else {
      throw TernError(.badData, "\(RunIndex.place(of: [path], storage)): not what Tern writes")
    }
    return keys.map { [UInt8]($0) }
  }
}

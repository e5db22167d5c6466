import Foundation
import TernCore

/// The parts of data in tar archives: archives whose names have a word such as `train`, `val` or `test`
/// in them are those parts; others are all for training.
struct ShardSets {
  let pattern: String
  let frame: () throws -> PictureFrame
  let known: TrainedSamples?
  let measures: Bool
  let storage: RunIndex.Storage

  func parts() throws -> DataParts {
    let files = try ShardPattern.files(pattern)
    var names: [DataPart: [String]] = [:]
    for file in files {
      let words = file.lastPathPart.split { !$0.isLetter }
      let part = words.lazy.compactMap { DataPart(named: $0) }.first
      names[part ?? .training, default: []].append(file)
    }
    if names[.training] == nil, known == nil, names.count == 1, let only = names.first {
      // A pattern that names one part alone is trained on.
      names = [.training: only.value]
    }
    var parts = DataParts()
    var classes = known.map { ClassNames($0.classNames) }
    var content: ShardDataset.Content?
    for part in DataPart.wanted(names.keys, measures: measures) {
      let files = names[part]!
      let (index, stamps) = try RunIndex.of(files, storage) {
        try ShardCount.index(of: files, leavesOutDamaged: storage.onError == .skip)
      }
      guard index.readableCount > 0 else {
        throw TernError(.badData, "tar:\(pattern): no samples in the \(part) set")
      }
      let named = try index.classes(known: classes, path: files[0])
      classes = named
      let own = try self.content(index)
      if let first = content, first.shape != own.shape {
        throw TernError(
          .badData, "\(files[0]): samples of \(own.shape) where the training set has \(first.shape)"
        )
      }
      content = content ?? own
      let traits =
        stamps.map { "\($0.name) \($0.byteCount)" }
        + index.labels.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      var digest = SHA256()
      for trait in traits { digest.update(trait) }
      parts[part] = .init(
        set: ShardDataset(
          files, lengths: index.counts, damaged: DamagedSamples(places: index.damaged),
          classes: named, content: own, summary: digest.hexadecimal),
        origin: files.count == 1
          ? files[0].lastPathPart : "\(files.count) shards, \(files[0].lastPathPart) …")
      parts.notes += index.damageNotes
      if let text = index.details["left out"]?.stringValue { parts.notes.append(text) }
    }
    return parts
  }

  private func content(_ index: RunIndex) throws -> ShardDataset.Content {
    guard index.details["kind"]?.stringValue == ShardSample.Kind.array.rawValue else {
      return .pictures(try frame())
    }
    guard case .array(let extents)? = index.details["shape"],
      let arrays = ShardArrays(extents.compactMap(\.intValue))
    else {
      throw TernError(
        .badData,
        "tar:\(pattern): arrays of a shape where [D], [H, W], [H, W, C] or [C, H, W] belongs, with C of "
          + "1 or 3")
    }
    return .arrays(arrays)
  }
}

extension ShardDataset.Content {
  fileprivate var shape: Shape {
    switch self {
    case .pictures(let frame): frame.sampleShape
    case .arrays(let arrays): arrays.sampleShape
    }
  }
}

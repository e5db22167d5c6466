import Foundation
import Synchronization
import TernCore

/// The parts of data in tar archives: archives whose names have a word such as `train`, `val` or `test`
/// in them are those parts; others are all for training.
struct ShardSets {
  let pattern: String
  let frame: () throws -> PictureFrame
  let known: TrainedSamples?
  let measures: Bool

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
      let (index, stamps) = try RunIndex.of(files) { try Self.count(files) }
      guard index.counts.contains(where: { $0 > 0 }) else {
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
        + index.labels.sorted {
          $0.key < $1.key
        }.map { "\($0.key) \($0.value)" }
      var digest = SHA256()
      for trait in traits { digest.update(trait) }
      parts[part] = .init(
        set: ShardDataset(
          files, lengths: index.counts, classes: named, content: own,
          summary: digest.hexadecimal),
        origin: files.count == 1
          ? files[0].lastPathPart : "\(files.count) shards, \(files[0].lastPathPart) …")
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

  // MARK: Counting

  private struct Found {
    var counts: [Int]
    var labels: [String: Int] = [:]
    var kinds: [ShardSample.Kind: String] = [:]
    var leftOut: [Int: LeftOut] = [:]
    var faults: [Int: any Error] = [:]
  }

  /// Goes through archives once, all processors side by side.
  private static func count(_ files: [String]) throws -> RunIndex {
    let found = Mutex(Found(counts: files.map { _ in 0 }))
    BackgroundThread.concurrently(files.count, name: "tern-shards") { number in
      do {
        var samples = try ShardSamples(files[number], keepsBytes: false)
        var (count, labels) = (0, [String: Int]())
        var kinds: [ShardSample.Kind: String] = [:]
        while let sample = try samples.next() {
          count += 1
          labels[sample.label, default: 0] += 1
          if kinds[sample.kind] == nil { kinds[sample.kind] = sample.name }
          guard labels.count <= RunIndex.labelLimit else {
            throw TernError(
              .badData,
              "\(files[number]): more than \(RunIndex.labelLimit) different labels; are they captions?"
            )
          }
        }
        found.withLock { found in
          found.counts[number] = count
          found.labels.merge(labels, uniquingKeysWith: +)
          found.kinds.merge(kinds) { first, _ in first }
          found.leftOut[number] = samples.leftOut
        }
      } catch { found.withLock { $0.faults[number] = error } }
    }
    let all = found.withLock { $0 }
    // Of several faults the first in the order of the files, whichever came first.
    if let fault = all.faults.min(by: { $0.key < $1.key }) { throw fault.value }
    if all.kinds.count > 1 {
      throw TernError(
        .badData, "\(all.kinds[.array]!): an array, and \(all.kinds[.picture]!) is a picture")
    }
    var details: [String: JSON] = [:]
    if let (kind, _) = all.kinds.first {
      details["kind"] = .string(kind.rawValue)
      if kind == .array { details["shape"] = .array(try shape(files).map(JSON.int)) }
    }
    let leftOut = all.leftOut.values.reduce(into: LeftOut()) { $0.add($1) }
    if let text = leftOut.text { details["left out"] = .string(text) }
    return RunIndex(counts: all.counts, labels: all.labels, details: details)
  }

  /// The shape of the first array.
  private static func shape(_ files: [String]) throws -> [Int] {
    for file in files {
      var samples = try ShardSamples(file, keepsBytes: true)
      guard let sample = try samples.next() else { continue }
      let bytes: Data
      if let own = sample.bytes {
        bytes = own
      } else {
        var data = Data(count: sample.byteCount)
        let read = try data.withUnsafeMutableBytes {
          try OpenFile(file).read(into: $0, at: sample.offset)
        }
        bytes = data.prefix(read)
      }
      return try NPYArray(bytes, name: sample.name).shape
    }
    return []
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

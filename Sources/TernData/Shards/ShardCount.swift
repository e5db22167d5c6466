import Foundation
import Synchronization
import TernCore

/// Goes through archives once, to know how many samples each has, and which labels.
enum ShardCount {
  private struct Found {
    var counts: [Int]
    /// The samples of each archive that cannot be read, and why.
    var damaged: [[(place: Int, fault: String)]]
    var labels: [String: Int] = [:]
    var kinds: [ShardSample.Kind: String] = [:]
    var leftOut: [Int: LeftOut] = [:]
    var faults: [Int: any Error] = [:]
  }

  /// Goes through archives, all processors side by side.
  ///
  /// - Parameter leavesOutDamaged: whether samples are decoded, and those that cannot be read left out.
  /// - Throws: ``TernError`` where an archive cannot be gone through, or a sample is none and not left out.
  static func index(of files: [String], leavesOutDamaged: Bool) throws -> RunIndex {
    // What arrays are held against.
    let extents = leavesOutDamaged ? try shape(files, leavesOutDamaged: true) : []
    let arrays = ShardArrays(extents)
    let found = Mutex(Found(counts: files.map { _ in 0 }, damaged: files.map { _ in [] }))
    BackgroundThread.concurrently(files.count, name: "tern-shards") { number in
      do {
        let file = try OpenFile(files[number])
        var samples = try ShardSamples(
          files[number], keepsBytes: leavesOutDamaged, passesDamaged: leavesOutDamaged)
        var (count, labels) = (0, [String: Int]())
        var kinds: [ShardSample.Kind: String] = [:]
        var damaged: [(place: Int, fault: String)] = []
        while let result = try samples.next() {
          defer { count += 1 }
          do {
            let sample = try result.get()
            if leavesOutDamaged { try check(sample, in: file, arrays) }
            labels[sample.label, default: 0] += 1
            if kinds[sample.kind] == nil { kinds[sample.kind] = sample.name }
          } catch let error as TernError where leavesOutDamaged {
            damaged.append((count, error.message))
          }
          guard labels.count <= RunIndex.labelLimit else {
            throw TernError(
              .badData,
              "\(files[number]): more than \(RunIndex.labelLimit) different labels; are they captions?"
            )
          }
        }
        found.withLock { found in
          found.counts[number] = count
          found.damaged[number] = damaged
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
      if kind == .array {
        let extents = leavesOutDamaged ? extents : try shape(files, leavesOutDamaged: false)
        details["shape"] = .array(extents.map(JSON.int))
      }
    }
    let leftOut = all.leftOut.values.reduce(into: LeftOut()) { $0.add($1) }
    if let text = leftOut.text { details["left out"] = .string(text) }
    let damaged = all.damaged.flatMap(\.self)
    return RunIndex(
      counts: all.counts, labels: all.labels, details: details,
      damaged: all.damaged.map { $0.map(\.place) },
      damageNotes: DamagedItems.notes(
        damaged.map(\.fault), damaged.count, of: "\(all.counts.reduce(0, +)) samples"))
  }

  /// Reads a sample as training does.
  private static func check(
    _ sample: ShardSample, in file: OpenFile, _ arrays: ShardArrays?
  ) throws {
    let bytes = try bytes(of: sample, in: file)
    switch sample.kind {
    case .picture: _ = try Picture(bytes, name: sample.name)
    // Shapes that no array of a sample may have are told of all.
    case .array: _ = try arrays?.values(bytes, name: sample.name)
    }
  }

  private static func bytes(of sample: ShardSample, in file: OpenFile) throws -> Data {
    if let own = sample.bytes { return own }
    var data = Data(count: sample.byteCount)
    let read = try data.withUnsafeMutableBytes { try file.read(into: $0, at: sample.offset) }
    return data.prefix(read)
  }

  /// The shape of the first array, or of the first that can be read; empty where there is none.
  private static func shape(_ files: [String], leavesOutDamaged: Bool) throws -> [Int] {
    for path in files {
      let file = try OpenFile(path)
      var samples = try ShardSamples(
        path, keepsBytes: true, passesDamaged: leavesOutDamaged)
      while let result = try samples.next() {
        do {
          let sample = try result.get()
          // Archives of pictures have no arrays.
          guard sample.kind == .array else { return [] }
          return try NPYArray(bytes(of: sample, in: file), name: sample.name).shape
        } catch let error as TernError { if !leavesOutDamaged { throw error } }
      }
    }
    return []
  }
}

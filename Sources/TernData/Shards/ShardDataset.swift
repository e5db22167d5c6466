import Foundation
import Synchronization
import TernCore

/// Samples in tar archives, of which nothing is held but what is about to be read.
///
/// Pictures become samples as those of a folder do, arrays as those of an npz file. Archives that are not
/// packed are read where a sample lies; packed ones from front to back, a block of samples at a time.
final class ShardDataset: DatasetOfRuns {
  let sampleShape: Shape
  let classNames: [String]
  let summary: String?
  private let paths: [String]
  private let classes: ClassNames
  private let content: Content
  private let lengths: [Int]
  private let damaged: DamagedSamples
  private let part: RunPart
  private let cache = BlockCache<[Sample]>()
  private let opened = Mutex([(run: Int, shard: OpenShard)]())

  /// Archives that stay open.
  private static let openLimit = 4 * SampleWindows.runsPerWindow

  /// What samples are made of.
  enum Content: Sendable {
    case pictures(PictureFrame)
    case arrays(ShardArrays)
  }

  /// A sample whose label is a class, and where its bytes are.
  fileprivate struct Sample: Sendable {
    let name: String
    /// `nil` where the sample is left out.
    let label: Int32?
    let offset: Int
    let byteCount: Int
    let bytes: Data?
  }

  /// - Parameters:
  ///   - lengths: how many samples each archive has, the damaged among them.
  ///   - damaged: samples that are left out.
  init(
    _ paths: [String], lengths: [Int], damaged: DamagedSamples, classes: ClassNames,
    content: Content, summary: String, part: RunPart.Kind = .all
  ) {
    (self.paths, self.lengths, self.classes, self.content) = (paths, lengths, classes, content)
    self.damaged = damaged
    self.part = RunPart(zip(lengths, damaged.places).map { $0 - $1.count }, part)
    self.summary = "\(summary) \(part)"
    classNames = classes.names
    sampleShape =
      switch content {
      case .pictures(let frame): frame.sampleShape
      case .arrays(let arrays): arrays.sampleShape
      }
  }

  var count: Int { part.count }
  var runs: [Int]? { part.counts }
  var statisticsCount: Int { min(count, ImageFolderDataset.statisticsLimit) }
  func statisticsSample(_ number: Int) -> Int {
    part.statisticsSample(number, of: statisticsCount)
  }

  func holdingOut(_ part: Double) -> (first: any Dataset, second: any Dataset) {
    func cut(_ kind: RunPart.Kind) -> ShardDataset {
      ShardDataset(
        paths, lengths: lengths, damaged: damaged, classes: classes, content: content,
        summary: summary!, part: kind)
    }
    return (cut(.rest(part)), cut(.held(part)))
  }

  /// 0 where the archive cannot be read any more: ``copyTarget(_:to:)`` tells so.
  func label(_ index: Int) -> Int32 { (try? sample(index).sample.label) ?? 0 }

  func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    let (sample, shard) = try sample(index)
    guard let label = sample.label else { throw shard.changed() }
    destination.storeBytes(of: label, as: Int32.self)
  }

  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    let (sample, shard) = try sample(index)
    let bytes = try shard.bytes(of: sample)
    switch content {
    case .pictures(let frame):
      try frame.copy(bytes, name: sample.name, to: destination, scale: scale)
    case .arrays(let arrays):
      try arrays.copy(bytes, name: sample.name, to: destination)
      scale.apply(to: destination, planeSize: sampleShape.elementCount / sampleShape[0])
    }
  }

  func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    switch content {
    case .pictures(let frame):
      let (sample, shard) = try sample(index)
      try frame.copyRegion(
        try shard.bytes(of: sample), name: sample.name, to: destination, scale: scale,
        choose: choose)
    case .arrays:
      try copyResampled(index, to: destination, scale: scale, choose: choose)
    }
  }

  private func sample(_ index: Int) throws -> (sample: Sample, shard: OpenShard) {
    let (run, readable) = part.place(of: index)
    let number = damaged.place(of: readable, in: run)
    let shard = try shard(run)
    let block = number / SampleWindows.pieceSize
    let samples =
      try cache[.init(run: run, block: block)]
      ?? shard.block(block, run: run, cache, classes, damaged)
    return (samples[number % SampleWindows.pieceSize], shard)
  }

  private func shard(_ run: Int) throws -> OpenShard {
    try opened.withLock { opened in
      if let place = opened.lastIndex(where: { $0.run == run }) {
        let found = opened.remove(at: place)
        opened.append(found)
        return found.shard
      }
      let shard = try OpenShard(paths[run], count: lengths[run])
      opened.append((run, shard))
      if opened.count > Self.openLimit { opened.removeFirst() }
      return shard
    }
  }
}

/// An archive that is read, block by block.
private final class OpenShard: @unchecked Sendable {
  private let path: String
  private let file: OpenFile
  private let count: Int
  private let lock = NSLock()
  // Behind the lock.
  private var samples: ShardSamples?
  /// The block that comes next, and where each begins that was met.
  private var next = 0
  private var places: [Int] = []

  /// Only named; it is opened when a sample is asked for.
  init(_ path: String, count: Int) throws {
    self.path = path
    self.count = count
    file = try OpenFile(path)
  }

  func changed() -> TernError {
    TernError(.badData, "\(path): has other samples than when it was counted; it was changed")
  }

  func bytes(of sample: ShardDataset.Sample) throws -> Data {
    if let bytes = sample.bytes { return bytes }
    var data = Data(count: sample.byteCount)
    let read = try data.withUnsafeMutableBytes { try file.read(into: $0, at: sample.offset) }
    guard read == sample.byteCount else { throw changed() }
    return data
  }

  /// Reads up to a block; what is met on the way is kept too.
  func block(
    _ number: Int, run: Int, _ cache: BlockCache<[ShardDataset.Sample]>, _ classes: ClassNames,
    _ damaged: DamagedSamples
  ) throws -> [ShardDataset.Sample] {
    lock.lock()
    defer { lock.unlock() }
    // Another thread may have read it meanwhile.
    if let found = cache[.init(run: run, block: number)] { return found }
    do { return try read(number, run: run, cache, classes, damaged) } catch {
      samples = nil
      throw error
    }
  }

  private func read(
    _ number: Int, run: Int, _ cache: BlockCache<[ShardDataset.Sample]>, _ classes: ClassNames,
    _ damaged: DamagedSamples
  ) throws -> [ShardDataset.Sample] {
    func open() throws -> ShardSamples {
      try ShardSamples(
        path, keepsBytes: true, passesDamaged: !damaged.places[run].isEmpty)
    }
    var samples = try self.samples ?? open()
    if self.samples == nil { next = 0 }
    if number != next {
      if !samples.isPacked, !places.isEmpty {
        next = min(number, places.count - 1)
        try samples.go(to: places[next])
      } else if number < next {
        samples = try open()
        next = 0
      }
    }
    while true {
      if next == places.count, let place = samples.place { places.append(place) }
      let wanted = min(SampleWindows.pieceSize, count - next * SampleWindows.pieceSize)
      var block: [ShardDataset.Sample] = []
      for place in 0..<max(wanted, 0) {
        guard let result = try samples.next() else { throw changed() }
        if damaged.isDamaged(next * SampleWindows.pieceSize + place, of: run) {
          block.append(.init(name: "", label: nil, offset: 0, byteCount: 0, bytes: nil))
          continue
        }
        let sample = try result.get()
        guard let label = classes.number(of: sample.label) else { throw changed() }
        block.append(
          .init(
            name: sample.name, label: label, offset: sample.offset, byteCount: sample.byteCount,
            bytes: sample.bytes))
      }
      guard !block.isEmpty else { throw changed() }
      cache.insert(
        block, .init(run: run, block: next),
        byteCount: block.reduce(0) { $0 + ($1.bytes?.count ?? 0) })
      next += 1
      self.samples = samples
      if next == number + 1 { return block }
    }
  }
}

/// How an array of an archive becomes a sample: as a row of an npz file's does.
struct ShardArrays: Sendable {
  let sampleShape: Shape
  private let extents: [Int]
  private let axes: [Int]

  /// - Parameter extents: of a sample's array.
  init?(_ extents: [Int]) {
    self.extents = extents
    switch extents.count {
    case 1: (sampleShape, axes) = ([extents[0]], [0])
    case 2: (sampleShape, axes) = ([1, extents[0], extents[1]], [0, 1])
    case 3 where [1, 3].contains(extents[2]):
      (sampleShape, axes) = ([extents[2], extents[0], extents[1]], [2, 0, 1])
    case 3 where [1, 3].contains(extents[0]):
      (sampleShape, axes) = ([extents[0], extents[1], extents[2]], [0, 1, 2])
    default: return nil
    }
  }

  func copy(_ bytes: Data, name: String, to destination: UnsafeMutablePointer<Float>) throws {
    let values = try values(bytes, name: name)
    values.withUnsafeBufferPointer {
      destination.update(from: $0.baseAddress!, count: values.count)
    }
  }

  /// - Throws: ``TernError`` where the array is damaged, of another shape, or not finite.
  func values(_ bytes: Data, name: String) throws -> [Float] {
    let array = try NPYArray(bytes, name: name)
    guard array.shape == extents else {
      throw TernError(
        .badData, "\(name): an array of shape \(array.shape) where the first has \(extents)")
    }
    let values = array.floats(axes: axes, divisor: array.type == "u1" ? 255 : 1)
    guard !array.isFloating || values.allSatisfy(\.isFinite) else {
      throw TernError(.badData, "\(name): holds a number that is not finite")
    }
    return values
  }
}

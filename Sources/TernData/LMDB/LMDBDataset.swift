import Foundation
import TernCore

/// Caffe's samples in an LMDB database, each read where it lies when it is asked for.
///
/// Samples are shuffled as those of shards are, since the keys of all would have to be held otherwise: a run is
/// as many entries as lie between two keys that are remembered.
final class LMDBDataset: DatasetOfRuns {
  let sampleShape: Shape
  let classNames: [String]
  let summary: String?
  private let file: LMDBFile
  private let classes: ClassNames
  private let content: Content
  /// The first key of each run.
  private let keys: [[UInt8]]
  private let lengths: [Int]
  private let damaged: DamagedSamples
  private let part: RunPart
  private let cache = BlockCache<[LMDBFile.Entry]>()

  /// Entries between two keys that are remembered.
  static let runLength = 4 * SampleWindows.pieceSize

  /// What samples are made of.
  enum Content: Sendable {
    /// Values of this shape, of which the middle is taken where the sample is smaller.
    case values(Shape)
    case pictures(PictureFrame)
  }

  /// - Parameters:
  ///   - lengths: how many entries each run has, the damaged among them.
  ///   - damaged: entries that are left out.
  init(
    _ file: LMDBFile, keys: [[UInt8]], lengths: [Int], damaged: DamagedSamples,
    classes: ClassNames, content: Content, sampleShape: Shape, summary: String,
    part: RunPart.Kind = .all
  ) {
    (self.file, self.keys, self.lengths, self.damaged) = (file, keys, lengths, damaged)
    (self.classes, self.content, self.sampleShape) = (classes, content, sampleShape)
    self.part = RunPart(zip(lengths, damaged.places).map { $0 - $1.count }, part)
    self.summary = "\(summary) \(part)"
    classNames = classes.names
  }

  var count: Int { part.count }
  var runs: [Int]? { part.counts }
  var statisticsCount: Int { min(count, ImageFolderDataset.statisticsLimit) }
  func statisticsSample(_ number: Int) -> Int {
    part.statisticsSample(number, of: statisticsCount)
  }

  func holdingOut(_ part: Double) -> (first: any Dataset, second: any Dataset) {
    func cut(_ kind: RunPart.Kind) -> LMDBDataset {
      LMDBDataset(
        file, keys: keys, lengths: lengths, damaged: damaged, classes: classes, content: content,
        sampleShape: sampleShape, summary: summary!, part: kind)
    }
    return (cut(.rest(part)), cut(.held(part)))
  }

  func label(_ index: Int) -> Int32 { (try? classNumber(index)) ?? 0 }

  func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    destination.storeBytes(of: try classNumber(index), as: Int32.self)
  }

  private func classNumber(_ index: Int) throws -> Int32 {
    let (datum, name) = try datum(index)
    guard let number = classes.number(of: datum.label) else {
      throw TernError(.badData, "\(name): label \(datum.label) was not there when it was counted")
    }
    return number
  }

  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    let (datum, name) = try datum(index)
    switch content {
    case .pictures(let frame):
      try frame.copy(datum.picture(name), name: name, to: destination, scale: scale)
    case .values(let shape):
      guard datum.kind != .encoded,
        shape == [datum.channels, datum.height, datum.width]
      else {
        throw TernError(
          .badData,
          "\(name): \(datum.channels)×\(datum.height)×\(datum.width) where the first has \(shape)")
      }
      copy(datum, to: destination, scale: scale)
    }
  }

  func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    guard case .pictures(let frame) = content else {
      return try copyResampled(index, to: destination, scale: scale, choose: choose)
    }
    let (datum, name) = try datum(index)
    try frame.copyRegion(
      datum.picture(name), name: name, to: destination, scale: scale, choose: choose)
  }

  /// The middle of the values, plane by plane.
  private func copy(
    _ datum: Datum, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    let (height, width) = (sampleShape[1], sampleShape[2])
    let (top, left) = ((datum.height - height) / 2, (datum.width - width) / 2)
    for channel in 0..<datum.channels {
      let plane = Datum.plane(channel, of: datum.channels) * datum.height
      let target = destination + channel * height * width
      for row in 0..<height {
        let start = (plane + top + row) * datum.width + left
        if datum.floats.isEmpty {
          datum.bytes.withUnsafeBytes { bytes in
            for i in 0..<width {
              target[row * width + i] = scale.table[256 * channel + Int(bytes[start + i])]
            }
          }
        } else {
          for i in 0..<width { target[row * width + i] = datum.floats[start + i] }
        }
      }
    }
    if !datum.floats.isEmpty { scale.apply(to: destination, planeSize: height * width) }
  }

  private func datum(_ index: Int) throws -> (Datum, name: String) {
    let (run, readable) = part.place(of: index)
    let number = damaged.place(of: readable, in: run)
    let key = BlockCache<[LMDBFile.Entry]>.Key(run: run, block: 0)
    let entries: [LMDBFile.Entry]
    if let found = cache[key] {
      entries = found
    } else {
      var read: [LMDBFile.Entry] = []
      try file.visit(from: keys[run]) {
        read.append($0)
        return read.count < lengths[run]
      }
      cache.insert(read, key, byteCount: 64 * read.count)
      entries = read
    }
    guard number < entries.count else {
      throw TernError(.badData, "\(file.path): has fewer entries than when it was counted")
    }
    let name = "\(file.path): \(entries[number].name)"
    return (try Datum(entries[number].data, name: name), name)
  }
}

extension Datum {
  /// The picture file in it.
  func picture(_ name: String) throws -> Data {
    guard isEncoded else {
      throw TernError(.badData, "\(name): values where the first entry has a picture's file")
    }
    return bytes.data[
      bytes.data.startIndex + bytes.range.lowerBound..<bytes.data.startIndex
        + bytes.range.upperBound]
  }
}

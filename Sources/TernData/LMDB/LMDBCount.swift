import Foundation
import TernCore

/// Goes through a database once, to know how many entries it has, and which labels.
enum LMDBCount {
  /// Pictures decoded side by side.
  private static let batchSize = 512

  /// - Parameter leavesOutDamaged: whether entries that cannot be read are left out, pictures that cannot be
  ///   decoded among them.
  /// - Throws: ``TernError`` where an entry is no sample, or another than the first, and not left out.
  static func index(of path: String, leavesOutDamaged: Bool) throws -> RunIndex {
    let file = try LMDBFile(path)
    var (count, labels) = (0, [String: Int]())
    var keys: [JSON] = []
    var details: [String: JSON] = [:]
    var first: Datum?
    var damaged: [(place: Int, fault: String)] = []
    // Pictures that are still to be decoded.
    var pictures: [(place: Int, datum: Datum, name: String)] = []
    func decodePictures() {
      let waiting = pictures
      let faults = DamagedItems.find(waiting.count) { index in
        _ = try Picture(
          waiting[index].datum.picture(waiting[index].name), name: waiting[index].name)
      }.faults
      for (index, picture) in waiting.enumerated() {
        if let fault = faults[index] {
          damaged.append((picture.place, fault))
        } else {
          labels[String(picture.datum.label), default: 0] += 1
        }
      }
      pictures = []
    }
    try file.visit { entry in
      let name = "\(path): \(entry.name)"
      if count % LMDBDataset.runLength == 0 {
        keys.append(.string(Data(entry.key).base64EncodedString()))
      }
      defer { count += 1 }
      do {
        let datum = try Datum(entry.data, name: name)
        if let first {
          try check(datum, name, against: first, isShapeChecked: leavesOutDamaged)
        } else {
          first = datum
          details["kind"] = .string(datum.kind.rawValue)
          details["shape"] = .array([datum.channels, datum.height, datum.width].map(JSON.int))
        }
        if leavesOutDamaged, datum.kind == .encoded {
          pictures.append((count, datum, name))
          if pictures.count == batchSize { decodePictures() }
        } else {
          labels[String(datum.label), default: 0] += 1
        }
      } catch let error as TernError where leavesOutDamaged {
        damaged.append((count, error.message))
      }
      guard labels.count <= RunIndex.labelLimit else {
        throw TernError(
          .badData, "\(path): more than \(RunIndex.labelLimit) different labels are no classes")
      }
      return true
    }
    decodePictures()
    damaged.sort { $0.place < $1.place }
    details["keys"] = .array(keys)
    return RunIndex(
      counts: [count], labels: labels, details: details, damaged: [damaged.map(\.place)],
      damageNotes: DamagedItems.notes(
        damaged.map(\.fault), damaged.count, of: "\(count) samples"))
  }

  private static func check(
    _ datum: Datum, _ name: String, against first: Datum, isShapeChecked: Bool
  ) throws {
    guard datum.kind == first.kind else {
      throw TernError(.badData, "\(name): \(datum.kind) where the first entry has \(first.kind)")
    }
    let (own, expected) = (
      [datum.channels, datum.height, datum.width], [first.channels, first.height, first.width]
    )
    guard !isShapeChecked || datum.kind == .encoded || own == expected else {
      throw TernError(.badData, "\(name): values of \(own) where the first entry has \(expected)")
    }
  }
}

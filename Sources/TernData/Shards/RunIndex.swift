import Foundation
import TernCore

/// What has to be known of samples that lie in runs before any is read: how many each file has, and which
/// labels occur. Going through all of them takes as long as reading the data once, so it is kept in a file
/// beside the data and believed as long as the data's files have the same sizes and times.
struct RunIndex {
  /// Samples of each file.
  var counts: [Int]
  /// The labels that occur, and how often.
  var labels: [String: Int]
  /// What the format needs besides.
  var details: [String: JSON]
  /// The samples of each file that cannot be read, where they are to be left out: by their places, in order.
  var damaged: [[Int]]
  /// What is to be said of them.
  var damageNotes: [String]

  /// Different labels are no classes any more where there are more.
  static let labelLimit = ClassNames.limit
  private static let sizeLimit = 64 << 20
  /// The counts of files with fewer bytes together are not kept.
  private static let keptFrom = 1 << 20
  private static let version = 2

  /// What becomes of an index.
  struct Storage {
    /// Whether it may be put beside the data.
    let isWritten: Bool
    /// What becomes of samples that cannot be read.
    let onError: ItemErrorPolicy
  }

  /// How many samples can be read.
  var readableCount: Int { counts.reduce(0, +) - damaged.reduce(0) { $0 + $1.count } }

  /// A file's name, size and time of change.
  struct Stamp: Equatable {
    let name: String
    let byteCount: Int
    let changed: Int
    /// When the system last noted anything of the file, which nobody can set: 0 where that does not count.
    let noted: Int

    init(_ path: String, isStrict: Bool) throws {
      var status = stat()
      guard path.withFilePath({ stat($0, &status) }) == 0 else {
        throw TernError(.notFound, "\(path): no such file")
      }
      name = path.lastPathPart
      byteCount = Int(status.st_size)
      changed = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
      noted = isStrict ? status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec : 0
    }

    var json: JSON { .array([.string(name), .int(byteCount), .int(changed), .int(noted)]) }
  }

  /// Takes the index of `files` from beside them, or makes it and puts it there where that is allowed.
  ///
  /// - Parameters:
  ///   - storage: whether one may be made beside the files, and whether damaged samples are left out of it.
  ///   - isStrict: whether an index is believed only on the machine that made it: one that comes along with files
  ///     from elsewhere says nothing of whether somebody has looked them over.
  ///   - make: goes through the files.
  static func of(
    _ files: [String], _ storage: Storage, isStrict: Bool = false, make: () throws -> RunIndex
  ) throws -> (RunIndex, [Stamp]) {
    let stamps = try files.map { try Stamp($0, isStrict: isStrict) }
    let path = place(of: files, storage)
    if let known = try? RunIndex(contentsOf: path, of: stamps) { return (known, stamps) }
    let made = try make()
    guard try files.map({ try Stamp($0, isStrict: isStrict) }) == stamps else {
      throw TernError(.badData, "\(files[0].parentPath): changed while it was read")
    }
    // Little data is counted in no time. A folder that cannot be written to is gone through each time, and where
    // no caches are wanted.
    guard storage.isWritten, stamps.reduce(0, { $0 + $1.byteCount }) >= keptFrom else {
      return (made, stamps)
    }
    if getenv("TERN_CACHE").map({ String(cString: $0) }) == "off" { return (made, stamps) }
    try? AtomicFile.write(Data(made.json(of: stamps).description.utf8), to: path)
    return (made, stamps)
  }

  /// `.tern-index-1F2E3D4C.json`
  static func place(of files: [String], _ storage: Storage) -> String {
    let names =
      files.map(\.lastPathPart).joined(separator: "\n")
      + (storage.onError == .skip ? "\n/skip" : "")
    let digits = String(FNV1a.hash32(names.utf8), radix: 16, uppercase: true)
    return files[0].parentPath.appendingPath(".tern-index-\(digits).json")
  }

  init(
    counts: [Int], labels: [String: Int], details: [String: JSON] = [:], damaged: [[Int]],
    damageNotes: [String] = []
  ) {
    (self.counts, self.labels, self.details) = (counts, labels, details)
    (self.damaged, self.damageNotes) = (damaged, damageNotes)
  }

  private init?(contentsOf path: String, of stamps: [Stamp]) throws {
    guard FileSystem.exists(path) else { return nil }
    let json = try JSON(contentsOf: path, maximumByteCount: Self.sizeLimit)
    guard json["version"]?.intValue == Self.version,
      case .array(let files)? = json["files"],
      files.map(\.description) == stamps.map(\.json.description),
      case .array(let counts)? = json["counts"], counts.count == stamps.count,
      case .array(let labels)? = json["labels"], case .object(let details)? = json["details"],
      case .array(let damaged)? = json["damaged"], damaged.count == counts.count,
      case .array(let notes)? = json["notes"]
    else { return nil }
    self.counts = counts.compactMap(\.intValue).filter { $0 >= 0 }
    guard self.counts.count == stamps.count else { return nil }
    self.damaged = []
    for (places, count) in zip(damaged, self.counts) {
      guard case .array(let places) = places else { return nil }
      let numbers = places.compactMap(\.intValue)
      guard numbers.count == places.count, numbers.allSatisfy((0..<count).contains),
        zip(numbers, numbers.dropFirst()).allSatisfy(<)
      else { return nil }
      self.damaged.append(numbers)
    }
    damageNotes = notes.compactMap(\.stringValue)
    self.labels = [:]
    for label in labels {
      guard case .array(let pair) = label, pair.count == 2, let name = pair[0].stringValue,
        let count = pair[1].intValue
      else { return nil }
      self.labels[name] = count
    }
    self.details = Dictionary(details.map { ($0.name, $0.value) }) { first, _ in first }
  }

  private func json(of stamps: [Stamp]) -> JSON {
    .object([
      "version": .int(Self.version), "files": .array(stamps.map(\.json)),
      "counts": .array(counts.map(JSON.int)),
      "labels": .array(
        labels.sorted { $0.key < $1.key }.map { .array([.string($0.key), .int($0.value)]) }),
      "damaged": .array(damaged.map { .array($0.map(JSON.int)) }),
      "notes": .array(damageNotes.map(JSON.string)),
      "details": .object(
        details.sorted { $0.key < $1.key }.map { JSON.Member(name: $0.key, value: $0.value) }),
    ])
  }

  /// The classes that the labels are, or that a network knows.
  ///
  /// - Throws: ``TernError`` where there are too few, too many, or others than are known.
  func classes(known: ClassNames?, path: String) throws -> ClassNames {
    guard let known else {
      let names = try ClassNames(training: Array(labels.keys), path: path)
      guard names.names.count >= 2 else {
        throw TernError(
          .badData, "\(path): all samples have the label '\(labels.keys.first ?? "")'")
      }
      return names
    }
    if let other = labels.keys.sorted().first(where: { known.number(of: $0) == nil }) {
      throw TernError(
        .badData, "\(path): label '\(other)' is not in the training set\(known.hint)")
    }
    return known
  }
}

import Foundation
import TernCore

/// A sample of an archive: the files of one base name that lie one behind another.
struct ShardSample: Sendable {
  /// As an error calls it.
  let name: String
  let kind: Kind
  /// As the file says it.
  let label: String
  let offset: Int
  let byteCount: Int
  /// Of a packed archive, the bytes themselves.
  let bytes: Data?

  /// What the network reads of it.
  enum Kind: String {
    case picture
    case array
  }
}

/// Goes through the samples of an archive.
///
/// Base names and endings are WebDataset's: `a/0001.jpg` and `a/0001.cls` are one sample, `a/0001`, and what
/// follows the first point is the ending. Read are a picture (`.png`, `.jpg`, `.jpeg`) or an array
/// (`.npy`), and a label (`.cls`, else `.txt`).
struct ShardSamples {
  private let archive: TarReader
  /// Whether bytes of packed archives are kept, or passed over.
  private let keepsBytes: Bool
  /// Whether samples are passed over that are none.
  private let passesDamaged: Bool
  /// The first file of the sample that comes next.
  private var first: TarEntry?
  /// What lies before it and is no file, each counted as a sample that cannot be read.
  private var faults: [(place: Int, error: TernError)] = []
  /// Files that are none of a sample's.
  private(set) var leftOut = LeftOut()

  /// A label is shorter.
  private static let labelLimit = 4096

  init(_ path: String, keepsBytes: Bool, passesDamaged: Bool) throws {
    archive = try TarReader(path, passesDamaged: passesDamaged)
    (self.keepsBytes, self.passesDamaged) = (keepsBytes, passesDamaged)
    try advance()
  }

  private mutating func advance() throws {
    first = try archive.next()
    faults += archive.takeFaults()
  }

  var isPacked: Bool { archive.isPacked }
  var path: String { archive.path }

  /// Where the next sample begins; `nil` at the end.
  var place: Int? { faults.first?.place ?? first?.place }

  /// Goes to where a sample begins.
  mutating func go(to place: Int) throws {
    archive.go(to: place)
    faults = []
    try advance()
  }

  /// The next sample, or what is wrong with one that is passed over; `nil` at the end.
  ///
  /// - Throws: ``TernError`` where the archive is damaged, so that it cannot be gone on with, or a sample is.
  mutating func next() throws -> Result<ShardSample, TernError>? {
    if !faults.isEmpty { return .failure(faults.removeFirst().error) }
    while let entry = first {
      guard let key = Self.parts(entry.name)?.key else {
        leftOut.add(file: entry.name.lastPathPart)
        try advance()
        if !faults.isEmpty { return .failure(faults.removeFirst().error) }
        continue
      }
      return try sample(key)
    }
    return nil
  }

  /// Goes to the end of a sample's files.
  private mutating func sample(_ key: String) throws -> Result<ShardSample, TernError> {
    let name = "\(path): sample '\(key)'"
    var content: (kind: ShardSample.Kind, ending: String, entry: TarEntry, bytes: Data?)?
    var labels: [String: String] = [:]
    var endings: Set<String> = []
    var fault: TernError?
    func set(_ text: String) throws {
      let found = TernError(.badData, "\(name): \(text)")
      guard passesDamaged else { throw found }
      fault = fault ?? found
    }
    func bytes(limit: Int) throws -> Data? {
      do { return try archive.content(limit: limit) } catch let error as TernError
        where passesDamaged && error.kind == .badData
      {
        fault = fault ?? error
        return nil
      }
    }
    while let entry = first, let parts = Self.parts(entry.name), parts.key == key {
      let kind: ShardSample.Kind?
      switch parts.ending {
      case "jpg", "jpeg", "png": kind = .picture
      case "npy": kind = .array
      default: kind = nil
      }
      let isLabel = parts.ending == "cls" || parts.ending == "txt"
      if !endings.insert(parts.ending).inserted {
        try set("two files '.\(parts.ending)'")
      } else if let kind {
        if let other = content {
          try set("both '.\(other.ending)' and '.\(parts.ending)'; one is read")
        } else if entry.byteCount > Picture.fileSizeLimit {
          try set(
            "\(entry.byteCount) bytes are more than the \(Picture.fileSizeLimit) of a sample")
        } else {
          let kept = isPacked && keepsBytes ? try bytes(limit: Picture.fileSizeLimit) : nil
          content = (kind, parts.ending, entry, kept)
        }
      } else if isLabel, entry.byteCount > Self.labelLimit {
        try set("a label of \(entry.byteCount) bytes")
      } else if isLabel {
        labels[parts.ending] = String(
          decoding: try bytes(limit: Self.labelLimit) ?? Data(), as: UTF8.self
        ).trimmingCharacters(in: .whitespacesAndNewlines)
      } else {
        leftOut.add(file: entry.name.lastPathPart)
      }
      try advance()
      // What is lost between two files may be the rest of one sample and the start of another.
      if !faults.isEmpty { break }
    }
    if content == nil {
      try set("no picture (.png, .jpg, .jpeg) nor array (.npy) next to its other files")
    }
    let label = labels["cls"] ?? labels["txt"] ?? ""
    if label.isEmpty { try set("no label (.cls or .txt) next to its other files") }
    guard let content, fault == nil else { return .failure(fault!) }
    return .success(
      ShardSample(
        name: "\(path): \(content.entry.name)", kind: content.kind, label: label,
        offset: content.entry.offset, byteCount: content.entry.byteCount, bytes: content.bytes))
  }

  /// The base name, with its folders, and the ending in small letters; `nil` for hidden files and those
  /// without an ending.
  private static func parts(_ name: String) -> (key: String, ending: String)? {
    let file = name.lastPathPart
    guard let point = file.utf8.firstIndex(of: UInt8(ascii: ".")), point > file.utf8.startIndex
    else { return nil }
    let ending = file[file.utf8.index(after: point)...]
    guard !ending.isEmpty else { return nil }
    return (String(name.dropLast(ending.count + 1)), ending.lowercased())
  }
}

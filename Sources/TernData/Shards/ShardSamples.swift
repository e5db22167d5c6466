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
  /// The first file of the sample that comes next.
  private var first: TarEntry?
  /// Files that are none of a sample's.
  private(set) var leftOut = LeftOut()

  /// A label is shorter.
  private static let labelLimit = 4096

  init(_ path: String, keepsBytes: Bool) throws {
    archive = try TarReader(path)
    self.keepsBytes = keepsBytes
    first = try archive.next()
  }

  var isPacked: Bool { archive.isPacked }
  var path: String { archive.path }

  /// Where the next sample begins; `nil` at the end.
  var place: Int? { first?.place }

  /// Goes to where a sample begins.
  mutating func go(to place: Int) throws {
    archive.go(to: place)
    first = try archive.next()
  }

  mutating func next() throws -> ShardSample? {
    while let entry = first {
      guard let key = Self.parts(entry.name)?.key else {
        leftOut.add(file: entry.name.lastPathPart)
        first = try archive.next()
        continue
      }
      return try sample(key)
    }
    return nil
  }

  private mutating func sample(_ key: String) throws -> ShardSample {
    let name = "\(path): sample '\(key)'"
    var content: (kind: ShardSample.Kind, ending: String, entry: TarEntry, bytes: Data?)?
    var labels: [String: String] = [:]
    var endings: Set<String> = []
    while let entry = first, let parts = Self.parts(entry.name), parts.key == key {
      guard endings.insert(parts.ending).inserted else {
        throw TernError(.badData, "\(name): two files '.\(parts.ending)'")
      }
      let kind: ShardSample.Kind?
      switch parts.ending {
      case "jpg", "jpeg", "png": kind = .picture
      case "npy": kind = .array
      default: kind = nil
      }
      if let kind {
        if let other = content {
          throw TernError(
            .badData, "\(name): both '.\(other.ending)' and '.\(parts.ending)'; one is read")
        }
        guard entry.byteCount <= Picture.fileSizeLimit else {
          throw TernError(
            .badData,
            "\(name): \(entry.byteCount) bytes are more than the \(Picture.fileSizeLimit) of a sample"
          )
        }
        let bytes =
          isPacked && keepsBytes ? try archive.content(limit: Picture.fileSizeLimit) : nil
        content = (kind, parts.ending, entry, bytes)
      } else if parts.ending == "cls" || parts.ending == "txt" {
        labels[parts.ending] = String(
          decoding: try archive.content(limit: Self.labelLimit), as: UTF8.self
        ).trimmingCharacters(in: .whitespacesAndNewlines)
      } else {
        leftOut.add(file: entry.name.lastPathPart)
      }
      first = try archive.next()
    }
    guard let content else {
      throw TernError(
        .badData, "\(name): no picture (.png, .jpg, .jpeg) nor array (.npy) next to its other files"
      )
    }
    guard let label = labels["cls"] ?? labels["txt"], !label.isEmpty else {
      throw TernError(.badData, "\(name): no label (.cls or .txt) next to its other files")
    }
    return ShardSample(
      name: "\(path): \(content.entry.name)", kind: content.kind, label: label,
      offset: content.entry.offset, byteCount: content.entry.byteCount, bytes: content.bytes)
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

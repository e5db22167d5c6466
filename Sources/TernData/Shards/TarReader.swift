import Foundation
import TernCore

/// A file of an archive: its name, and where its bytes are.
struct TarEntry {
  let name: String
  /// Where its first header begins, so that it can be found again.
  let place: Int
  let offset: Int
  let byteCount: Int
}

/// Goes through a tar archive from front to back, plain or gzipped. Nothing is unpacked to the disk, and
/// no more is held than is asked for.
///
/// Sources: POSIX.1 "pax" (ustar and extended headers), GNU tar's manual for its long names and large sizes.
final class TarReader {
  let path: String
  /// Whether bytes can be had in their order alone.
  var isPacked: Bool { packed != nil }

  private let file: OpenFile
  private let packed: GzipReader?
  /// The place of the next byte that is read.
  private var position = 0
  /// Where the entry that came last ends, its filling included.
  private var end = 0
  private var last: TarEntry?
  /// Whether what is no file, or no header, is passed over up to the next header.
  private let passesDamaged: Bool
  /// What was passed over since the last ``takeFaults()``, and where.
  private var faults: [(place: Int, error: TernError)] = []
  /// A block that was looked at, and is still to be read.
  private var seen: [UInt8]?

  private static let blockSize = 512
  /// Names and extended headers are shorter.
  private static let headerLimit = 1 << 20

  init(_ path: String, passesDamaged: Bool = false) throws {
    self.path = path
    self.passesDamaged = passesDamaged
    file = try OpenFile(path)
    packed = try file.startsWith([0x1F, 0x8B]) ? GzipReader(path) : nil
  }

  private func fault(_ text: String, at place: Int? = nil) -> TernError {
    TernError(.badData, "\(path): \(text) at byte \(place ?? position)")
  }

  /// Goes to the first header of an entry.
  ///
  /// - Precondition: the archive is not packed.
  func go(to place: Int) {
    precondition(!isPacked)
    (position, end, last, seen) = (place, place, nil, nil)
  }

  /// What ``next()`` passed over since the last call, and where.
  func takeFaults() -> [(place: Int, error: TernError)] {
    defer { faults = [] }
    return faults
  }

  /// The next file; folders are passed over. `nil` at the end.
  func next() throws -> TarEntry? {
    var place = end
    while true {
      do {
        try skip(to: place)
        return try file(place)
      } catch let error as TernError where passesDamaged && error.kind == .badData {
        faults.append((place, error))
        guard goToHeader(behind: place) else { return nil }
        place = position
      }
    }
  }

  /// Goes to the next block that is a header; `false` where none comes.
  private func goToHeader(behind place: Int) -> Bool {
    seen = nil
    // Of packed data what was read is gone.
    position = isPacked ? Self.filled(position) : place + Self.blockSize
    while let block = try? block() {
      if (try? check(block)) != nil {
        (seen, end) = (block, position - Self.blockSize)
        position = end
        return true
      }
    }
    end = position
    return false
  }

  /// The file whose first header is at a place.
  private func file(_ place: Int) throws -> TarEntry? {
    var longName: String?
    var longSize: Int?
    while true {
      let header = try block()
      guard header.contains(where: { $0 != 0 }) else {
        guard longName == nil, longSize == nil else { throw fault("a header without its file") }
        try finish()
        return nil
      }
      try check(header)
      let size = try number(header[124..<136])
      switch header[156] {
      case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
        let name = longName ?? Self.name(header)
        try check(name)
        return try entry(name, place, longSize ?? size)
      case UInt8(ascii: "5"):
        try check(longName ?? Self.name(header))
        try skip(to: position + Self.filled(size))
        (longName, longSize) = (nil, nil)
      case UInt8(ascii: "L"):
        longName = FileName.text(try content(size).prefix { $0 != 0 })
      case UInt8(ascii: "x"):
        let records = try extended(content(size))
        longName = records.name ?? longName
        longSize = records.size ?? longSize
      case UInt8(ascii: "g"):
        _ = try content(size)
      case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "K"):
        throw fault("'\(Self.name(header))' is a link, which is not followed", at: place)
      default:
        throw fault(
          "'\(Self.name(header))' is no plain file (type '\(Self.shown(header[156]))')", at: place)
      }
    }
  }

  /// The bytes of the entry that came last.
  ///
  /// - Precondition: it was not asked for before, where the archive is packed.
  func content(limit: Int) throws -> Data {
    let entry = last!
    guard entry.byteCount <= limit else {
      throw fault(
        "'\(entry.name)' has \(entry.byteCount) bytes, more than the \(limit) allowed",
        at: entry.place)
    }
    try skip(to: entry.offset)
    return Data(try bytes(entry.byteCount))
  }

  private func entry(_ name: String, _ place: Int, _ size: Int) throws -> TarEntry {
    let (end, overflow) = position.addingReportingOverflow(Self.filled(size))
    guard !overflow, isPacked || position + size <= file.byteCount else {
      throw fault("truncated: '\(name)' is said to have \(size) bytes", at: place)
    }
    self.end = end
    let entry = TarEntry(name: name, place: place, offset: position, byteCount: size)
    last = entry
    return entry
  }

  // MARK: Bytes

  private static func filled(_ size: Int) -> Int {
    size > Int.max - blockSize ? .max : (size + blockSize - 1) / blockSize * blockSize
  }

  /// The content of a header's own data.
  private func content(_ size: Int) throws -> [UInt8] {
    guard size <= Self.headerLimit else { throw fault("a header of \(size) bytes") }
    let start = position
    let result = try bytes(size)
    try skip(to: start + Self.filled(size))
    return result
  }

  private func block() throws -> [UInt8] {
    guard let block = seen else { return try bytes(Self.blockSize) }
    seen = nil
    position += Self.blockSize
    return block
  }

  private func bytes(_ count: Int) throws -> [UInt8] {
    // Of packed data no more is believed than comes.
    guard isPacked || position + count <= file.byteCount else { throw fault("truncated") }
    var result = [UInt8](repeating: 0, count: count)
    let read = try result.withUnsafeMutableBytes {
      try packed?.read(into: $0) ?? file.read(into: $0, at: position)
    }
    guard read == count else { throw fault("truncated") }
    position += count
    return result
  }

  private func skip(to place: Int) throws {
    guard place != position else { return }
    guard let packed else {
      guard place <= file.byteCount else { throw fault("truncated") }
      position = place
      return
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while position < place {
      let wanted = min(buffer.count, place - position)
      let read = try buffer.withUnsafeMutableBytes {
        try packed.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
      }
      guard read == wanted else { throw fault("truncated") }
      position += read
    }
  }

  /// Reads packed data to its end, where its checksum is.
  private func finish() throws {
    guard let packed else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while try buffer.withUnsafeMutableBytes({ try packed.read(into: $0) }) > 0 {}
  }

  // MARK: Headers

  /// The sum of a header's bytes, its own field counted as blanks; old programs took bytes for signed.
  private func check(_ header: [UInt8]) throws {
    let counted = header.enumerated().map { (148..<156).contains($0.offset) ? 0x20 : $0.element }
    let (sum, signed) = (
      counted.reduce(0) { $0 + Int($1) }, counted.reduce(0) { $0 + Int(Int8(bitPattern: $1)) }
    )
    let said = try? number(header[148..<156])
    guard said == sum || said == signed else {
      throw fault("not a tar header", at: position - Self.blockSize)
    }
  }

  /// Octal digits, or with the first bit set a number of the bytes' bits.
  private func number(_ field: ArraySlice<UInt8>) throws -> Int {
    let wrong = fault("a malformed number in a header", at: position - Self.blockSize)
    if field.first! & 0x80 != 0 {
      guard field.first! == 0x80 else { throw wrong }
      return try field.dropFirst().reduce(0) { value, byte in
        guard value < 1 << 54 else { throw wrong }
        return value << 8 | Int(byte)
      }
    }
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    return try digits.reduce(0) { value, byte in
      guard (0x30...0x37).contains(byte), value < 1 << 58 else { throw wrong }
      return value << 3 | Int(byte - 0x30)
    }
  }

  private static func name(_ header: [UInt8]) -> String {
    let name = header[0..<100].prefix { $0 != 0 }
    // GNU's own form has other things where a folder would stand.
    guard header[257..<263].elementsEqual("ustar\0".utf8), header[345] != 0 else {
      return FileName.text(name)
    }
    return FileName.text(header[345..<500].prefix { $0 != 0 } + [UInt8(ascii: "/")] + name)
  }

  /// Names that lead out of the folder an archive is meant to be unpacked in are nobody's honest work.
  private func check(_ name: String) throws {
    guard !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
      throw fault("the name '\(name)' leads out of the archive", at: position - Self.blockSize)
    }
  }

  /// Records `LENGTH KEY=VALUE` and a line's end.
  private func extended(_ bytes: [UInt8]) throws -> (name: String?, size: Int?) {
    var result: (name: String?, size: Int?)
    var rest = bytes[...]
    while let blank = rest.firstIndex(of: 0x20) {
      guard let length = Int(String(decoding: rest[..<blank], as: UTF8.self)),
        length > blank - rest.startIndex + 1, length <= rest.count
      else { throw fault("a malformed extended header") }
      let record = rest[(blank + 1)..<(rest.startIndex + length - 1)]
      rest = rest[(rest.startIndex + length)...]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
        throw fault("a malformed extended header")
      }
      let value = record[(equals + 1)...]
      switch String(decoding: record[..<equals], as: UTF8.self) {
      case "path": result.name = FileName.text(value)
      case "size":
        guard let size = Int(String(decoding: value, as: UTF8.self)), size >= 0 else {
          throw fault("a malformed size in an extended header")
        }
        result.size = size
      case "linkpath", "GNU.sparse.major", "GNU.sparse.map":
        throw fault("a link or a file with holes")
      default: break
      }
    }
    guard rest.allSatisfy({ $0 == 0 }) else { throw fault("a malformed extended header") }
    return result
  }

  private static func shown(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte)
      ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16, uppercase: true)
  }
}

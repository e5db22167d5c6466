import CZlib
import Foundation
import TernCore

/// The members of a ZIP file, stored or deflated.
///
/// Source: PKWARE, ".ZIP File Format Specification", 6.3. Encrypted, split and 64-bit members are
/// refused where they are read.
package struct ZipArchive {
  package struct Member {
    package let name: String
    let method: Int
    let checksum: UInt32
    let packedSize: Int
    package let size: Int
    let offset: Int
    let isEncrypted: Bool
  }

  package let members: [Member]
  private let path: String
  private let data: Data

  /// - Throws: ``TernError`` naming the file and its fault.
  package init(contentsOf path: String) throws {
    self.path = path
    data = try InputFile.contents(of: path)
    members = try data.withUnsafeBytes { try Self.directory($0, path) }
  }

  private static func directory(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> [Member]
  {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    func short(_ at: Int) -> Int {
      Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
    }
    func long(_ at: Int) -> Int {
      Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
    }
    // The end record is last; only a comment of at most 65535 bytes may follow.
    let lowest = max(0, bytes.count - 22 - 0xFFFF)
    guard bytes.count >= 22,
      let end = stride(from: bytes.count - 22, through: lowest, by: -1).first(where: {
        long($0) == 0x0605_4B50
      })
    else { throw fault("not a ZIP file, or truncated") }
    let (count, start) = (short(end + 10), long(end + 16))
    guard count < 0xFFFF, start < 0xFFFF_FFFF else { throw fault("a 64-bit ZIP file") }
    var members: [Member] = []
    var position = start
    for _ in 0..<count {
      guard position + 46 <= end, long(position) == 0x0201_4B50 else {
        throw fault("the directory of the ZIP file is damaged")
      }
      let nameLength = short(position + 28)
      guard position + 46 + nameLength <= end else {
        throw fault("the directory of the ZIP file is damaged")
      }
      let name = String(decoding: bytes[position + 46..<position + 46 + nameLength], as: UTF8.self)
      let member = Member(
        name: name, method: short(position + 10), checksum: UInt32(long(position + 16)),
        packedSize: long(position + 20), size: long(position + 24), offset: long(position + 42),
        isEncrypted: short(position + 8) & 1 != 0)
      members.append(member)
      position += 46 + nameLength + short(position + 30) + short(position + 32)
    }
    return members
  }

  /// The content of a member, its checksum verified.
  ///
  /// - Throws: ``TernError`` naming file, member and fault.
  package func contents(of member: Member) throws -> Data {
    func fault(_ text: String) -> TernError {
      TernError(.badData, "\(path): \(member.name): \(text)")
    }
    guard !member.isEncrypted else { throw fault("encrypted") }
    guard member.size < 0xFFFF_FFFF, member.packedSize < 0xFFFF_FFFF else {
      throw fault("4 GiB or more in a ZIP file")
    }
    guard member.method == 0 || member.method == 8 else {
      throw fault("packed by method \(member.method); only stored (0) and deflated (8) are read")
    }
    // Before any memory is taken on the directory's word.
    guard member.method == 8 || member.size <= member.packedSize else {
      throw fault("\(member.packedSize) bytes cannot hold \(member.size)")
    }
    if member.method == 8 {
      guard member.size <= PackedSize.limit(member.packedSize) else {
        throw fault(PackedSize.fault(member.size, packed: member.packedSize))
      }
      try SystemMemory.require(member.size, for: "\(path): \(member.name)")
    }
    guard member.offset + 30 <= data.count else { throw fault("truncated") }
    let start = data.withUnsafeBytes { bytes in
      func short(_ at: Int) -> Int {
        Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
      }
      return member.offset + 30 + short(member.offset + 26) + short(member.offset + 28)
    }
    guard start + member.packedSize <= data.count else { throw fault("truncated") }
    let packed = data[start..<start + member.packedSize]
    let result: Data
    if member.method == 0 {
      result = packed
    } else {
      guard let unpacked = Self.inflated(packed, size: member.size) else {
        throw fault("the deflated data is corrupt")
      }
      result = unpacked
    }
    let checksum = result.withUnsafeBytes { bytes in
      crc32_z(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
    guard result.count == member.size, UInt32(checksum) == member.checksum else {
      throw fault("the checksum does not match")
    }
    return result
  }

  /// Unpacks deflated data of a known size; `nil` where it is corrupt or of another size.
  private static func inflated(_ packed: Data, size: Int) -> Data? {
    var stream = z_stream()
    guard
      inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return nil }
    defer { inflateEnd(&stream) }
    // One more byte shows that nothing follows.
    var result = Data(count: size + 1)
    let isWhole = packed.withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        stream.next_in = UnsafeMutablePointer(
          mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(target.count)
        return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == UInt(size)
      }
    }
    guard isWhole else { return nil }
    result.removeLast()
    return result
  }
}

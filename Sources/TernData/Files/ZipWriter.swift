import CZlib
import Foundation
import TernCore

/// Writes a ZIP archive of stored (not packed) members: equal members give equal bytes.
///
/// Source: PKWARE, ".ZIP File Format Specification", 6.3.
package struct ZipWriter {
  private var archive = Data()
  private var directory = Data()
  private var count = 0
  private let alignment: Int

  /// - Parameter alignment: where the bytes of members start, so that they can be mapped.
  package init(alignment: Int = 1) { self.alignment = alignment }

  /// Appends a member.
  ///
  /// - Throws: ``TernError`` of kind `badData` where the archive would exceed ZIP's 4 GiB.
  package mutating func append(_ name: String, _ content: Data) throws {
    let fileName = Data(name.utf8)
    guard archive.count + content.count + directory.count < Int(UInt32.max) - 1 << 20,
      fileName.count < 1 << 16, count < 0xFFFE
    else {
      throw TernError(.badData, "a ZIP file holds at most 4 GiB; use .safetensors")
    }
    let checksum = content.withUnsafeBytes {
      crc32_z(0, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
    }
    // What fills up to the alignment is an extra field: its kind, its length, zeros.
    let start = archive.count + 30 + fileName.count
    var padding = Data()
    if start % alignment != 0 {
      let length = alignment - (start + 4) % alignment
      padding = Self.bytes(UInt16(0x4246)) + Self.bytes(UInt16(length)) + Data(count: length)
    }
    // Version 2.0, no flags, stored, the first date there is.
    var common = Self.bytes(UInt16(20)) + Self.bytes(UInt16(0)) + Self.bytes(UInt16(0))
    common += Self.bytes(UInt16(0)) + Self.bytes(UInt16(0x21)) + Self.bytes(UInt32(checksum))
    common += Self.bytes(UInt32(content.count)) + Self.bytes(UInt32(content.count))
    common += Self.bytes(UInt16(fileName.count))
    directory += Self.bytes(UInt32(0x0201_4B50)) + Self.bytes(UInt16(20)) + common
    // No extra field, no comment, first disk, no attributes.
    directory += Self.bytes(UInt16(0)) + Self.bytes(UInt16(0)) + Self.bytes(UInt16(0))
    directory += Self.bytes(UInt16(0)) + Self.bytes(UInt32(0))
    directory += Self.bytes(UInt32(archive.count)) + fileName
    archive += Self.bytes(UInt32(0x0403_4B50)) + common + Self.bytes(UInt16(padding.count))
    archive += fileName + padding + content
    count += 1
  }

  /// The archive's bytes.
  package func encoded() -> Data {
    var end = Self.bytes(UInt32(0x0605_4B50)) + Self.bytes(UInt16(0)) + Self.bytes(UInt16(0))
    end += Self.bytes(UInt16(count)) + Self.bytes(UInt16(count))
    end += Self.bytes(UInt32(directory.count)) + Self.bytes(UInt32(archive.count))
    return archive + directory + end + Self.bytes(UInt16(0))
  }

  private static func bytes<T: FixedWidthInteger>(_ value: T) -> Data {
    withUnsafeBytes(of: value.littleEndian) { Data($0) }
  }
}

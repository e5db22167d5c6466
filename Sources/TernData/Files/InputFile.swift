import Foundation
import TernCore

/// Whole files, mapped into memory: their pages come when they are looked at, and go when the memory
/// is wanted for something else.
package enum InputFile {
  /// - Parameter limit: the most bytes that make sense.
  /// - Throws: ``TernError`` of kind `notFound` where the file is missing or cannot be read.
  package static func contents(of path: String, limit: Int = 1 << 36) throws -> Data {
    try mapped(OpenFile(path), path, limit: limit)
  }

  /// The content of a file, unpacked where its first bytes say gzip.
  static func unpacked(_ path: String) throws -> Data {
    let file = try OpenFile(path)
    guard try file.startsWith([0x1F, 0x8B]) else { return try mapped(file, path) }
    let reader = try GzipReader(path)
    var data = Data()
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = try piece.withUnsafeMutableBytes { try reader.read(into: $0) }
      guard count > 0 else { return data }
      data.append(contentsOf: piece[..<count])
      // A checked size comes with the end alone.
      guard data.count <= reader.byteCountLimit else {
        throw TernError(
          .badData, "\(path): \(PackedSize.fault(data.count, packed: file.byteCount))")
      }
    }
  }

  private static func mapped(_ file: OpenFile, _ path: String, limit: Int = 1 << 36) throws -> Data
  {
    let size = file.byteCount
    guard size <= SystemMemory.byteCount else {
      throw TernError(
        .badData,
        "\(path): \(SystemMemory.text(size)), more than the "
          + "\(SystemMemory.text(SystemMemory.byteCount)) of memory; pictures of images:DIR and of "
          + "plain IDX files are read on demand")
    }
    guard size <= limit else {
      throw TernError(.badData, "\(path): \(size) bytes are more than the \(limit) allowed")
    }
    return try file.mapped()
  }
}

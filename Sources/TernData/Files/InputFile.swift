import Foundation
import TernCore

/// Whole files, mapped into memory where that is safe.
enum InputFile {
  /// - Parameter limit: the most bytes that make sense.
  /// - Throws: ``TernError`` of kind `notFound` where the file is missing or cannot be read.
  static func contents(of path: String, limit: Int = 1 << 36) throws -> Data {
    let file = try OpenFile(path)
    let size = file.byteCount
    guard size <= SystemMemory.byteCount else {
      throw TernError(
        .badData,
        "\(path): \(SystemMemory.text(size)), more than the \(SystemMemory.text(SystemMemory.byteCount)) "
          + "of memory; pictures of images:DIR and of plain IDX files are read on demand")
    }
    guard size <= limit else {
      throw TernError(.badData, "\(path): \(size) bytes are more than the \(limit) allowed")
    }
    return try file.mapped()
  }
}

import Foundation
import TernCore

/// Whole files, mapped into memory where that is safe.
enum InputFile {
  /// - Parameter limit: the most bytes that make sense.
  /// - Throws: ``TernError`` of kind `notFound` where the file is missing or cannot be read.
  static func contents(of path: String, limit: Int = 1 << 36) throws -> Data {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw TernError(.notFound, "\(path): no such file")
    }
    guard !isDirectory.boolValue else { throw TernError(.notFound, "\(path): not a file") }
    let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int ?? 0
    guard size <= SystemMemory.byteCount else {
      throw TernError(
        .badData,
        "\(path): \(SystemMemory.text(size)), more than the \(SystemMemory.text(SystemMemory.byteCount)) "
          + "of memory; pictures of images:DIR and of plain IDX files are read on demand")
    }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw TernError(.notFound, "\(path): cannot be read")
    }
    guard data.count <= limit else {
      throw TernError(.badData, "\(path): \(data.count) bytes are more than the \(limit) allowed")
    }
    return data
  }
}

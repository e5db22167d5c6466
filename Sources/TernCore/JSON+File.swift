import Foundation

extension JSON {
  /// Reads a JSON file.
  ///
  /// - Parameter maximumByteCount: a longer file is refused before it is read.
  /// - Throws: ``TernError`` of kind `notFound` or `badData`, naming the file.
  package init(contentsOf path: String, maximumByteCount: Int) throws {
    guard let kind = FileSystem.kind(path) else {
      throw TernError(.notFound, "\(path): no such file")
    }
    guard kind != .folder,
      let data = FileSystem.contents(of: path, upToCount: maximumByteCount + 1)
    else { throw TernError(.badData, "\(path): cannot be read as a file") }
    guard data.count <= maximumByteCount else {
      throw TernError(.badData, "\(path): longer than \(maximumByteCount) bytes")
    }
    do { self = try data.withUnsafeBytes { try JSON(parsing: $0) } } catch {
      throw TernError(.badData, "\(path): not JSON: \(error)")
    }
  }
}

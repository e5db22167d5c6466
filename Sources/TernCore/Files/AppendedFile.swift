import Foundation

/// Appending to logs.
package enum AppendedFile {
  /// Appends in one write, so that lines of two processes do not mix.
  ///
  /// - Parameter isFlushed: whether the disk has it before this returns.
  /// - Throws: ``TernError`` of kind `cannotWrite`, also for a link, see ``AtomicFile/refuseLink(_:)``.
  package static func append(_ data: Data, to path: String, isFlushed: Bool = false) throws {
    try AtomicFile.refuseLink(path)
    let file = FileSystem.open(path, O_WRONLY | O_CREAT | O_APPEND)
    let isWritten = file >= 0 && data.write(to: file) && (!isFlushed || fsync(file) == 0)
    let reason = String(cString: strerror(errno))
    if file >= 0 { close(file) }
    guard isWritten else { throw TernError(.cannotWrite, "\(path): cannot append: \(reason)") }
  }
}

import Foundation

/// Writing files so that a failure or a crash at any moment leaves the old content or the new,
/// never a mixture.
package enum AtomicFile {
  /// Writes to a temporary file beside `path`, flushes it to the disk, and renames it into place.
  ///
  /// What is no file (`/dev/null`, a pipe, a terminal) is written to as it is. A link to a file is left
  /// as it is, and so is what it leads to.
  ///
  /// - Parameter mode: who may read and write a file that is new.
  /// - Throws: ``TernError`` of kind `cannotWrite`, also for a link to a file, a folder or nothing.
  package static func write(_ data: Data, to path: String, mode: mode_t = 0o644) throws {
    if let stream = try stream(path) {
      defer { close(stream) }
      guard data.write(to: stream) else { throw failure(path, "cannot write") }
      return
    }
    try refuseLink(path)
    let (temporary, file) = try temporary(beside: path, mode: mode)
    func fail(_ what: String) -> TernError {
      let error = failure(path, what)
      _ = temporary.withFilePath { unlink($0) }
      return error
    }
    let isWritten = data.write(to: file) && fsync(file) == 0
    let error = isWritten ? nil : fail("cannot write")
    // Some systems tell of a full disk as late as here.
    let isClosed = close(file) == 0
    if let error { throw error }
    guard isClosed else { throw fail("cannot write") }
    let isReplaced = temporary.withFilePath { old in path.withFilePath { rename(old, $0) } } == 0
    guard isReplaced else { throw fail("cannot replace") }
    synchronizeDirectory(folder(of: path))
  }

  /// Finds out whether ``write(_:to:mode:)`` would do, before hours are spent on what is written.
  ///
  /// - Throws: ``TernError`` of kind `cannotWrite`.
  package static func check(_ path: String) throws {
    if let kind = FileSystem.kind(path), kind != .file {
      guard kind == .other, path.withFilePath({ access($0, W_OK) }) == 0 else {
        throw TernError(.cannotWrite, "\(path): \(kind == .folder ? "is a folder" : "read-only")")
      }
      return
    }
    try refuseLink(path)
    let (temporary, file) = try temporary(beside: path, mode: 0o600)
    close(file)
    _ = temporary.withFilePath { unlink($0) }
  }

  /// A link is there because somebody put it there: replaced, it is lost, and followed, another file is.
  ///
  /// - Throws: ``TernError`` of kind `cannotWrite` for a link, unless it leads to a device or a pipe.
  package static func refuseLink(_ path: String) throws {
    guard let target = FileSystem.linkTarget(path) else { return }
    let kind = FileSystem.kind(path)
    if kind == .other { return }
    throw TernError(
      .cannotWrite,
      "\(path): a link to \(target)" + (kind == nil ? ", which is not there" : "")
        + "; name that path itself, or remove the link")
  }

  /// Makes a rename in `directory` survive a power failure.
  package static func synchronizeDirectory(_ directory: String) {
    let handle = FileSystem.open(directory.isEmpty ? "." : directory, O_RDONLY)
    guard handle >= 0 else { return }
    fsync(handle)
    close(handle)
  }

  /// What the names of files start with that are not finished.
  package static let temporaryPrefix = ".tern-tmp-"

  /// A new file in the folder of `path`: one that nobody else has, and no link of somebody's.
  private static func temporary(
    beside path: String, mode: mode_t
  ) throws -> (path: String, file: Int32) {
    let folder = folder(of: path)
    while true {
      let name = "\(temporaryPrefix)\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
      let temporary =
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
      let file = FileSystem.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
      if file >= 0 { return (temporary, file) }
      guard errno == EEXIST || errno == EINTR else { throw failure(path, "cannot create") }
    }
  }

  /// Opens what is written to as it is; `nil` for a file, or where there is nothing yet.
  private static func stream(_ path: String) throws -> Int32? {
    // A name of one of the process's own streams is that stream, wherever it has been sent.
    if let number = ownStream(path) {
      let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
      guard copy >= 0 else { throw failure(path, "cannot write") }
      return copy
    }
    guard FileSystem.kind(path) == .other else { return nil }
    let file = FileSystem.open(path, O_WRONLY | O_NOCTTY)
    guard file >= 0 else { throw failure(path, "cannot write") }
    return file
  }

  private static func ownStream(_ path: String) -> Int32? {
    switch path {
    case "/dev/stdout": return STDOUT_FILENO
    case "/dev/stderr": return STDERR_FILENO
    default:
      for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
        return Int32(path.dropFirst(folder.count))
      }
      return nil
    }
  }

  private static func folder(of path: String) -> String {
    guard let end = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return end == path.utf8.startIndex ? "/" : String(path[..<end])
  }

  /// - Parameter what: failed, for the reason in `errno`.
  private static func failure(_ path: String, _ what: String) -> TernError {
    TernError(.cannotWrite, "\(path): \(what): \(String(cString: strerror(errno)))")
  }
}

extension Data {
  /// Writes all bytes to an open file; `false` where that fails, with the reason in `errno`.
  package func write(to file: Int32) -> Bool {
    var written = 0
    return withUnsafeBytes { bytes in
      while written < bytes.count {
        let count = Foundation.write(file, bytes.baseAddress! + written, bytes.count - written)
        if count < 0, errno == EINTR { continue }
        if count == 0 { errno = EIO }
        guard count > 0 else { return false }
        written += count
      }
      return true
    }
  }
}

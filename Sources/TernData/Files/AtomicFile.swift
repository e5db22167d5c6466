import Foundation
import TernCore

/// Writing files so that a failure or a crash at any moment leaves the old content or the new,
/// never a mixture.
public enum AtomicFile {
  /// Writes to a temporary file beside `path`, flushes it to the disk, and renames it into place.
  ///
  /// - Throws: ``TernError`` of kind `cannotWrite`.
  public static func write(_ data: Data, to path: String) throws {
    let temporary = path + ".tmp"
    func fail(_ what: String) -> TernError {
      let reason = String(cString: strerror(errno))
      _ = temporary.withFilePath { unlink($0) }
      return TernError(.cannotWrite, "\(path): \(what): \(reason)")
    }
    let file = FileSystem.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
    guard file >= 0 else { throw fail("cannot create") }
    guard data.write(to: file), fsync(file) == 0 else {
      let error = fail("cannot write")
      close(file)
      throw error
    }
    close(file)
    let isReplaced = temporary.withFilePath { old in path.withFilePath { rename(old, $0) } } == 0
    guard isReplaced else { throw fail("cannot replace") }
    synchronizeDirectory((path as NSString).deletingLastPathComponent)
  }

  /// Makes a rename in `directory` survive a power failure.
  public static func synchronizeDirectory(_ directory: String) {
    let handle = FileSystem.open(directory.isEmpty ? "." : directory, O_RDONLY)
    guard handle >= 0 else { return }
    fsync(handle)
    close(handle)
  }
}

extension Data {
  /// Writes all bytes to an open file; `false` where that fails, with the reason in `errno`.
  func write(to file: Int32) -> Bool {
    var written = 0
    return withUnsafeBytes { bytes in
      while written < bytes.count {
        let count = Foundation.write(file, bytes.baseAddress! + written, bytes.count - written)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        written += count
      }
      return true
    }
  }
}

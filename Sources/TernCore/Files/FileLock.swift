import Foundation

/// A file that one process at a time holds; the kernel gives it back when the process ends, however
/// it ends.
package final class FileLock: Sendable {
  private let descriptor: Int32
  private let path: String
  /// Folders that were made for what is locked, the innermost first: gone again, if nothing came into
  /// them.
  private let createdFolders: [String]

  /// Takes the lock.
  ///
  /// - Parameters:
  ///   - path: the file, which is created where it is not there.
  ///   - subject: what is locked, as a message names it.
  ///   - waits: whether to wait for whoever has it.
  ///   - createdFolders: removed with the lock where they are empty then, in this order.
  /// - Throws: ``TernError`` of kind `cannotWrite` where another process has it, with its number.
  package init(
    _ path: String, for subject: String, waits: Bool = false, createdFolders: [String] = []
  ) throws {
    self.path = path
    self.createdFolders = createdFolders
    while true {
      let file = FileSystem.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
      guard file >= 0 else {
        throw TernError(
          .cannotWrite, "\(path): cannot be created: \(String(cString: strerror(errno)))")
      }
      var result: Int32
      repeat {
        result = flock(file, LOCK_EX | (waits ? 0 : LOCK_NB))
      } while result != 0
        && errno == EINTR
      if result != 0, errno == EWOULDBLOCK {
        defer { close(file) }
        throw TernError(.cannotWrite, "\(subject): in use by \(Self.holder(file))")
      }
      // A file system without locks: nothing can be said of others there.
      guard let isStill = Self.isStill(file, at: path) else {
        defer { close(file) }
        throw TernError(
          .cannotWrite, "\(path): cannot be looked at: \(String(cString: strerror(errno)))")
      }
      if isStill {
        descriptor = file
        break
      }
      // Whoever had it has removed the file meanwhile.
      close(file)
    }
    let text = "\(getpid()) \(HostName.own)\n"
    _ = ftruncate(descriptor, 0)
    _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
  }

  deinit {
    // Whoever waits for it sees that this file is not the one that counts any more.
    if Self.isStill(descriptor, at: path) == true { _ = path.withFilePath { unlink($0) } }
    close(descriptor)
    for folder in createdFolders { _ = folder.withFilePath { rmdir($0) } }
  }

  /// Takes the lock of a folder in which one process at a time works, and creates the folder.
  ///
  /// - Parameter mustBeNew: whether to give `nil` where the folder is there already.
  package static func ofFolder(_ path: String, mustBeNew: Bool) throws -> FileLock? {
    var attempts = 0
    while true {
      attempts += 1
      var missing: [String] = []
      var folder = path.parentPath
      while !folder.isEmpty, folder != "/", !FileSystem.exists(folder) {
        missing.append(folder)
        folder = folder.parentPath
      }
      let isPrepared = path.parentPath.isEmpty || FileSystem.createFolder(path.parentPath)
      let isNew = isPrepared && path.withFilePath { mkdir($0, 0o777) } == 0
      // Another process may have made the folder around it, and removed it again.
      if !isNew, isPrepared, errno == ENOENT, attempts < 10 { continue }
      guard isNew || (isPrepared && errno == EEXIST && FileSystem.isFolder(path)) else {
        throw TernError(
          .cannotWrite, "\(path): cannot create the folder: \(String(cString: strerror(errno)))")
      }
      if mustBeNew, !isNew { return nil }
      do {
        return try FileLock(
          path.appendingPath(fileName), for: path, createdFolders: isNew ? [path] + missing : [])
      } catch {
        // Removed in between by a process that had no use for it after all.
        if FileSystem.exists(path) || attempts >= 10 { throw error }
      }
    }
  }

  package static func ofFolder(_ path: String) throws -> FileLock {
    try ofFolder(path, mustBeNew: false)!
  }

  /// What the file is called that is locked for a whole folder.
  package static let fileName = ".lock"

  /// Whether a file is still the one at a path.
  ///
  /// - Returns: `nil` where the system does not say.
  private static func isStill(_ file: Int32, at path: String) -> Bool? {
    var (own, there) = (stat(), stat())
    guard fstat(file, &own) == 0 else { return nil }
    guard path.withFilePath({ lstat($0, &there) }) == 0 else {
      return errno == ENOENT ? false : nil
    }
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino
  }

  /// Who has the lock: what it wrote into the file, as soon as it has done so.
  private static func holder(_ file: Int32) -> String {
    for _ in 0..<50 {
      var bytes = [UInt8](repeating: 0, count: 128)
      let count = pread(file, &bytes, bytes.count, 0)
      let words = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
      if words.count == 2, let number = Int32(words[0]) {
        let host = words[1].trimmingCharacters(in: .whitespacesAndNewlines)
        let isElsewhere = host != HostName.own
        return "process \(number)" + (isElsewhere ? " on \(host)" : "")
      }
      usleep(10_000)
    }
    return "another process"
  }
}

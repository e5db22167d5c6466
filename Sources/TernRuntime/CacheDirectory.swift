import Foundation
import Synchronization
import TernCore

/// The folder in which compiled programs and tuning results outlive the process:
/// `$XDG_CACHE_HOME/tern`, by default `~/.cache/tern`. `TERN_CACHE=off` does without.
///
/// A driver runs what is in it, so nobody else may be able to write there: a folder of another user's,
/// or one that others may write to, is not used, and neither is such a file in it.
package struct CacheDirectory: Sendable {
  package let path: String
  /// Who may own it besides the user.
  private let otherOwner: uid_t?

  package init(path: String) { self.init(path: path, otherOwner: nil) }

  private init(path: String, otherOwner: uid_t?) {
    self.path = path
    self.otherOwner = otherOwner
  }

  /// - Returns: `nil` where the user wants none, or has no home.
  package static func standard(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> CacheDirectory? {
    if environment["TERN_CACHE"] == "off" { return nil }
    // Relative paths are invalid by the XDG base directory specification.
    if let base = environment["XDG_CACHE_HOME"], base.hasPrefix("/") {
      return CacheDirectory(path: base + "/tern")
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return CacheDirectory(path: home + "/.cache/tern")
  }

  /// Where packages put what they ship: `tern` in each folder of `$XDG_DATA_DIRS`, by default
  /// `/usr/local/share` and `/usr/share`.
  package static func system(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [CacheDirectory] {
    let given = environment["XDG_DATA_DIRS"] ?? ""
    return (given.isEmpty ? "/usr/local/share:/usr/share" : given).split(separator: ":")
      .filter { $0.hasPrefix("/") }.map { CacheDirectory(path: $0 + "/tern", otherOwner: 0) }
  }

  /// Tells the user of something in the cache that is of no use.
  package static func warn(_ message: String) {
    // Two devices may come by the same file.
    guard toldWarnings.withLock({ $0.insert(message).inserted }) else { return }
    FileHandle.standardError.write(Data("tern: warning: \(message.visible)\n".utf8))
  }

  /// What was told, each once in a process.
  private static let toldWarnings = Mutex<Set<String>>([])

  // MARK: Trust

  /// The faults that were told, each once in a process.
  private static let toldFaults = Mutex<Set<String>>([])

  /// Why what lies here is not to be used; `nil` where it is.
  private func fault(_ status: stat) -> String? {
    let isOwned = status.st_uid == geteuid() || status.st_uid == otherOwner
    if !isOwned { return "belongs to another user" }
    return status.st_mode & 0o022 == 0 ? nil : "others may write to it"
  }

  /// Opens a folder of the cache for what is done in it; `nil` where there is none to be trusted.
  private func folder(_ path: String) -> Int32? {
    let folder = FileSystem.open(path, O_RDONLY | O_DIRECTORY)
    guard folder >= 0 else { return nil }
    var status = stat()
    guard fstat(folder, &status) == 0 else {
      close(folder)
      return nil
    }
    guard let fault = fault(status) else { return folder }
    close(folder)
    if Self.toldFaults.withLock({ $0.insert(path).inserted }) {
      Self.warn(
        "\(path): not used as a cache, \(fault); remove it, or go without by TERN_CACHE=off")
    }
    return nil
  }

  /// A folder and the last part of the name of a file in it.
  private func place(_ name: String) -> (folder: String, file: String) {
    let parts = name.split(separator: "/").map(String.init)
    return (([path] + parts.dropLast()).joined(separator: "/"), parts.last ?? "")
  }

  /// The content of a file; `nil` where there is none, it is larger than anything Tern writes, or it
  /// is not to be trusted.
  package func read(_ name: String, maximumByteCount: Int) -> Data? {
    guard let top = folder(path) else { return nil }
    close(top)
    let place = place(name)
    guard let folder = folder(place.folder) else { return nil }
    defer { close(folder) }
    let file = openat(folder, place.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, fault(status) == nil,
      status.st_size <= maximumByteCount
    else { return nil }
    return FileHandle(fileDescriptor: file, closeOnDealloc: false).readDataToEndOfFile()
  }

  /// Puts a file in place, whole or not at all.
  package func write(_ data: Data, to name: String) throws {
    try prepare(name)
    do { try AtomicFile.write(data, to: "\(path)/\(name)", mode: 0o600) } catch {
      throw failure(name)
    }
  }

  /// Changes a file while no other process does.
  package func update(_ name: String, _ body: () throws -> Data) throws {
    try prepare(name)
    let lock: FileLock
    do { lock = try FileLock("\(path)/\(name).lock", for: path, waits: true) } catch {
      throw failure(name)
    }
    try withExtendedLifetime(lock) { try write(body(), to: name) }
  }

  /// Makes the folders of a file, for the user alone.
  private func prepare(_ name: String) throws {
    let inner = place(name).folder
    let parent = path.parentPath
    guard FileSystem.createFolder(parent) else { throw failure(name) }
    for folder in inner == path ? [path] : [path, inner] {
      guard folder.withFilePath({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
        throw failure(name)
      }
      guard let handle = self.folder(folder) else { throw failure(name) }
      close(handle)
    }
  }

  private func failure(_ name: String) -> TernError {
    TernError(
      .cannotWrite, "\(path)/\(name): cannot write the cache; TERN_CACHE=off does without")
  }
}

/// A hash as sixteen hexadecimal digits.
package func hexadecimal(_ hash: UInt64) -> String {
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

import Foundation

/// What the system is asked about files, each named by the very bytes it has; see ``FileName``.
///
/// Every path that is opened goes through here or through ``Swift/String/withFilePath(_:)``;
/// `FileManager` and `URL` take paths for UTF-8 and would look for another name.
package enum FileSystem {
  package enum Kind: Sendable {
    case file, folder, other
  }

  /// What is at a path, links followed; `nil` where there is nothing.
  package static func kind(_ path: String) -> Kind? { status(path)?.kind }

  package static func exists(_ path: String) -> Bool { kind(path) != nil }
  package static func isFolder(_ path: String) -> Bool { kind(path) == .folder }

  /// What is at a path, and how many bytes it has.
  package static func status(_ path: String) -> (kind: Kind, byteCount: Int)? {
    var status = stat()
    guard path.withFilePath({ stat($0, &status) }) == 0 else { return nil }
    let kind: Kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .folder
      default: .other
      }
    return (kind, Int(status.st_size))
  }

  /// Whether two paths lead to the same file or folder, which is there.
  package static func isSame(_ first: String, _ second: String) -> Bool {
    var statuses = (stat(), stat())
    guard first.withFilePath({ stat($0, &statuses.0) }) == 0,
      second.withFilePath({ stat($0, &statuses.1) }) == 0
    else { return false }
    return statuses.0.st_dev == statuses.1.st_dev && statuses.0.st_ino == statuses.1.st_ino
  }

  /// What a link leads to, as it says; `nil` where the path is no link.
  package static func linkTarget(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = path.withFilePath { path in
      bytes.withUnsafeMutableBytes {
        readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
    }
    return count > 0 ? FileName.text(bytes[..<count]) : nil
  }

  /// The names in a folder, in no order; `nil` where it cannot be read, with the reason in `errno`.
  package static func names(in directory: String) -> [String]? {
    entries(in: directory)?.map(\.name)
  }

  /// What is in a folder, in no order, and which of it are folders, links followed; `nil` where it
  /// cannot be read, with the reason in `errno`.
  package static func entries(in directory: String) -> [(name: String, isFolder: Bool)]? {
    guard let stream = directory.withFilePath({ opendir($0) }) else { return nil }
    defer { closedir(stream) }
    var entries: [(name: String, isFolder: Bool)] = []
    while let entry = readdir(stream) {
      // An entry is as long as its name asks for, not as its type says: it is not copied.
      let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
      let name = FileName.text(
        cString: UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self))
      guard name != ".", name != ".." else { continue }
      // Most file systems say at once; of millions of files none is asked for in vain.
      let isFolder =
        switch Int(entry.pointee.d_type) {
        case Int(DT_DIR): true
        case Int(DT_REG): false
        default: FileSystem.isFolder("\(directory)/\(name)")
        }
      entries.append((name, isFolder))
    }
    return entries
  }

  /// Opens a file; below 0 where that fails, with the reason in `errno`.
  package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o644) -> Int32 {
    path.withFilePath { Foundation.open($0, flags | O_CLOEXEC, mode) }
  }

  /// The first bytes of a file, `limit` at most; `nil` where it cannot be read, with the reason in
  /// `errno`.
  package static func contents(of path: String, upToCount limit: Int) -> Data? {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var data = Data()
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while data.count < limit {
      let count = read(file, &piece, min(piece.count, limit - data.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      guard count > 0 else { break }
      data.append(contentsOf: piece[..<count])
    }
    return data
  }

  /// Creates a folder, and those it is in where they are not there; `false` where that fails, with
  /// the reason in `errno`.
  package static func createFolder(_ path: String) -> Bool {
    if isFolder(path) { return true }
    let parent = path.parentPath
    if !parent.isEmpty, parent != path, !createFolder(parent) { return false }
    return path.withFilePath { mkdir($0, 0o777) } == 0 || errno == EEXIST && isFolder(path)
  }
}

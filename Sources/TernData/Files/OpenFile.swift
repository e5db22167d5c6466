import Foundation
import TernCore

/// An open file.
final class OpenFile: Sendable {
  let byteCount: Int
  private let path: String
  private let descriptor: Int32

  /// - Throws: ``TernError`` of kind `notFound` where there is no such file, or it cannot be read.
  init(_ path: String) throws {
    func fault(_ text: String) -> TernError { TernError(.notFound, "\(path): \(text)") }
    // Without waiting, should the path name a pipe.
    let descriptor = FileSystem.open(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw fault(
        errno == ENOENT ? "no such file" : "cannot be read (\(String(cString: strerror(errno))))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw fault(status.st_mode & S_IFMT == S_IFDIR ? "a folder, not a file" : "not a file")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// All of the file, mapped into memory: pages are read when they are looked at.
  func mapped() throws -> Data {
    guard byteCount > 0 else { return Data() }
    guard let bytes = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0),
      bytes != MAP_FAILED
    else {
      throw TernError(.runtime, "\(path): cannot be read (\(String(cString: strerror(errno))))")
    }
    return Data(bytesNoCopy: bytes, count: byteCount, deallocator: .unmap)
  }

  /// Whether the file starts with `bytes`; the position stays where it is.
  func startsWith(_ bytes: [UInt8]) throws -> Bool {
    var start = [UInt8](repeating: 0, count: bytes.count)
    return try checked(pread(descriptor, &start, start.count, 0)) == bytes.count && start == bytes
  }

  /// Reads some bytes, 0 only at the end.
  func read(into destination: UnsafeMutableRawBufferPointer) throws -> Int {
    try checked(Foundation.read(descriptor, destination.baseAddress, destination.count))
  }

  /// Reads what is at a place, as far as the file goes.
  func read(into destination: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var count = 0
    while count < destination.count {
      let part = try checked(
        pread(
          descriptor, destination.baseAddress! + count, destination.count - count, offset + count))
      guard part > 0 else { break }
      count += part
    }
    return count
  }

  private func checked(_ count: Int) throws -> Int {
    guard count >= 0 else {
      throw TernError(.runtime, "\(path): cannot be read (\(String(cString: strerror(errno))))")
    }
    return count
  }
}

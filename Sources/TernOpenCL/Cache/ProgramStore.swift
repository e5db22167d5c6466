import Foundation
import TernCore
import TernRuntime

/// Compiled programs on disk, one file each: a line with the format, the lengths of the key and of the
/// binary, and the digest of both; then both. Whatever is not exactly so is ignored: a driver that is
/// given another device's binary, or a damaged one, may take the process with it.
struct ProgramStore: Sendable {
  private let directory: CacheDirectory
  private let device: CLDevice

  private static let format = "tern-program-2"
  private static let maximumByteCount = 64 << 20

  init(_ directory: CacheDirectory, device: CLDevice) {
    self.directory = directory
    self.device = device
  }

  /// Everything a binary depends on.
  private func key(source: String, options: String) -> String {
    [device.identity, options, source].joined(separator: "\n")
  }

  private func file(_ key: String) -> String { "programs/\(hexadecimal(FNV1a.hash64(key.utf8)))" }

  func binary(source: String, options: String) -> Data? {
    let key = key(source: source, options: options)
    guard let content = directory.read(file(key), maximumByteCount: Self.maximumByteCount),
      let end = content.firstIndex(of: UInt8(ascii: "\n"))
    else { return nil }
    let header = String(decoding: content[..<end], as: UTF8.self).split(separator: " ")
    let keyBytes = Data(key.utf8)
    let body = content[(end + 1)...]
    guard header.count == 4, header[0] == Self.format, Int(header[1]) == keyBytes.count,
      body.count >= keyBytes.count, body.prefix(keyBytes.count) == keyBytes
    else { return nil }
    let binary = body.dropFirst(keyBytes.count)
    guard Int(header[2]) == binary.count, header[3] == digest(keyBytes, binary),
      !binary.isEmpty
    else { return nil }
    return Data(binary)
  }

  /// Keeps a binary. A cache that cannot be written is no reason to stop.
  func keep(_ binary: Data, source: String, options: String) {
    let key = key(source: source, options: options)
    let header =
      "\(Self.format) \(key.utf8.count) \(binary.count) \(digest(Data(key.utf8), binary))\n"
    try? directory.write(Data(header.utf8) + Data(key.utf8) + binary, to: file(key))
  }

  /// Of a binary and of what it was made for.
  private func digest(_ key: Data, _ binary: Data) -> String {
    var digest = SHA256()
    digest.update(key.count)
    key.withUnsafeBytes { digest.update($0) }
    binary.withUnsafeBytes { digest.update($0) }
    return digest.hexadecimal
  }
}

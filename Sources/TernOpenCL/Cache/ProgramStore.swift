import COpenCL
import Foundation

/// Compiled programs on disk, one file each: a line with the format, the key's length and the
/// binary's length and hash, then both. Whatever is not exactly so is ignored.
struct ProgramStore: Sendable {
  private let directory: CacheDirectory
  private let device: CLDevice

  private static let format = "tern-program-1"
  private static let maximumByteCount = 64 << 20

  init(_ directory: CacheDirectory, device: CLDevice) {
    self.directory = directory
    self.device = device
  }

  /// Everything a binary depends on.
  private func key(source: String, options: String) -> String {
    [
      device.string(CL_DEVICE_NAME), device.string(CL_DEVICE_VERSION),
      device.string(CL_DRIVER_VERSION), options, source,
    ].joined(separator: "\n")
  }

  private func file(_ key: String) -> String { "programs/\(hexadecimal(stableHash(key.utf8)))" }

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
    guard Int(header[2]) == binary.count, header[3] == hexadecimal(stableHash(binary)),
      !binary.isEmpty
    else { return nil }
    return Data(binary)
  }

  /// Keeps a binary. A cache that cannot be written is no reason to stop.
  func keep(_ binary: Data, source: String, options: String) {
    let key = key(source: source, options: options)
    let header =
      "\(Self.format) \(key.utf8.count) \(binary.count) \(hexadecimal(stableHash(binary)))\n"
    try? directory.write(Data(header.utf8) + Data(key.utf8) + binary, to: file(key))
  }
}

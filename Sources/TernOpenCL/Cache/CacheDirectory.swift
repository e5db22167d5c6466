import Foundation
import TernCore

/// The folder in which compiled programs and tuning results outlive the process:
/// `$XDG_CACHE_HOME/tern`, by default `~/.cache/tern`. `TERN_CACHE=off` does without.
package struct CacheDirectory: Sendable {
  package let path: String

  package init(path: String) { self.path = path }

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
      .filter { $0.hasPrefix("/") }.map { CacheDirectory(path: $0 + "/tern") }
  }

  /// Tells the user of something in the cache that is of no use.
  static func warn(_ message: String) {
    FileHandle.standardError.write(Data("tern: warning: \(message)\n".utf8))
  }

  /// The content of a file; `nil` where there is none, or it is larger than anything Tern writes.
  func read(_ name: String, maximumByteCount: Int) -> Data? {
    let path = path + "/" + name
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      attributes[.type] as? FileAttributeType == .typeRegular,
      let size = attributes[.size] as? Int, size <= maximumByteCount
    else { return nil }
    return FileManager.default.contents(atPath: path)
  }

  /// Puts a file in place, whole or not at all.
  func write(_ data: Data, to name: String) throws {
    let file = URL(fileURLWithPath: path + "/" + name)
    do {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: file, options: .atomic)
    } catch {
      throw TernError(
        .cannotWrite, "\(file.path): cannot write the cache; TERN_CACHE=off does without")
    }
  }
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits): the same in every process, unlike `Hasher`.
func stableHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
  bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}

/// A hash as sixteen hexadecimal digits.
func hexadecimal(_ hash: UInt64) -> String {
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

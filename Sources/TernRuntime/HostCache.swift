import Foundation

/// The caches of the processor that Tern runs on.
package enum HostCache {
  /// The last level, in bytes, as one core sees it; 0 where the system does not say.
  package static let lastLevelByteCount = levels.last?.byteCount ?? 0

  /// The second level, in bytes: what a core has for itself. Where the system does not say, what most
  /// processors have.
  package static let secondLevelByteCount = levels.first { $0.level == 2 }?.byteCount ?? 1 << 20

  /// From the first on.
  private static let levels: [(level: Int, byteCount: Int)] = {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    func text(_ name: String) -> String {
      ((try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "")
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return (0..<8).compactMap { index in
      guard text("index\(index)/type") != "Instruction",
        let level = Int(text("index\(index)/level")),
        let byteCount = byteCount(text("index\(index)/size"))
      else { return nil }
      return (level, byteCount)
    }.sorted { $0.level < $1.level }
  }()

  /// Reads `32768K`.
  private static func byteCount(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    guard let unit = text.last else { return nil }
    guard let factor = units[unit] else { return Int(text) }
    return Int(text.dropLast()).map { $0 * factor }
  }
}

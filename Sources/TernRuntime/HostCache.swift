import Foundation

/// The caches of the processor that Tern runs on.
package enum HostCache {
  /// The last level, in bytes, as one core sees it; 0 where the system does not say.
  package static let lastLevelByteCount: Int = {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    func text(_ name: String) -> String {
      ((try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "")
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    var last = (level: 0, byteCount: 0)
    for index in 0..<8 where text("index\(index)/type") != "Instruction" {
      guard let level = Int(text("index\(index)/level")), level > last.level,
        let byteCount = byteCount(text("index\(index)/size"))
      else { continue }
      last = (level, byteCount)
    }
    return last.byteCount
  }()

  /// Reads `32768K`.
  private static func byteCount(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    guard let unit = text.last else { return nil }
    guard let factor = units[unit] else { return Int(text) }
    return Int(text.dropLast()).map { $0 * factor }
  }
}

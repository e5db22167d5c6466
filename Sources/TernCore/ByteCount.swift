/// Numbers of bytes as people write them.
package enum ByteCount {
  private static let units: [(name: String, size: Int)] = [
    ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40), ("kb", 1000),
    ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000), ("b", 1), ("", 1),
  ]

  /// Reads `2GiB`, `1.5 GB`, `800MiB` or `1048576`.
  ///
  /// - Returns: `nil` where it is no such size, not above 0, or more than 2^60.
  package static func parse(_ text: String) -> Int? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(number.count).drop { $0 == " " }.lowercased()
    guard let value = Double(number), let size = units.first(where: { $0.name == unit })?.size
    else { return nil }
    let bytes = value * Double(size)
    return bytes >= 1 && bytes <= 0x1p60 ? Int(bytes) : nil
  }
}

import TernCore

/// What packed data may unpack to: a small file can stand for more than fits anywhere.
enum PackedSize {
  /// Deflate's shortest code, 2 bits, stands for at most 258 bytes.
  private static let largestRatio = 1032
  /// Numbers that mean something are packed to no less than this part, in the whole of a file. What
  /// is below the floor is taken as it comes, zeros among it.
  private static let usualRatio = 200
  private static let floor = 64 << 20

  /// The most bytes that `packed` bytes may unpack to.
  static func limit(_ packed: Int) -> Int {
    min(possible(packed), max(times(packed, usualRatio), floor))
  }

  /// The most bytes that `packed` bytes can unpack to.
  private static func possible(_ packed: Int) -> Int { times(packed, largestRatio) }

  private static func times(_ packed: Int, _ ratio: Int) -> Int {
    let (product, overflow) = packed.multipliedReportingOverflow(by: ratio)
    return overflow ? .max : product
  }

  /// What an error says of data that is said to unpack to more.
  static func fault(_ size: Int, packed: Int) -> String {
    size > possible(packed)
      ? "\(packed) packed bytes cannot hold \(size)"
      : "\(packed) packed bytes would become \(size), more than any data worth it; unpack it first, if it "
        + "is meant"
  }
}

import Tern

/// Holds results against recorded ones of the same device, of kernels or of whole models.
package struct BenchmarkComparison {
  /// A case that both have.
  package struct Entry: Sendable {
    package let name: String
    /// The medians, in seconds.
    package let base: Double
    package let current: Double
    /// Above 1 where it is slower now.
    package var ratio: Double { current / base }
  }

  /// The largest share by which a median may be above the recorded one.
  package let threshold: Double
  package private(set) var entries: [Entry] = []
  /// The cases that the base does not have, or could not time.
  package private(set) var missing: [String] = []
  /// What may explain a difference.
  package let remarks: [String]

  package var regressions: [Entry] { entries.filter { $0.ratio > 1 + threshold } }

  /// - Parameter current: what `--json` prints.
  /// - Throws: ``TernError`` of kind `badData` where the base is of another context.
  package init(_ current: JSON, base: BenchmarkBase, threshold: Double) throws {
    self.threshold = threshold
    remarks = try base.check(current["context"] ?? .null)
    for (name, seconds) in try BenchmarkBase.medians(current, "this run") {
      guard let seconds else { continue }
      if case let base?? = base.medians[name], base > 0 {
        entries.append(Entry(name: name, base: base, current: seconds))
      } else {
        missing.append(name)
      }
    }
  }

  /// - Parameter source: how errors name the base.
  package init(_ current: JSON, base: JSON, source: String, threshold: Double) throws {
    try self.init(current, base: BenchmarkBase(base, source: source), threshold: threshold)
  }
}

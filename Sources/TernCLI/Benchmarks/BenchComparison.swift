import ArgumentParser
import Tern
import TernBenchmark
import TernConformance

/// The flags that hold results against recorded ones.
struct ComparisonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Compare with what --json printed before; exit code 4 where a median is slower.",
      valueName: "base.json"))
  var compare: String?
  @Option(
    name: .customLong("threshold"),
    help: "By how much a median may be slower than recorded, as 10% or 0.1.")
  var thresholdText = "10%"

  /// What to compare with, and by how much a median may be slower; `nil` where nothing is.
  ///
  /// - Throws: ``TernError`` of kind `usage` or, for the file, `notFound` or `badData`: before an hour
  ///   of measuring, not after it.
  func base() throws -> (base: BenchmarkBase, threshold: Double)? {
    let isPercent = thresholdText.hasSuffix("%")
    guard let number = Double(isPercent ? String(thresholdText.dropLast()) : thresholdText),
      case let share = isPercent ? number / 100 : number, share >= 0, share <= 100
    else {
      throw TernError(.usage, "threshold: expected a share such as 10%, got '\(thresholdText)'")
    }
    return try compare.map { (try BenchmarkBase(contentsOf: $0), share) }
  }
}

enum Regressions {
  static let exitCode: Int32 = 4

  /// Prints a comparison, and leaves with exit code 4 where something became slower.
  static func report(_ comparison: BenchmarkComparison, _ format: OutputFormat) throws {
    var lines: [String] = comparison.remarks.map { "note: \($0)" }
    for entry in comparison.regressions {
      lines.append(
        "slower: \(entry.name): \(Format.duration(entry.current)), was "
          + "\(Format.duration(entry.base)) (+\(Format.fixed(100 * (entry.ratio - 1), 1)) %)")
    }
    for name in comparison.missing { lines.append("not in the base: \(name)") }
    let limit = Format.fixed(100 * comparison.threshold, 1)
    lines.append(
      "\(comparison.entries.count) compared, \(comparison.regressions.count) slower by more than "
        + "\(limit) %, \(comparison.missing.count) not in the base")
    let text = lines.joined(separator: "\n")
    if format.isForPrograms { Output.progress(text) } else { Output.result(text) }
    if !comparison.regressions.isEmpty { throw ExitCode(exitCode) }
  }
}

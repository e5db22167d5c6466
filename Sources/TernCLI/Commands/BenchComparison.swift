import ArgumentParser
import Foundation
import Tern
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

  /// The threshold as a share; `nil` where nothing is to be compared.
  ///
  /// - Throws: ``TernError`` of kind `usage` or, for the file, `notFound`.
  func threshold() throws -> Double? {
    let isPercent = thresholdText.hasSuffix("%")
    guard let number = Double(isPercent ? String(thresholdText.dropLast()) : thresholdText),
      case let share = isPercent ? number / 100 : number, share >= 0, share <= 100
    else {
      throw TernError(.usage, "threshold: expected a share such as 10%, got '\(thresholdText)'")
    }
    guard let compare else { return nil }
    // Before an hour of measuring, not after it.
    guard FileSystem.exists(compare) else {
      throw TernError(.notFound, "\(compare): no such file")
    }
    return share
  }
}

enum Regressions {
  static let exitCode: Int32 = 4

  /// Prints a comparison, and leaves with exit code 4 where something became slower.
  static func report(_ comparison: BenchmarkComparison, json: Bool) throws {
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
    if json { Output.progress(text) } else { Output.result(text) }
    if !comparison.regressions.isEmpty { throw ExitCode(exitCode) }
  }
}

import Foundation
import Tern

/// The results of a suite.
package struct KernelReport: Sendable {
  package private(set) var context: BenchmarkContext
  /// The algorithm that was measured beside the chosen one; `nil` where none was.
  package let versus: String?
  package private(set) var results: [KernelResult] = []
  /// Per result, how many times as fast it is as with ``versus``, by the least times: other programs
  /// can only add to a time.
  package private(set) var ratios: [Double?] = []
  /// Whether everything was measured that was to be.
  package var isComplete = false

  package init(context: BenchmarkContext, versus: String? = nil) {
    self.context = context
    self.versus = versus
  }

  package mutating func append(_ result: KernelResult, _ other: KernelResult? = nil) {
    results.append(result)
    if let own = result.timing?.least, let other = other?.timing?.least {
      ratios.append(other / own)
    } else {
      ratios.append(nil)
    }
  }

  /// Holds the results of each type against the best of several measurements of its peak.
  ///
  /// - Parameter benchmarks: one for each type that is measured.
  package mutating func judge(_ benchmarks: [KernelBenchmark]) {
    context.peaks = benchmarks.map { ($0.device.precision.storedType, $0.peaks) }
    for index in results.indices {
      let type = results[index].dataType
      let benchmark =
        benchmarks.first { $0.device.precision.storedType == type } ?? benchmarks[0]
      results[index].judge(
        peak: benchmark.peaks.best, launchSeconds: benchmark.launchSeconds,
        cacheByteCount: context.info.cacheByteCount)
    }
  }

  /// A geometric mean, and of how many values.
  package struct Mean: Sendable {
    package let value: Double
    package let count: Int

    init?(_ values: [Double]) {
      let positive = values.filter { $0 > 0 }
      guard !positive.isEmpty else { return nil }
      count = positive.count
      value = exp(positive.reduce(0) { $0 + log($1) } / Double(count))
    }
  }

  /// Over the passes of a kind and a type that were timed and have a roof; each counts once.
  package func meanPercentOfRoof(_ kind: BenchmarkCase.Kind, _ type: DataType) -> Mean? {
    Mean(
      results.filter { $0.kind == kind && $0.dataType == type && !$0.hasNoRoof }
        .compactMap(\.percentOfRoof))
  }

  package var meanRatio: Mean? { Mean(ratios.compactMap(\.self)) }

  package var json: JSON {
    var members: [JSON.Member] = []
    if let versus, let mean = meanRatio {
      members = [
        JSON.Member(
          name: "versus",
          value: .object([
            "algorithm": .string(versus), "geometric_mean": .double(mean.value),
            "ratios": .array(ratios.map { $0.map { .double($0) } ?? .null }),
          ]))
      ]
    }
    return .object(
      [
        JSON.Member(name: "context", value: context.json),
        JSON.Member(name: "complete", value: .bool(isComplete)),
        JSON.Member(name: "results", value: .array(results.map(\.json))),
      ] + members)
  }
}

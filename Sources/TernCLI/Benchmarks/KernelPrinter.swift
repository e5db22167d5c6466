import Foundation
import Synchronization
import Tern
import TernBenchmark
import TernConformance

/// Prints results of kernels as they are measured, in any format.
final class KernelPrinter: Sendable {
  private let format: OutputFormat
  private let layout: RowLayout
  private let showsTypes: Bool
  /// How many passes are to be measured.
  private let plannedCount: Int
  /// What was measured so far, and whether the last word is spoken: by whoever comes first, the
  /// measurement that is through or the signal that ends it.
  private let state: Mutex<(report: KernelReport, hasEnded: Bool)>

  /// - Parameter work: all that is to be measured.
  init(
    _ report: KernelReport, work: [KernelWork], format: OutputFormat
  ) {
    self.format = format
    plannedCount = work.count
    let cases = work.map(\.testCase)
    func width(_ text: (BenchmarkCase) -> String) -> Int { cases.map { text($0).count }.max() ?? 0 }
    var columns: [RowLayout.Column] = [
      .init("OPERATION", width: width(\.operation)), .init("NAME", width: width(Self.name)),
      .init("SHAPE", width: width(\.shape)),
      .init("PASS", width: BenchmarkPass.allCases.map(\.rawValue.count).max()!),
      .init("µs", width: 9, isNumeric: true), .init("P95", width: 9, isNumeric: true),
      .init("GFLOP/s", width: 8, isNumeric: true), .init("GB/s", width: 7, isNumeric: true),
      .init("% ROOF", isNumeric: true), .init("BOUND", width: 7),
      .init("ERROR", width: 7, isNumeric: true),
    ]
    showsTypes = work.contains { $0.type != .float32 }
    if showsTypes {
      columns.insert(
        .init("DTYPE", width: DataType.measured.map(\.rawValue.count).max()!), at: 4)
    }
    if let versus = report.versus {
      columns.append(.init("× \(versus)".uppercased(), isNumeric: true))
    }
    // The widest and least known at the end, where it moves nothing.
    columns.append(.init("RUNS AS"))
    layout = RowLayout(columns: columns, isMarkdown: format == .markdown)
    state = Mutex((report, false))
  }

  /// Prints what stands above the rows.
  func begin(_ benchmarks: [KernelBenchmark]) {
    let context = state.withLock { $0.report.context }
    let info = context.info
    var facts = "driver \(info.driver)"
    if info.backend == "cpu" { facts += ", \(context.options.threads ?? 1) threads" }
    let peaks = benchmarks.map { benchmark in
      let (peak, type) = (benchmark.peaks.best, benchmark.device.precision.storedType)
      let name = benchmarks.count > 1 ? "peak of \(type.rawValue)" : "peak"
      return "\(name), measured: \(Format.fixed(peak.gflops, 1)) GFLOP/s, "
        + "\(Format.fixed(peak.gbs, 1)) GB/s; an empty step takes "
        + "\(Format.fixed(benchmark.launchSeconds * 1e6, 1)) µs"
    }
    let text = """
      \(info.id) (\(info.name)), \(facts)
      \(peaks.joined(separator: "\n"))

      """
    if format.isForPrograms {
      for line in text.split(separator: "\n") { Output.progress(String(line)) }
    } else {
      Output.result(text)
    }
    switch format {
    case .table, .markdown: Output.result(layout.header)
    case .csv: Output.result(CSVRow.header(KernelResult.fields + ["versus_ratio"]))
    case .json: break
    }
  }

  /// Prints a result, where the format has rows.
  func append(_ result: KernelResult, _ other: KernelResult?) {
    state.withLock { state in
      guard !state.hasEnded else { return }
      state.report.append(result, other)
      let ratio = state.report.ratios.last ?? nil
      switch format {
      case .table, .markdown:
        Output.result(layout.row(cells(result, ratio, isVersus: state.report.versus != nil)))
      case .csv:
        Output.result(
          CSVRow.text(result.json, fields: KernelResult.fields) + ","
            + (ratio.map { "\($0)" } ?? ""))
      case .json: Output.progress(result.progress)
      }
    }
  }

  /// Prints what stands below the rows, or the whole object; once.
  ///
  /// - Parameter benchmarks: by whose last measurements of the peak all results are judged; `nil` where the
  ///   measurement ends early.
  /// - Returns: what was measured.
  @discardableResult
  func end(_ benchmarks: [KernelBenchmark]? = nil) -> KernelReport {
    state.withLock { state in
      if state.hasEnded { return state.report }
      state.hasEnded = true
      state.report.isComplete = benchmarks != nil
      if let benchmarks { state.report.judge(benchmarks) }
      let report = state.report
      switch format {
      case .table, .markdown: Output.result("\n" + summary(report))
      case .csv: Output.lines(summary(report))
      case .json: Output.result(report.json)
      }
      return report
    }
  }

  private static func name(_ testCase: BenchmarkCase) -> String {
    testCase.name == testCase.shape ? "" : testCase.name
  }

  private func cells(_ result: KernelResult, _ ratio: Double?, isVersus: Bool) -> [String] {
    func number(_ value: Double?, _ digits: Int = 1) -> String {
      value.map { Format.fixed($0, digits) } ?? "-"
    }
    let error = result.maximumRelativeError.map { Format.scientific($0) } ?? "-"
    var row = [
      result.operation, result.name == result.shape ? "" : result.name, result.shape,
      result.pass.rawValue, number(result.timing.map { $0.median * 1e6 }),
      number(result.timing.map { $0.percentile95 * 1e6 }), number(result.gflops),
      number(result.gbs), result.hasNoRoof ? "-" : number(result.percentOfRoof),
      result.hasNoRoof ? "cache" : result.bound?.rawValue ?? "-",
      result.status == .passed ? error : result.status.rawValue.uppercased(),
    ]
    if showsTypes { row.insert(result.dataType.rawValue, at: 4) }
    if isVersus { row.append(number(ratio, 2)) }
    return row + [result.implementation]
  }

  private func summary(_ report: KernelReport) -> String {
    var lines: [String] = []
    if !report.isComplete {
      lines.append("interrupted after \(report.results.count) of \(plannedCount) passes")
    }
    let measured = report.context.peaks
    for (type, peaks) in measured where peaks.samples.count > 1 {
      func range(_ range: ClosedRange<Double>) -> String {
        "\(Format.fixed(range.lowerBound, 1)) to \(Format.fixed(range.upperBound, 1))"
      }
      let name = measured.count > 1 ? "peak of \(type.rawValue)" : "peak"
      lines.append(
        "\(name), measured \(peaks.samples.count) times: \(range(peaks.gflops)) GFLOP/s, "
          + "\(range(peaks.gbs)) GB/s; the means below are of the highest, a row above of the "
          + "highest until then")
    }
    for kind in BenchmarkCase.Kind.allCases {
      for type in DataType.measured {
        guard let mean = report.meanPercentOfRoof(kind, type) else { continue }
        lines.append(
          "\(kind.rawValue)\(showsTypes ? " \(type.rawValue)" : ""): \(Format.fixed(mean.value, 1)) % of "
            + "the roofline over \(mean.count) passes, geometric mean")
      }
    }
    let cached = report.results.filter(\.hasNoRoof).count
    if cached > 0 {
      lines.append(
        "cache: \(cached) passes keep their data in the last level of cache "
          + "(\(Format.bytes(report.context.info.cacheByteCount))), and memory's roof does not hold"
      )
    }
    if let versus = report.versus, let mean = report.meanRatio {
      lines.append(
        "\(Format.fixed(mean.value, 2)) times as fast as \(versus) over \(mean.count) passes, "
          + "geometric mean")
    }
    for result in report.results where result.status != .passed {
      lines.append(
        "\(result.status.rawValue): \(result.operation) \(result.name) \(result.pass.rawValue): "
          + (result.message ?? ""))
    }
    return lines.joined(separator: format == .markdown ? "  \n" : "\n")
  }
}

extension KernelResult {
  /// A line while others are still being measured.
  fileprivate var progress: String {
    "\(operation) \(name) \(pass.rawValue): "
      + (timing.map { "\(Format.fixed($0.median * 1e6, 1)) µs" } ?? status.rawValue)
  }
}

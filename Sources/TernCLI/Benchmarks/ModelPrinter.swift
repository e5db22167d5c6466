import Synchronization
import Tern
import TernBenchmark
import TernConformance

/// Prints how fast networks train as they are measured, in any format.
final class ModelPrinter: Sendable {
  private let context: BenchmarkContext
  private let format: OutputFormat
  /// How many networks are to be measured.
  private let plannedCount: Int
  /// What was measured, and whether the last word is spoken: by whoever comes first, the measurement
  /// that is through or the signal that ends it.
  private let state = Mutex<(results: [JSON], peak: DevicePeak?, hasEnded: Bool)>(([], nil, false))

  private static let layout = [
    RowLayout.Column("NAME", width: 16), .init("BATCH", isNumeric: true),
    .init("img/s", width: 9, isNumeric: true), .init("ms", width: 9, isNumeric: true),
    .init("LEAST", width: 9, isNumeric: true), .init("P95", width: 9, isNumeric: true),
    .init("PLAN", width: 10, isNumeric: true), .init("RESIDENT", width: 10, isNumeric: true),
    .init("HOST µs", isNumeric: true),
  ]
  private let rows = RowLayout(columns: ModelPrinter.layout, isMarkdown: true)

  init(_ context: BenchmarkContext, count: Int, format: OutputFormat) {
    self.context = context
    self.format = format
    plannedCount = count
    switch format {
    case .table, .json: break
    case .csv: Output.result(CSVRow.header(ModelBenchmark.Result.fields))
    case .markdown:
      Output.result("\(context.info.id) (\(context.info.name)), driver \(context.info.driver)\n")
      Output.result(rows.header)
    }
  }

  /// Prints a result, where the format has rows.
  func append(_ result: ModelBenchmark.Result, isVerbose: Bool) {
    state.withLock { state in
      guard !state.hasEnded else { return }
      let json = result.json(context.options.precision)
      state.results.append(json)
      state.peak = state.peak ?? result.peak
      switch format {
      case .table: Output.result(text(result, isVerbose: isVerbose))
      case .markdown: Output.result(rows.row(cells(result)))
      case .csv: Output.result(CSVRow.text(json, fields: ModelBenchmark.Result.fields))
      case .json:
        Output.progress(
          "\(result.name): \(Format.fixed(result.timing.median * 1e3, 3)) ms a step, "
            + "\(state.results.count) of \(plannedCount)")
      }
    }
  }

  /// Prints the whole object, where the format is one; once.
  ///
  /// - Returns: it, whatever the format.
  @discardableResult
  func end(isComplete: Bool = false) -> JSON {
    state.withLock { state in
      var context = context
      context.peaks =
        state.peak.map { [(context.options.precision.storedType, PeakSeries($0))] } ?? []
      let report = JSON.object([
        "context": context.json, "complete": .bool(isComplete), "results": .array(state.results),
      ])
      if state.hasEnded { return report }
      state.hasEnded = true
      if format == .json { Output.result(report) }
      if !isComplete {
        Output.progress("interrupted after \(state.results.count) of \(plannedCount) networks")
      }
      return report
    }
  }

  private func cells(_ result: ModelBenchmark.Result) -> [String] {
    let timing = result.timing
    return [
      result.name, "\(result.batchSize)", Format.fixed(result.imagesPerSecond, 1),
      Format.fixed(timing.median * 1e3, 3), Format.fixed(timing.least * 1e3, 3),
      Format.fixed(timing.percentile95 * 1e3, 3), Format.bytes(result.planByteCount),
      Format.bytes(result.peakRSSByteCount), Format.fixed(result.hostOverheadSeconds * 1e6, 0),
    ]
  }

  private func text(_ result: ModelBenchmark.Result, isVerbose: Bool) -> String {
    let timing = result.timing
    let overhead = 100 * result.hostOverheadSeconds / timing.median
    let summary = """
      \(result.name.visible) at batch size \(result.batchSize) on \(context.info.id) (\(context.info.name))
      \(Format.count(result.imagesPerSecond)) images/s, step \
      \(Format.fixed(timing.median * 1e3, 3)) ms median, \
      \(Format.fixed(timing.least * 1e3, 3)) ms least, \
      \(Format.fixed(timing.percentile95 * 1e3, 3)) ms at 95%
      first step after \(Format.fixed(result.setupSeconds, 1)) s, \
      \(Format.count(Double(result.plan.launchCount))) launches per step, \
      plan \(Format.bytes(result.planByteCount)), \
      peak resident \(Format.bytes(result.peakRSSByteCount)), \
      host overhead \(Format.count(result.hostOverheadSeconds * 1e6)) µs per step \
      (\(Format.fixed(overhead, 1)) %)
      """
    let words = summary + (result.recomputation.map { "\n" + $0 } ?? "")
    guard isVerbose, let peak = result.peak else { return words }
    return [words, result.plan.text, operations(result, peak)].joined(separator: "\n")
  }

  /// The heaviest operations of a step.
  private func operations(_ result: ModelBenchmark.Result, _ peak: DevicePeak) -> String {
    let total = result.operations.reduce(0) { $0 + $1.seconds }
    // Memory's roof does not hold for what never leaves the last level of cache.
    let isCached = result.planByteCount <= context.info.cacheByteCount
    var table = Table(
      ["OPERATION", "IMPLEMENTATION", "NODES", "µs", "% STEP", "GFLOP/s", "GB/s", "% ROOF"],
      numeric: [2, 3, 4, 5, 6, 7])
    for entry in result.operations.prefix(12) {
      table.append([
        entry.operation, entry.implementation, "\(entry.nodeCount)",
        Format.fixed(entry.seconds * 1e6, 1),
        Format.fixed(100 * entry.seconds / total, 1),
        Format.fixed(Double(entry.cost.flops) / entry.seconds / 1e9, 1),
        Format.fixed(Double(entry.cost.bytes) / entry.seconds / 1e9, 1),
        isCached && peak.memorySeconds(entry.cost) > peak.computeSeconds(entry.cost)
          ? "cache" : Format.fixed(100 * entry.roofSeconds / entry.seconds, 1),
      ])
    }
    let roof = result.operations.reduce(0) { $0 + $1.roofSeconds }
    let remark =
      isCached
      ? "\ncache: the step fits the last level of cache, \(Format.bytes(context.info.cacheByteCount))"
      : ""
    return """
      \(table.text)\(remark)
      all nodes: \(Format.fixed(100 * roof / total, 1)) % of the roofline (peak, measured: \
      \(Format.fixed(peak.gflops, 1)) GFLOP/s, \(Format.fixed(peak.gbs, 1)) GB/s)
      """ + convolutions(result, peak, total)
  }

  /// What the convolutions take together, and how fast they are beside a matrix product.
  private func convolutions(
    _ result: ModelBenchmark.Result, _ peak: DevicePeak, _ total: Double
  ) -> String {
    let all = result.operations.filter { $0.operation.hasPrefix("conv") }
    if all.isEmpty { return "" }
    // oneDNN abbreviates its name.
    let winograd = all.filter { $0.implementation.contains("wino") }
    let others = all.filter { !$0.implementation.contains("wino") }
    let speeds = [("Winograd", winograd), ("others", others)].filter { !$0.1.isEmpty }.map {
      let seconds = $0.1.reduce(0) { $0 + $1.seconds }
      let flops = $0.1.reduce(0) { $0 + $1.cost.flops }
      return "\($0.0) \(Format.fixed(Double(flops) / seconds / peak.gflops / 1e7, 1)) %"
    }
    let share = all.reduce(0) { $0 + $1.seconds } / total
    return """

      convolutions: \(Format.fixed(100 * share, 1)) % of the step, at these parts of the peak: \
      \(speeds.joined(separator: ", "))
      """
  }
}

extension ModelBenchmark.Result {
  fileprivate func json(_ precision: Precision) -> JSON {
    .object([
      "name": .string(name), "batch_size": .int(batchSize),
      "precision": .string(precision.rawValue),
      "images_per_second": .double(imagesPerSecond),
      "step_ms": .object([
        "min": .double(timing.least * 1e3), "median": .double(timing.median * 1e3),
        "p95": .double(timing.percentile95 * 1e3),
      ]),
      "peak_rss_bytes": .int(peakRSSByteCount), "plan_bytes": .int(planByteCount),
      "setup_seconds": .double(setupSeconds), "launches": .int(plan.launchCount),
      "host_overhead_us": .double(hostOverheadSeconds * 1e6),
    ])
  }

  /// The members of ``json(_:)`` one by one.
  fileprivate static let fields = [
    "name", "batch_size", "precision", "images_per_second", "step_ms.min", "step_ms.median",
    "step_ms.p95", "peak_rss_bytes", "plan_bytes", "setup_seconds", "launches",
    "host_overhead_us",
  ]
}

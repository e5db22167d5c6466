import ArgumentParser
import Foundation
import Tern
import TernConformance

struct BenchModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Time whole training steps of networks on synthetic data.",
    discussion: """
      Several networks are measured one after the other in one process; the resident memory is then
      the peak of all so far.

      Example:
        tern bench model lenet5 --batch-size 64 --device cpu --verbose
        tern bench model lenet5 resnet18 --compare base.json --threshold 10%
      """)

  @Argument(help: "Models' names (see 'tern models') or model files (.yaml).")
  var models: [String]
  @Option(help: "Samples per step.")
  var batchSize = 64
  @OptionGroup var device: DeviceArguments
  @Option(help: "How long to measure each.")
  var seconds = 3.0
  @Option(
    help: ArgumentHelp(
      "Write the time of every node in Chrome's trace format, with % of the roofline.",
      valueName: "file"))
  var profile: String?
  @Flag(name: .shortAndLong, help: "Print the heaviest operations and what of the peak they reach.")
  var verbose = false
  @OptionGroup var comparison: ComparisonOptions
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    guard (1...1_000_000).contains(batchSize) else {
      throw TernError(.usage, "batch-size: expected 1 to 1000000, got \(batchSize)")
    }
    try Bench.check(seconds: seconds)
    let threshold = try comparison.threshold()
    let networks = try models.map { try Model.named($0) }
    let device = try device.open()
    var results: [ModelBenchmark.Result] = []
    for network in networks {
      let result = try ModelBenchmark(model: network, batchSize: batchSize)
        .run(on: device, seconds: seconds, measuresNodes: verbose || profile != nil)
      if !json { Output.result(text(result, on: device.info)) }
      results.append(result)
    }
    if let profile { try write(.array(results.flatMap(\.trace)), to: profile) }
    let report = JSON.object([
      "context": BenchmarkContext(device.info, results.first?.peak).json,
      "results": .array(results.map(\.json)),
    ])
    if json { Output.result(report.description) }
    if let threshold, let base = comparison.compare {
      try Regressions.report(
        BenchmarkComparison(report, base: base, threshold: threshold), json: json)
    }
  }

  private func write(_ json: JSON, to path: String) throws {
    do {
      try Data(json.description.utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      throw TernError(.cannotWrite, "\(path): \(error.localizedDescription)")
    }
  }

  private func text(
    _ result: ModelBenchmark.Result, on info: DeviceInfo
  ) -> String {
    let timing = result.timing
    let overhead = 100 * result.hostOverheadSeconds / timing.median
    let summary = """
      \(result.name) at batch size \(batchSize) on \(info.id) (\(info.name))
      \(Format.count(result.imagesPerSecond)) images/s, step \
      \(Format.fixed(timing.median * 1e3, 3)) ms median, \
      \(Format.fixed(timing.samples[0] * 1e3, 3)) ms least, \
      \(Format.fixed(timing.percentile95 * 1e3, 3)) ms at 95%
      plan \(Format.bytes(result.planByteCount)), \
      peak resident \(Format.bytes(result.peakRSSByteCount)), \
      host overhead \(Format.count(result.hostOverheadSeconds * 1e6)) µs per step \
      (\(Format.fixed(overhead, 1)) %)
      """
    guard verbose, let peak = result.peak else { return summary }
    return summary + "\n" + operations(result, peak)
  }

  /// The heaviest operations of a step.
  private func operations(_ result: ModelBenchmark.Result, _ peak: DevicePeak) -> String {
    let total = result.operations.reduce(0) { $0 + $1.seconds }
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
        Format.fixed(100 * entry.roofSeconds / entry.seconds, 1),
      ])
    }
    let roof = result.operations.reduce(0) { $0 + $1.roofSeconds }
    return """
      \(table.text)
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
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "batch_size": .int(batchSize),
      "images_per_second": .double(imagesPerSecond),
      "step_ms": .object([
        "min": .double(timing.samples[0] * 1e3), "median": .double(timing.median * 1e3),
        "p95": .double(timing.percentile95 * 1e3),
      ]),
      "peak_rss_bytes": .int(peakRSSByteCount), "plan_bytes": .int(planByteCount),
      "host_overhead_us": .double(hostOverheadSeconds * 1e6),
    ])
  }
}

import ArgumentParser
import Foundation
import Tern

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast single operations run, and how fast networks train.",
    discussion: """
      Example:
        tern bench conv --suite resnet50 --device opencl
        tern bench model lenet5 --batch-size 64
      """,
    subcommands: [BenchAll.self, BenchOps.self, BenchGemm.self, BenchConv.self, BenchModel.self],
    defaultSubcommand: BenchAll.self)

  /// - Throws: ``TernError`` of kind `usage` where `--seconds` makes no sense.
  static func check(seconds: Double) throws {
    guard seconds > 0, seconds <= 3600 else {
      throw TernError(.usage, "seconds: expected 0 to 3600, got \(seconds)")
    }
  }
}

struct BenchModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Time whole training steps of a network on synthetic data.",
    discussion: """
      Example:
        tern bench model lenet5 --batch-size 64 --device cpu
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String
  @Option(help: "Samples per step.")
  var batchSize = 64
  @OptionGroup var device: DeviceArguments
  @Option(help: "How long to measure.")
  var seconds = 3.0
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    guard batchSize >= 1 else {
      throw TernError(.usage, "batch-size: expected at least 1, got \(batchSize)")
    }
    try Bench.check(seconds: seconds)
    let device = try device.open()
    let result = try ModelBenchmark(model: try Model.named(model), batchSize: batchSize)
      .run(on: device, seconds: seconds)
    if json {
      Output.result(
        JSON.object([
          "context": .object([
            "device": .string(device.info.id), "name": .string(device.info.name),
            "driver": .string(device.info.driver),
            "date": .string(Date.now.formatted(.iso8601)),
          ]),
          "results": .array([result.json]),
        ]).description)
      return
    }
    Output.result(
      """
      \(result.name) at batch size \(batchSize) on \(device.info.id) (\(device.info.name))
      \(Format.count(result.imagesPerSecond)) images/s, step \
      \(Format.fixed(result.medianSeconds * 1e3, 3)) ms median, \
      \(Format.fixed(result.stepSeconds[0] * 1e3, 3)) ms least, \
      \(Format.fixed(result.percentile95Seconds * 1e3, 3)) ms at 95%
      plan \(Format.bytes(result.planByteCount)), \
      peak resident \(Format.bytes(result.peakRSSByteCount)), \
      host overhead \(Format.count(result.hostOverheadSeconds * 1e6)) µs per step
      """)
  }
}

extension ModelBenchmark.Result {
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "batch_size": .int(batchSize),
      "images_per_second": .double(imagesPerSecond),
      "step_ms": .object([
        "min": .double(stepSeconds[0] * 1e3), "median": .double(medianSeconds * 1e3),
        "p95": .double(percentile95Seconds * 1e3),
      ]),
      "peak_rss_bytes": .int(peakRSSByteCount), "plan_bytes": .int(planByteCount),
      "host_overhead_us": .double(hostOverheadSeconds * 1e6),
    ])
  }
}

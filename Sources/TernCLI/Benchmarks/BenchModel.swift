import ArgumentParser
import Foundation
import Tern
import TernBenchmark
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
        tern bench model resnet50 --device opencl/many-threads/compute-units=132 --plan plan.json
        tern bench model lenet5 resnet18 --compare base.json --threshold 10%
      """)

  @Argument(help: "Models' names (see 'tern models') or model files (.yaml).")
  var models: [String]
  @Option(help: "Samples per step.")
  var batchSize = 64
  @OptionGroup var device: DeviceArguments
  @Option(
    help: ArgumentHelp(
      "The most memory that a step takes, such as 2GiB: values that do not fit are computed again. (default: what the device has)",
      valueName: "SIZE"))
  var memory: String?
  @Option(help: "The optimizer: \(Optimizer.names.joined(separator: ", ")).")
  var optimizer = "sgd"
  @Option(help: "Scale gradients down to at most this norm. (default: none)")
  var clipGrad: Double?
  @Option(
    help: ArgumentHelp(
      "Keep a moving average of the weights, such as 0.999. (default: none)", valueName: "decay"))
  var ema: Double?
  @Option(help: "How long to measure each.")
  var seconds = 3.0
  @Option(
    help: ArgumentHelp(
      "Write the time of every node in Chrome's trace format, with % of the roofline.",
      valueName: "file"))
  var profile: String?
  @Option(
    help: ArgumentHelp(
      "Write how the device would run each node, as JSON, and run nothing.", valueName: "file"))
  var plan: String?
  @Flag(name: .shortAndLong, help: "Print the heaviest operations and what of the peak they reach.")
  var verbose = false
  @OptionGroup var comparison: ComparisonOptions
  @OptionGroup var output: FormatOptions

  func run() throws {
    guard (1...1_000_000).contains(batchSize) else {
      throw TernError(.usage, "batch-size: expected 1 to 1000000, got \(batchSize)")
    }
    try Bench.check(seconds: seconds)
    let limit = try memory.map {
      guard let size = ByteCount.parse($0) else {
        throw TernError(.usage, "memory: expected a size such as 2GiB, got '\($0)'")
      }
      return size
    }
    for path in [profile, plan].compactMap({ $0 }) { try AtomicFile.check(path) }
    let format = try output.chosen()
    let comparison = try comparison.base()
    let networks = try models.map { try Model.named($0) }
    let update = try update()
    let device = try device.open()
    if let plan {
      let described = try networks.map {
        try PlanReport(of: $0, batchSize: batchSize, update: update, on: device)
      }
      return try write(.object(["models": .array(described.map(\.json))]), path: plan)
    }
    let context = BenchmarkContext(
      device, samples: .object(["seconds": .double(seconds)]), commit: Build.commit)
    try comparison?.base.check(
      context.json,
      measuring: networks.map {
        BenchmarkBase.modelName(update.benchmarkName(of: $0), batchSize: batchSize)
      })
    let printer = ModelPrinter(context, count: networks.count, format: format)
    EarlyEnd.install { printer.end() }
    var trace: [JSON] = []
    for network in networks {
      let result = try ModelBenchmark(
        model: network, batchSize: batchSize, memoryLimit: limit, update: update
      ).run(on: device, seconds: seconds, measuresNodes: verbose || profile != nil)
      trace += result.trace
      printer.append(result, isVerbose: verbose)
    }
    if let profile { try write(.array(trace), path: profile) }
    let report = printer.end(isComplete: true)
    if let (base, threshold) = comparison {
      try Regressions.report(
        BenchmarkComparison(report, base: base, threshold: threshold), format)
    }
  }

  /// What becomes of the gradients in a step.
  private func update() throws -> ParameterUpdate {
    var attributes = Attributes(
      "optimizer", optimizer == "sgd" ? ["momentum": .double(0.9)] : [:])
    var update = ParameterUpdate(try Optimizer(optimizer, &attributes), clipNorm: clipGrad)
    guard clipGrad.map({ $0 > 0 && $0.isFinite }) ?? true else {
      throw TernError(.usage, "clip-grad: expected a number above 0, got \(clipGrad!)")
    }
    guard ema.map({ $0 > 0 && $0 < 1 }) ?? true else {
      throw TernError(.usage, "ema: expected above 0, below 1, got \(ema!)")
    }
    update.keepsAverage = ema != nil
    return update
  }

  private func write(_ json: JSON, path: String) throws {
    try AtomicFile.write(Data((json.description + "\n").utf8), to: path)
  }
}

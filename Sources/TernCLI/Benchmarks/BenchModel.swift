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
    let device = try device.open()
    if let plan {
      let described = try networks.map { try PlanReport(of: $0, batchSize: batchSize, on: device) }
      return try write(.object(["models": .array(described.map(\.json))]), path: plan)
    }
    let context = BenchmarkContext(
      device, samples: .object(["seconds": .double(seconds)]), commit: Build.commit)
    try comparison?.base.check(
      context.json,
      measuring: networks.map { BenchmarkBase.modelName($0.name, batchSize: batchSize) })
    let printer = ModelPrinter(context, count: networks.count, format: format)
    EarlyEnd.install { printer.end() }
    var trace: [JSON] = []
    for network in networks {
      let result = try ModelBenchmark(model: network, batchSize: batchSize, memoryLimit: limit)
        .run(on: device, seconds: seconds, measuresNodes: verbose || profile != nil)
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

  private func write(_ json: JSON, path: String) throws {
    try AtomicFile.write(Data((json.description + "\n").utf8), to: path)
  }
}

import ArgumentParser
import Tern
import TernConformance

/// The flags of the benchmarks of single operations.
struct KernelOptions: ParsableArguments {
  @Option(
    help: """
      A suite: \(BenchmarkSuite.embeddedNames.joined(separator: ", ")), or a file. \
      (default: conv, gemm, ops)
      """)
  var suite: String?
  @OptionGroup var device: DeviceArguments
  @Option(
    name: .customLong("pass"),
    help: "Only this pass: \(BenchmarkPass.allCases.map(\.rawValue).joined(separator: ", ")).")
  var onlyPass: BenchmarkPass?
  @Option(help: "Only cases whose operation or name contains this.")
  var filter: String?
  @Option(help: "Samples per convolution and linear layer, in place of the suite's.")
  var batchSize: Int?
  @Option(help: "How long to measure each pass.")
  var seconds = 0.5
  @Option(help: "How often to run each pass, in place of --seconds.")
  var iterations: Int?
  @Option(
    help: """
      Also measure with another --algorithm, alternating, and print how much faster the first is. \
      (default: none)
      """)
  var versus: ConvolutionAlgorithm?
  @OptionGroup var comparison: ComparisonOptions
  @Flag(help: "Print one JSON object.")
  var json = false

  /// - Throws: ``TernError`` of kind `usage`.
  func check() throws {
    try Bench.check(seconds: seconds)
    if let batchSize, batchSize < 1 {
      throw TernError(.usage, "batch-size: expected at least 1, got \(batchSize)")
    }
    if let iterations, iterations < 1 || iterations > 1_000_000 {
      throw TernError(.usage, "iterations: expected 1 to 1000000, got \(iterations)")
    }
  }
}

extension BenchmarkPass: ExpressibleByArgument {}

struct BenchOps: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ops",
    abstract: "Time single operations that are neither convolutions nor matrix products.",
    discussion: """
      Example:
        tern bench ops --filter pool --device opencl
      """)
  @OptionGroup var options: KernelOptions
  func run() throws { try KernelBench(options, kinds: [.ops]).run() }
}

struct BenchGemm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gemm",
    abstract: "Time matrix products, forward and backward.",
    discussion: """
      Example:
        tern bench gemm --suite shapes.json --json > base.json
        tern bench gemm --suite shapes.json --compare base.json --threshold 10%
      """)
  @OptionGroup var options: KernelOptions
  func run() throws { try KernelBench(options, kinds: [.gemm]).run() }
}

struct BenchConv: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conv",
    abstract: "Time convolutions: forward, data gradients and weight gradients.",
    discussion: """
      Example:
        tern bench conv --suite resnet50 --device opencl --versus im2col --batch-size 8
      """)
  @OptionGroup var options: KernelOptions
  func run() throws { try KernelBench(options, kinds: [.conv]).run() }
}

struct BenchAll: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "all",
    abstract: "Time convolutions, matrix products and all other operations.",
    discussion: """
      Example:
        tern bench --suite lenet5 --device cpu
      """)
  @OptionGroup var options: KernelOptions
  func run() throws { try KernelBench(options, kinds: [.conv, .gemm, .ops]).run() }
}

/// Runs suites and prints what they give.
private struct KernelBench {
  private let options: KernelOptions
  private let kinds: [BenchmarkCase.Kind]

  init(_ options: KernelOptions, kinds: [BenchmarkCase.Kind]) {
    self.options = options
    self.kinds = kinds
  }

  func run() throws {
    try options.check()
    let cases = try selectedCases()
    let threshold = try options.comparison.threshold()
    let device = try options.device.open()
    Output.progress("\(device.info.id) (\(device.info.name)): measuring its peak")
    let benchmark = try makeBenchmark(device)
    let versus = try options.versus.map { algorithm in
      try makeBenchmark(try options.device.open(algorithm: algorithm), peak: benchmark)
    }
    let context = BenchmarkContext(device.info, benchmark.peak)
    if !options.json { printHeader(benchmark) }

    var report = KernelReport(context: context, versus: options.versus?.rawValue)
    for testCase in cases {
      for pass in testCase.passes where options.onlyPass == nil || options.onlyPass == pass {
        let (result, other) =
          versus.map { benchmark.run(testCase, pass, alternatingWith: $0) }
          ?? (benchmark.run(testCase, pass), nil)
        report.append(result, other)
        Output.progress(result.progress)
      }
    }
    if options.json {
      Output.result(report.json.description)
    } else {
      Output.result(KernelTable(report).text)
    }
    if let threshold, let base = options.comparison.compare {
      try Regressions.report(
        BenchmarkComparison(report.json, base: base, threshold: threshold), json: options.json)
    }
    let faults = report.results.filter { $0.status != .passed }
    if !faults.isEmpty {
      throw TernError(
        .runtime, "\(faults.count) of \(report.results.count) cases did not compute what they must")
    }
  }

  private func makeBenchmark(_ device: any Device, peak: KernelBenchmark? = nil) throws
    -> KernelBenchmark
  {
    var benchmark =
      try peak.map { KernelBenchmark($0, on: device) } ?? KernelBenchmark(device: device)
    benchmark.seconds = options.seconds
    benchmark.iterations = options.iterations
    return benchmark
  }

  private func selectedCases() throws -> [BenchmarkCase] {
    let suites = try (options.suite.map { [$0] } ?? kinds.map(\.rawValue)).map {
      try BenchmarkSuite($0, batchSize: options.batchSize)
    }
    let selected = suites.flatMap(\.cases).filter { testCase in
      kinds.contains(testCase.kind)
        && (options.filter.map { testCase.operation.contains($0) || testCase.name.contains($0) }
          ?? true)
    }
    guard !selected.isEmpty else {
      throw TernError(
        .usage,
        "no case of \(suites.map(\.name).joined(separator: ", ")) is left: "
          + "\(kinds.map(\.rawValue).joined(separator: ", "))"
          + (options.filter.map { ", filter '\($0)'" } ?? ""))
    }
    return selected
  }

  private func printHeader(_ benchmark: KernelBenchmark) {
    let (info, peak) = (benchmark.device.info, benchmark.peak)
    Output.result(
      """
      \(info.id) (\(info.name)), driver \(info.driver)
      peak, measured: \(Format.fixed(peak.gflops, 1)) GFLOP/s, \
      \(Format.fixed(peak.gbs, 1)) GB/s; an empty step takes \
      \(Format.fixed(benchmark.launchSeconds * 1e6, 1)) µs

      """)
  }
}

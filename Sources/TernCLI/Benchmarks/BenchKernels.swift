import ArgumentParser
import Tern
import TernBenchmark
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
    help: ArgumentHelp(
      """
      Measure each pass in each of these types that it can be stored in: \
      \(DataType.measured.map(\.rawValue).joined(separator: ", ")). (default: as --precision says)
      """, valueName: "TYPE,TYPE"))
  var dtype: MeasuredTypes?
  @Option(
    name: .customLong("pass"),
    help: "Only this pass: \(BenchmarkPass.allCases.map(\.rawValue).joined(separator: ", ")).")
  var onlyPass: BenchmarkPass?
  @Option(help: "Only cases whose operation or name contains this.")
  var filter: String?
  @Option(help: "Samples per convolution and linear layer, in place of the suite's.")
  var batchSize: Int?
  @Option(
    help: """
      How long to measure each pass; one that takes a quarter of it or less is run three times at \
      least, any other once.
      """)
  var seconds = KernelBenchmark.standardSeconds
  @Option(help: "How often to run each pass, in place of --seconds.")
  var iterations: Int?
  @Option(
    help: """
      Also measure with another --algorithm, alternating, and print how much faster the first is. \
      (default: none)
      """)
  var versus: ConvolutionAlgorithm?
  @Option(
    help: ArgumentHelp(
      """
      What results are held against, such as a data sheet's numbers, in 10^9 operations and 10^9 bytes \
      per second. (default: measured, for some seconds)
      """, valueName: "GFLOPS,GBS"))
  var peak: PeakArgument?
  @OptionGroup var comparison: ComparisonOptions
  @OptionGroup var output: FormatOptions

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

  /// How often each pass is measured, as results say it.
  fileprivate var samples: JSON {
    iterations.map { .object(["iterations": .int($0)]) } ?? .object(["seconds": .double(seconds)])
  }

  /// Runs the cases of suites.
  func run(_ kinds: [BenchmarkCase.Kind]) throws {
    try KernelBench(self, try cases(of: kinds)).run()
  }

  /// Runs the one case that the command line has, or else suites.
  ///
  /// - Parameter shape: the words that give it.
  func run(
    _ kind: BenchmarkCase.Kind, shape: [String], _ read: ([String]) throws -> BenchmarkCase
  ) throws {
    guard !shape.isEmpty else { return try run([kind]) }
    if suite != nil {
      throw TernError(.usage, "suite: give a shape or --suite, not both")
    }
    try KernelBench(self, [try read(shape)]).run()
  }

  private func cases(of kinds: [BenchmarkCase.Kind]) throws -> [BenchmarkCase] {
    try (suite.map { [$0] } ?? kinds.map(\.rawValue)).flatMap {
      try BenchmarkSuite($0, batchSize: batchSize).cases
    }.filter { kinds.contains($0.kind) }
  }

  /// The passes of cases that the flags let through.
  ///
  /// - Throws: ``TernError`` of kind `usage` where none is left.
  fileprivate func work(
    _ cases: [BenchmarkCase]
  ) throws -> [(testCase: BenchmarkCase, pass: BenchmarkPass)] {
    let work = cases.filter { testCase in
      filter.map { testCase.operation.contains($0) || testCase.name.contains($0) } ?? true
    }.flatMap { testCase in
      testCase.passes.filter { onlyPass == nil || onlyPass == $0 }.map { (testCase, $0) }
    }
    guard !work.isEmpty else {
      throw TernError(
        .usage,
        "no case\(suite.map { " of \($0)" } ?? "") is left"
          + (filter.map { ", filter '\($0)'" } ?? "")
          + (onlyPass.map { ", pass \($0.rawValue)" } ?? ""))
    }
    return work
  }
}

extension BenchmarkPass: ExpressibleByArgument {}

struct BenchOps: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ops",
    abstract: "Time single operations that are neither convolutions nor matrix products.",
    discussion: """
      An operation on the command line has the keys of a case in a suite, such as input=256,1000; a \
      value without a key is the shape of the next input, and 32,128:1000 are whole numbers below \
      1000 in that shape.

      Examples:
        tern bench ops --filter pool --device opencl
        tern bench ops softmax 256,1000 dim=1
        tern bench ops embedding 32,128:30000 30000,512
        tern bench ops optimizer.adam 1000000 lr=0.001
      """)
  @Argument(
    help: ArgumentHelp(
      "An operation and its inputs, in place of a suite.", valueName: "OP KEY=VALUE"))
  var shape: [String] = []
  @OptionGroup var options: KernelOptions
  func run() throws { try options.run(.ops, shape: shape, ShapeArguments.operation) }
}

struct BenchGemm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gemm",
    abstract: "Time matrix products, forward and backward.",
    discussion: """
      Examples:
        tern bench gemm 512 512 512
        tern bench gemm 1760x16x1760 --device opencl
        tern bench gemm --suite shapes.json --json > base.json
        tern bench gemm --suite shapes.json --compare base.json --threshold 10%
      """)
  @Argument(
    help: ArgumentHelp(
      """
      One product in place of a suite: M N K, of [M, K] by [K, N]; N alone for squares, \
      BATCH M N K for many.
      """, valueName: "M N K"))
  var shape: [String] = []
  @OptionGroup var options: KernelOptions
  func run() throws { try options.run(.gemm, shape: shape, ShapeArguments.product) }
}

struct BenchConv: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conv",
    abstract: "Time convolutions: forward, data gradients and weight gradients.",
    discussion: """
      Examples:
        tern bench conv 32,64,56,56 128 3 --stride 2 --padding 1
        tern bench conv --suite resnet50 --device opencl --versus im2col --batch-size 8
      """)
  @Argument(
    help: ArgumentHelp(
      "One convolution in place of a suite: the input, output channels, and the kernel (3 or 3x5).",
      valueName: "N,C,H,W OUT KERNEL"))
  var shape: [String] = []
  @Option(
    help: "Of the convolution on the command line, as all that follow: S or SxS. (default: 1)")
  var stride: String?
  @Option(help: "P or PxP. (default: 0)") var padding: String?
  @Option(help: "D or DxD. (default: 1)") var dilation: String?
  @Option(help: "Groups of channels. (default: 1)") var groups: Int?
  @Flag(help: "Add a bias.") var bias = false
  @OptionGroup var options: KernelOptions

  func run() throws {
    var settings: [String: AttributeValue] = [:]
    for (name, text) in [("stride", stride), ("padding", padding), ("dilation", dilation)] {
      if let text { settings[name] = try ShapeArguments.list(text, name: name) }
    }
    if let groups { settings["groups"] = .int(groups) }
    if bias { settings["bias"] = .bool(true) }
    if shape.isEmpty, let given = settings.keys.min() {
      throw TernError(.usage, "\(given): is of a convolution on the command line; give its shape")
    }
    try options.run(.conv, shape: shape) { try ShapeArguments.convolution($0, settings) }
  }
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
  func run() throws { try options.run([.conv, .gemm, .ops]) }
}

/// A pass of a case, and which of the devices measures it, each in a type of its own.
struct KernelWork {
  let testCase: BenchmarkCase
  let pass: BenchmarkPass
  let device: Int
  let type: DataType

  var resultName: String { testCase.resultName(pass, type) }
}

/// Measures cases and prints what they give.
private struct KernelBench {
  private let options: KernelOptions
  private let cases: [BenchmarkCase]
  /// After so many seconds the peak is measured again: a neighbour may come or go.
  private static let peakSeconds = 30.0

  init(_ options: KernelOptions, _ cases: [BenchmarkCase]) throws {
    try options.check()
    self.options = options
    self.cases = cases
  }

  func run() throws {
    let format = try options.output.chosen()
    let passes = try options.work(cases)
    let comparison = try options.comparison.base()
    let devices = try openings.map { try options.device.open($0) }
    let work = passes.flatMap { forms(of: $0.testCase, $0.pass, on: devices) }
    var context = BenchmarkContext(devices[0], samples: options.samples, commit: Build.commit)
    try comparison?.base.check(context.json, measuring: work.map(\.resultName))

    Output.progress(
      "\(devices[0].info.id) (\(devices[0].info.name)): "
        + (options.peak == nil ? "measuring its peak, then " : "") + "\(work.count) passes")
    var benchmarks = try devices.map { try makeBenchmark($0) }
    let versus = try options.versus.map { algorithm in
      try zip(openings, benchmarks).map { opening, benchmark in
        try makeBenchmark(
          try options.device.open {
            opening(&$0)
            $0.algorithm = algorithm
          }, peak: benchmark)
      }
    }
    context.peaks = benchmarks.map { ($0.device.precision.storedType, $0.peaks) }
    let printer = KernelPrinter(
      KernelReport(context: context, versus: options.versus?.rawValue), work: work, format: format)
    EarlyEnd.install { printer.end() }
    printer.begin(benchmarks)
    let clock = ContinuousClock()
    var lastPeak = clock.now
    for work in work {
      if clock.now - lastPeak > .seconds(Self.peakSeconds) {
        for index in benchmarks.indices { try benchmarks[index].measurePeak() }
        lastPeak = clock.now
      }
      let benchmark = benchmarks[work.device]
      let (result, other) =
        versus.map { benchmark.run(work.testCase, work.pass, alternatingWith: $0[work.device]) }
        ?? (benchmark.run(work.testCase, work.pass), nil)
      printer.append(result, other)
    }
    for index in benchmarks.indices { try benchmarks[index].measurePeak() }
    let report = printer.end(benchmarks)
    if let (base, threshold) = comparison {
      try Regressions.report(
        BenchmarkComparison(report.json, base: base, threshold: threshold), format)
    }
    let faults = report.results.filter { $0.status != .passed }
    if !faults.isEmpty {
      throw TernError(
        .runtime, "\(faults.count) of \(report.results.count) cases did not compute what they must")
    }
  }

  /// How the device is opened: once for each type.
  private var openings: [(inout DeviceOptions) -> Void] {
    guard let types = options.dtype?.types else { return [{ _ in }] }
    return types.map { type in
      { options in
        if options.precision.storedType != type { options.precision = type.precision ?? .fp32 }
        options.forcesPrecision = true
      }
    }
  }

  /// A pass in the first type, and in each other that it has a form of.
  private func forms(
    of testCase: BenchmarkCase, _ pass: BenchmarkPass, on devices: [any Device]
  ) -> [KernelWork] {
    devices.enumerated().compactMap { index, device in
      // What has no graph at all is reported where it is measured.
      let type = (try? KernelGraph(testCase, pass, on: device))?.storedType ?? .float32
      guard index == 0 || type == device.precision.storedType else { return nil }
      return KernelWork(testCase: testCase, pass: pass, device: index, type: type)
    }
  }

  private func makeBenchmark(_ device: any Device, peak: KernelBenchmark? = nil) throws
    -> KernelBenchmark
  {
    var benchmark =
      try peak.map { KernelBenchmark($0, on: device) }
      ?? KernelBenchmark(device: device, peak: options.peak?.peak)
    benchmark.seconds = options.seconds
    benchmark.iterations = options.iterations
    return benchmark
  }
}

/// Element types, separated by commas.
struct MeasuredTypes: ExpressibleByArgument {
  let types: [DataType]

  init?(argument: String) {
    let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let types = names.compactMap { name in DataType.measured.first { $0.rawValue == name } }
    guard types.count == names.count, Set(types).count == types.count else { return nil }
    self.types = types
  }
}

/// Two numbers: what a device can compute and what its memory can move.
struct PeakArgument: ExpressibleByArgument {
  let peak: DevicePeak

  init?(argument: String) {
    let numbers = argument.split(separator: ",").compactMap { Double($0) }
    guard numbers.count == 2, numbers.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
    peak = DevicePeak(gflops: numbers[0], gbs: numbers[1])
  }
}

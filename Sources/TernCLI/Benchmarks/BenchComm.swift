import ArgumentParser
import Foundation
import Tern
import TernBenchmark

struct BenchComm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "comm",
    abstract: "Measure how fast processes reach each other, and predict steps of many.",
    discussion: """
      Under mpirun, with two processes at least. Per size: the time one way between the first two, and to add up so \
      much over all as gradients are. From that and the time of a step of one process, which all measure at once, a \
      model says how long steps of 2, 8, 64 and 512 workers take on a network like this one: a prediction, not a \
      measurement.

      Example:
        mpirun -np 2 --bind-to none tern bench comm resnet18 --batch-size 16 --device cpu --threads 1
      """)

  @Argument(help: "The network whose steps are predicted: a model's name or a model file.")
  var model = "resnet18"
  @Option(help: "Samples per step of one worker.")
  var batchSize = 16
  @Option(help: ArgumentHelp("How large a bucket of gradients is.", valueName: "SIZE"))
  var bucket = "4MiB"
  @Option(
    help: ArgumentHelp(
      "Milliseconds that a step of one worker takes. (default: measured)", valueName: "MS"))
  var step: Double?
  @OptionGroup var device: DeviceArguments
  @Option(help: "How long to measure each size, and the step.")
  var seconds = 1.0
  @OptionGroup var output: FormatOptions

  private static let sizes = [8, 1 << 10, 32 << 10, 1 << 20, 4 << 20, 64 << 20]
  private static let workers = [2, 8, 64, 512]

  func run() throws {
    let format = try output.chosen()
    try Bench.check(seconds: seconds)
    guard (1...1_000_000).contains(batchSize) else {
      throw TernError(.usage, "batch-size: expected 1 to 1000000, got \(batchSize)")
    }
    guard let bucket = ByteCount.parse(bucket), bucket >= 1 << 10, bucket <= 1 << 30 else {
      throw TernError(.usage, "bucket: expected 1KiB to 1GiB, got '\(bucket)'")
    }
    guard step ?? 1 > 0 else { throw TernError(.usage, "step: expected more than 0") }
    let network = try Model.named(model)
    guard let group = try Cluster.join(), group.size > 1 else {
      throw TernError(
        .usage, "measures processes that a launcher started: mpirun -np 2 tern bench comm")
    }
    let device = try device.open()
    let bucketByteCount = bucket / 4 * 4
    let sizes = Set(Self.sizes + [bucketByteCount]).sorted()
    let benchmark = CommunicationBenchmark(group, largestByteCount: sizes.last!)
    defer { benchmark.end() }
    // Processes that were started on one core move apart after a while.
    _ = try benchmark.measure(sizes[0], seconds: seconds)
    let results = try sizes.map { try benchmark.measure($0, seconds: seconds) }
    let isMeasured = step == nil
    let computing =
      try step.map { $0 * 1e-3 }
      ?? ModelBenchmark(model: network, batchSize: batchSize).run(on: device, seconds: seconds)
      .timing.median
    // No process leaves while others still measure.
    _ = try group.allGather([0])
    try group.finish()
    guard Cluster.isFirst else { return }
    let fitted = CommunicationModel(
      small: results[0], bucket: results.first { $0.byteCount == bucketByteCount }!,
      workers: group.size)
    let parameters = try TrainingGraph(
      model: network, objective: network.objective(), pass: network.objective().passes[0],
      batchSize: batchSize, update: .init(.sgd(momentum: 0.9)), seed: 0
    ).parameters.filter(\.isTrainable)
    let gradientByteCount = parameters.reduce(0) { $0 + 4 * $1.shape.elementCount }
    let predictions = Set(Self.workers + [group.size]).sorted().map {
      fitted.step(
        workers: $0, gradientByteCount: gradientByteCount, bucketByteCount: bucketByteCount,
        computingSeconds: computing, sharesProcessor: device.info.kind == .cpu)
    }
    if format == .json {
      Output.result(
        .object([
          "context": BenchmarkContext(
            device, samples: .object(["seconds": .double(seconds)]), commit: Build.commit
          ).json, "ranks": .int(group.size), "messages": .array(results.map(\.json)),
          "model": .object([
            "network": .string(network.name), "batch_size": .int(batchSize),
            "gradient_bytes": .int(gradientByteCount), "bucket_bytes": .int(bucketByteCount),
            "step_ms": .double(computing * 1e3), "step_is_measured": .bool(isMeasured),
            "latency_us": .double(fitted.latency * 1e6),
            "ns_per_byte": .double(fitted.secondsPerByte * 1e9),
            "processor_share": .double(fitted.processorShare),
          ]),
          "predictions": .array(predictions.map(\.json)),
          "published": .array(CommunicationModel.published.map(JSON.string)),
        ]))
      return
    }
    if format == .csv {
      let fields = ["bytes", "latency_us", "gbs", "sum_us", "sum_processor_us"]
      Output.result(CSVRow.header(fields))
      for result in results { Output.result(CSVRow.text(result.json, fields: fields)) }
      return
    }
    let layout = RowLayout(
      columns: [
        .init("BYTES", width: 10, isNumeric: true), .init("ONE WAY", width: 10, isNumeric: true),
        .init("GB/s", width: 7, isNumeric: true), .init("SUM", width: 10, isNumeric: true),
        .init("PROCESSOR", width: 10, isNumeric: true),
      ], isMarkdown: format == .markdown)
    Output.result("\(group.size) processes: one way between two, sum over all")
    Output.result(layout.header)
    for result in results {
      Output.result(
        layout.row([
          Format.count(result.byteCount), Format.duration(result.latency),
          Format.fixed(result.bandwidth * 1e-9, 3), Format.duration(result.sumSeconds),
          Format.duration(result.processorSeconds),
        ]))
    }
    Output.result(
      "model, not measured: \(network.name), batch size \(batchSize) a worker, gradients "
        + "\(Format.bytes(gradientByteCount)) in buckets of \(Format.bytes(bucketByteCount)); a step of one "
        + "worker \(Format.duration(computing))\(isMeasured ? ", measured" : ", given")")
    let steps = RowLayout(
      columns: [
        .init("WORKERS", isNumeric: true), .init("SUMS", width: 10, isNumeric: true),
        .init("HIDDEN", isNumeric: true), .init("STEP", width: 10, isNumeric: true),
        .init("EFFICIENCY", isNumeric: true),
      ], isMarkdown: format == .markdown)
    Output.result(steps.header)
    for prediction in predictions {
      Output.result(
        steps.row([
          "\(prediction.workers)", Format.duration(prediction.communicationSeconds),
          "\(Int((100 * prediction.hiddenShare).rounded())) %",
          Format.duration(prediction.stepSeconds), Format.fixed(prediction.efficiency, 3),
        ]))
    }
    for point in CommunicationModel.published { Output.result("published: \(point)") }
  }
}

import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

// What is looked at when something goes wrong, or on request.

extension Trainer {
  /// Names the first tensor that was not finite: goes on from the last checkpoint again, step by step,
  /// looking at the loss and the gradients before each update. Where that finds nothing, or takes too
  /// long, the first parameter that is not finite now; else the loss.
  func divergence() throws -> TernError {
    let end = progress
    defer { progress = end }
    let state = try checkpoint()
    // Where the memory for a second plan is not there, the cause stays unknown.
    if let checkpoint = try? run?.lastCheckpoint(),
      let name = try? firstNonFinite(since: checkpoint, until: end.step)
    {
      return diverged(name)
    }
    progress = end
    let name = parameters.map(\.name).first { !(state.weights[$0]?.isFinite ?? true) }
    return diverged(name.map { "parameter \($0)" } ?? state.firstNonFinite ?? "the loss")
  }

  /// How long the search for the first tensor may take.
  private static let searchLimit = Duration.seconds(60)

  private func firstNonFinite(since checkpoint: Checkpoint, until lastStep: Int) throws -> String? {
    // What this process computes may wait for others, who do not look.
    guard loop.options.statisticsExchange == nil else { return nil }
    try restore(checkpoint)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.searchLimit
    let stage = stage
    let probes = try session.compile(stage.firstGraphs.map { try $0.probeGraph() })
    var found: String?
    func probe(_ pass: Int, _ batch: Batch) throws {
      let hasProbe =
        batches.form(ofBatch: progress.batch).size == batches.form(ofBatch: 0).size
      guard hasProbe, found == nil else { return }
      try loop.upload(batch, number: progress.batch, to: probes[pass], rate: 0)
      try probes[pass].step()
      let values = try [TrainingGraph.lossOutput, TrainingGraph.gradientSquareOutput].map {
        try probes[pass].read($0)
      }
      guard !values.allSatisfy(\.isFinite) else { return }
      found = try firstNonFiniteValue(of: stage.firstGraphs[pass], on: batch)
    }
    if batches.worldSize > 1 {
      // No update is made without the others.
      let loader = data.trainingLoader(
        loop.options, epoch: progress.epoch, startBatch: progress.batch)
      defer { loader.cancel() }
      if let batch = try loader.next() { for pass in probes.indices { try probe(pass, batch) } }
      return found
    }
    try loop.runBatches(until: lastStep, before: probe) { _ in
      found == nil && clock.now < deadline
    }
    return found
  }

  /// What a pass computes first of `batch` that is not finite.
  private func firstNonFiniteValue(of pass: TrainingGraph, on batch: Batch) throws -> String? {
    let (graph, names) = pass.inspectionGraph
    let executable = try session.compile(graph)
    try loop.upload(batch, number: progress.batch, to: executable, rate: 0)
    try executable.step()
    for (index, name) in names.enumerated() where try !executable.read("\(index)").isFinite {
      return name
    }
    return nil
  }

  /// Tells TensorBoard how the parameters, and the gradients of the next batch, are distributed, and the log
  /// how large the weights' gradients are.
  func writeDistributions() throws {
    let executables = stage.gradients
    // Where members compute statistics together, all of them have to.
    let exchange = loop.options.statisticsExchange
    guard !executables.isEmpty, tensorBoard != nil || exchange != nil else { return }
    exchange?.memberCount = batches.tree(ofBatch: 0).leafCount
    let loader = data.trainingLoader(loop.options, epoch: progress.epoch, startBatch: 0)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return }
    let trainable = parameters.filter(\.isTrainable).map(\.name)
    let weights = Set(parameters.filter { $0.isTrainable && $0.shape.rank >= 2 }.map(\.name))
    var magnitudes: [(parameter: String, mean: Double)] = []
    var histograms = try trainable.map { ("parameters/\($0)", try session.read($0).floats) }
    for executable in executables {
      try loop.upload(batch, number: 0, to: executable, rate: 0)
      try executable.step()
      for name in trainable where executable.hasOutput(name) {
        let gradient = try executable.read(name)
        histograms.append(("gradients/\(name)", gradient.floats))
        if weights.contains(name) { magnitudes.append((name, gradient.meanMagnitude)) }
      }
    }
    guard let tensorBoard else { return }
    try emit(.gradients(.init(epoch: progress.epoch, magnitudes: magnitudes)))
    try tensorBoard.append(histograms, step: progress.step)
  }

  /// The same fault, with the largest batch size that would fit.
  static func outOfMemory(
    _ error: TernError, _ configuration: TrainingConfiguration, _ model: Model,
    _ data: TrainingData, _ device: any Device
  ) -> TernError {
    // By all graphs of the run, so that what is proposed is not refused in turn.
    func fits(_ batchSize: Int) -> Bool {
      var configuration = configuration
      configuration.batchSize = batchSize
      guard let stages = try? configuration.stages(of: model, for: data),
        let options = try? configuration.makeOptions(), options.shardSize > 0
      else { return false }
      return StageCompiler(model: model, stages: stages, options: options, data: data).fits(device)
    }
    var (low, high) = (0, configuration.batchSize)
    while high - low > 1 {
      let middle = (low + high) / 2
      if fits(middle) { low = middle } else { high = middle }
    }
    low -= low % (configuration.shards ?? 1)
    let hint =
      low == 0
      ? "not even a batch of 1 fits"
      : "the largest batch that fits is about \(low): \(Setting.flag("batch_size")) \(low)"
    return TernError(
      .outOfMemory, "batch size \(configuration.batchSize): \(error.message); \(hint)")
  }
}

extension HostTensor {
  /// Whether all elements are; integers always.
  var isFinite: Bool {
    if case .float32(let values) = storage { return values.allSatisfy(\.isFinite) }
    return true
  }
}

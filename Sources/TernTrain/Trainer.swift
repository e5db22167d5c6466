import Foundation
import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// Trains a network as a configuration says, on one device.
///
/// All graphs are compiled before the first step; a step then uploads a batch, the learning rate and
/// the step number, and replays. The host reads a loss every ``TrainingConfiguration/logEvery``
/// steps, without waiting for it.
public final class Trainer {
  public let configuration: TrainingConfiguration
  public let model: Model
  private let data: TrainingData
  private let device: any Device
  private let deviceReason: String
  /// Where to write; `nil` writes nothing.
  private var run: RunDirectory?
  private let report: (TrainingEvent) throws -> Void

  private let session: Session
  private let steps: BatchExecutables
  private let evaluations: Evaluator
  private let parameters: [Parameter]
  private let schedule: Schedule
  private var progress = TrainingProgress()

  /// Prepares a run: checks that data and network fit, plans, compiles, and sets the parameters.
  ///
  /// - Parameters:
  ///   - checkpoint: where to go on.
  ///   - report: told what happens.
  public init(
    configuration: TrainingConfiguration, model: Model, data: TrainingData, device: any Device,
    deviceReason: String, checkpoint: Checkpoint? = nil,
    report: @escaping (TrainingEvent) throws -> Void
  ) throws {
    self.configuration = configuration
    self.model = model
    self.data = data
    self.device = device
    self.deviceReason = deviceReason
    self.report = report
    schedule = try configuration.makeSchedule()
    session = Session(device: device)

    let optimizer = try configuration.makeOptimizer()
    let loss = LossFunction(labelSmoothing: configuration.labelSmoothing)
    let stepSizes = BatchExecutables.sizes(
      sampleCount: data.training.count, batchSize: configuration.batchSize)
    let evaluationSizes = Set(
      [data.test, data.validation].compactMap(\.self).flatMap {
        BatchExecutables.sizes(sampleCount: $0.count, batchSize: configuration.batchSize)
      }
    ).sorted(by: >)
    let training = try stepSizes.map {
      try TrainingGraph(
        model: model, batchSize: $0, optimizer: optimizer, seed: configuration.seed, loss: loss,
        clipNorm: configuration.clipGradient)
    }
    let evaluation = try evaluationSizes.map {
      try EvaluationGraph(model: model, batchSize: $0).graph
    }
    parameters = training[0].parameters
    let compiled = try session.compile(training.map(\.graph) + evaluation)
    steps = BatchExecutables(Dictionary(uniqueKeysWithValues: zip(stepSizes, compiled)))
    evaluations = Evaluator(
      executables: BatchExecutables(
        Dictionary(uniqueKeysWithValues: zip(evaluationSizes, compiled.dropFirst(stepSizes.count)))),
      classCount: model.classCount)
    fullStep = compiled[0]

    if let checkpoint {
      try restore(checkpoint)
    } else {
      try initialize()
    }
  }

  /// The plan of a full training step.
  public var trainingPlan: Plan { fullStep.plan }
  private let fullStep: Executable

  private var planByteCount: Int { trainingPlan.peakByteCount }

  public var parameterCount: Int {
    parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  private var stepsPerEpoch: Int {
    (data.training.count + configuration.batchSize - 1) / configuration.batchSize
  }

  private var totalSteps: Int {
    min(configuration.steps ?? .max, configuration.epochs * stepsPerEpoch)
  }

  // MARK: State

  private func initialize() throws {
    for parameter in parameters {
      let value = parameter.initializer.value(
        parameter.shape, name: parameter.name, seed: configuration.seed)
      try session.write([parameter.name: value])
    }
    guard let path = configuration.initialWeights else { return }
    let file = try Safetensors(contentsOf: path)
    for parameter in parameters {
      guard let value = file.tensors[parameter.name] else {
        throw TernError(.badData, "\(path): holds no tensor \(parameter.name)")
      }
      guard value.type == parameter.tensor.type else {
        throw TernError(
          .badData,
          "\(path): \(parameter.name) is \(value.type) where the model has \(parameter.tensor.type)"
        )
      }
      try session.write([parameter.name: value])
    }
  }

  private func restore(_ checkpoint: Checkpoint) throws {
    let stored = checkpoint.weights.merging(checkpoint.state) { a, _ in a }
    for name in session.variableNames {
      guard let value = stored[name] else {
        throw TernError(.badData, "the checkpoint holds no tensor \(name)")
      }
      try session.write([name: value])
    }
    progress = checkpoint.progress
  }

  private func checkpoint() throws -> Checkpoint {
    let names = Set(parameters.map(\.name))
    var (weights, state) = ([String: HostTensor](), [String: HostTensor]())
    for name in session.variableNames {
      if names.contains(name) {
        weights[name] = try session.read(name)
      } else {
        state[name] = try session.read(name)
      }
    }
    return Checkpoint(
      weights: weights, description: data.description(of: model), state: state, progress: progress)
  }

  private func save(isBest: Bool = false) throws {
    guard let run else { return }
    let checkpoint = try checkpoint()
    if let name = checkpoint.firstNonFinite { throw diverged(name) }
    try run.save(checkpoint, isBest: isBest)
    try emit(.checkpoint(path: run.checkpointPath("last")))
  }

  private func diverged(_ tensor: String) -> TernError {
    TernError(
      .diverged,
      "training diverged at step \(progress.step): \(tensor) is not finite; "
        + "try a smaller --lr than \(configuration.resolvedLearningRate)")
  }

  /// Names the tensor that is not finite, the loss where no variable is.
  private func divergence() throws -> TernError {
    diverged(try checkpoint().firstNonFinite ?? TrainingGraph.lossOutput)
  }

  private func emit(_ event: TrainingEvent) throws {
    try run?.append(event)
    try report(event)
  }

  // MARK: Trying out

  /// Runs one step on the first batch and checks its loss; writes nothing.
  public func dryRun() throws {
    let loader = data.trainingLoader(configuration, epoch: 0, startBatch: 0)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return }
    let executable = steps[batch.count]
    try upload(batch, to: executable, rate: 0)
    try executable.step()
    guard try executable.read(TrainingGraph.lossOutput).floats[0].isFinite else {
      throw diverged(TrainingGraph.lossOutput)
    }
  }

  /// The time of every node of a training step, in Chrome's trace format.
  public func profile() throws -> JSON {
    let loader = data.trainingLoader(configuration, epoch: 0, startBatch: 0)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return .array([]) }
    let executable = steps[batch.count]
    let saved = try checkpoint()
    try upload(batch, to: executable, rate: 0)
    _ = try executable.profile()
    let trace = try executable.trace()
    // The steps above changed the state of the optimizer.
    try restore(saved)
    return trace
  }

  private func upload(_ batch: Batch, to executable: Executable, rate: Double) throws {
    try executable.upload(batch.images, toInput: executable.imagesInput)
    try executable.upload(batch.labels, toInput: executable.targetsInput)
    try executable.upload(Float(rate), toInput: Optimizer.learningRateInput)
    try executable.upload(Int32(progress.step + 1), toInput: Optimizer.stepInput)
  }

  // MARK: Training

  /// Trains to the end, or until a signal asks for one.
  ///
  /// - Parameter run: where to write; `nil` writes nothing.
  public func train(writingTo run: RunDirectory?) throws -> TrainingEvent.End {
    self.run = run
    try emit(
      .start(
        .init(
          model: model.name, parameterCount: parameterCount, device: device.info.id,
          deviceName: device.info.name, deviceReason: deviceReason, planByteCount: planByteCount,
          runDirectory: run?.path, epochs: configuration.epochs, stepsPerEpoch: stepsPerEpoch)))
    // A run that was extended goes on.
    if progress.step < totalSteps,
      progress.epochsWithoutImprovement < configuration.patience ?? .max
    {
      progress.isFinished = false
    }
    // A run that is killed in its first epoch can be resumed too.
    if progress.step == 0 { try save() }
    do {
      var reason = TrainingEvent.EndReason.finished
      while reason == .finished, !progress.isFinished { reason = try trainEpoch() }
      return try finish(reason)
    } catch let error as TernError where error.kind == .diverged {
      _ = try finish(.diverged)
      throw error
    }
  }

  private func finish(_ reason: TrainingEvent.EndReason) throws -> TrainingEvent.End {
    let end = TrainingEvent.End(
      reason: reason, bestAccuracy: progress.history.map(\.test.accuracy).max() ?? .nan,
      seconds: progress.seconds, peakRSSByteCount: Self.peakRSSByteCount)
    try emit(.end(end))
    try run?.writeSummary(summary(end))
    return end
  }

  private func summary(_ end: TrainingEvent.End) -> JSON {
    let last = progress.history.last
    return .object([
      "model": .string(model.name), "parameters": .int(parameterCount),
      "device": .string(device.info.id), "device_name": .string(device.info.name),
      "reason": .string(end.reason.rawValue), "epochs": .int(progress.history.count),
      "steps": .int(progress.step), "test_accuracy": .double(last?.test.accuracy ?? .nan),
      "test_loss": .double(last?.test.loss ?? .nan), "best_accuracy": .double(end.bestAccuracy),
      "images_per_second": .double(medianRate), "plan_bytes": .int(planByteCount),
      "peak_rss_bytes": .int(end.peakRSSByteCount), "seconds": .double(end.seconds),
    ])
  }

  /// The median of the epochs' rates.
  private var medianRate: Double {
    let rates = progress.history.map(\.imagesPerSecond).sorted()
    return rates.isEmpty ? .nan : rates[rates.count / 2]
  }

  /// The largest resident size of the process so far.
  static var peakRSSByteCount: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }

  /// Trains the epoch under way to its end, evaluates and saves.
  private func trainEpoch() throws -> TrainingEvent.EndReason {
    let loader = data.trainingLoader(
      configuration, epoch: progress.epoch, startBatch: progress.batch)
    defer { loader.cancel() }
    var meter = StepMeter()
    var pending: PendingLoss?

    while progress.step < totalSteps, let batch = try loader.next() {
      let executable = steps[batch.count]
      let rate = schedule.rate(
        step: progress.step, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps)
      try upload(batch, to: executable, rate: rate)
      try executable.step()
      progress.step += 1
      progress.batch += 1
      meter.count(batch.count)

      if let loss = pending, loss.read.isComplete || progress.step % configuration.logEvery == 0 {
        try log(loss, &meter, loader)
        pending = nil
      }
      if progress.step % configuration.logEvery == 0 {
        pending = PendingLoss(
          read: try executable.startReading(TrainingGraph.lossOutput), step: progress.step,
          learningRate: rate)
      }
      let isDue = configuration.saveEvery.map { progress.step % $0 == 0 } ?? false
      let signal = Interruption.stop
      if isDue || signal != nil || Interruption.takeCheckpointRequest() {
        try executable.synchronize()
        meter.pause()
        if signal != nil { progress.seconds += meter.seconds }
        try save()
        meter.resume()
      }
      if signal != nil { return .interrupted }
    }
    try session.synchronize()
    let seconds = meter.seconds
    if let loss = pending { try log(loss, &meter, loader) }
    progress.seconds += seconds
    return try endEpoch(imagesPerSecond: Double(meter.sampleCount) / seconds, seconds: seconds)
  }

  private struct PendingLoss {
    let read: any PendingRead
    let step: Int
    let learningRate: Double
  }

  private func log(
    _ pending: PendingLoss, _ meter: inout StepMeter, _ loader: BatchLoader
  ) throws {
    let loss = Double(try pending.read.wait().floats[0])
    guard loss.isFinite else { throw try divergence() }
    let (imagesPerSecond, wait) = meter.lap(waitSeconds: loader.waitSeconds)
    try emit(
      .step(
        .init(
          step: pending.step, epoch: progress.epoch + 1, loss: loss,
          learningRate: pending.learningRate,
          imagesPerSecond: imagesPerSecond, dataWaitMilliseconds: wait * 1000)))
  }

  private func endEpoch(imagesPerSecond: Double, seconds: Double) throws -> TrainingEvent.EndReason
  {
    let sum = Double(try session.read(TrainingGraph.lossSumVariable).floats[0])
    guard sum.isFinite else { throw try divergence() }
    try session.write([TrainingGraph.lossSumVariable: HostTensor([], [Float(0)])])
    let epochSamples = min(progress.batch * configuration.batchSize, data.training.count)
    let epoch = TrainingEvent.Epoch(
      epoch: progress.epoch + 1, trainLoss: sum / Double(epochSamples),
      test: try evaluate(data.test), validation: try data.validation.map(evaluate),
      learningRate: schedule.rate(
        step: progress.step - 1, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps),
      imagesPerSecond: imagesPerSecond, seconds: seconds)
    progress.history.append(epoch)
    progress.epoch += 1
    progress.batch = 0
    let isBest = judge(epoch)
    let isOver = progress.step >= totalSteps
    let isStoppedEarly = progress.epochsWithoutImprovement >= configuration.patience ?? .max
    progress.isFinished = isOver || isStoppedEarly

    try emit(.epoch(epoch))
    try run?.writeResults(progress.history)
    try save(isBest: isBest && configuration.keepBest)
    return isStoppedEarly && !isOver ? .earlyStop : .finished
  }

  private func evaluate(_ set: any Dataset) throws -> TrainingEvent.Evaluation {
    let loader = data.evaluationLoader(set, configuration)
    defer { loader.cancel() }
    let metrics = try evaluations.evaluate(loader)
    return .init(loss: metrics.loss, accuracy: metrics.accuracy)
  }

  /// Whether the epoch is the best so far by the monitored metric.
  private func judge(_ epoch: TrainingEvent.Epoch) -> Bool {
    let name = configuration.resolvedMonitor
    let value = epoch.metric(name)
    let isBetter =
      progress.best.map { name.hasSuffix("loss") ? value < $0 : value > $0 } ?? !value.isNaN
    if isBetter { progress.best = value }
    progress.epochsWithoutImprovement = isBetter ? 0 : progress.epochsWithoutImprovement + 1
    return isBetter
  }
}

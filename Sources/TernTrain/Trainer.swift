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
  let data: TrainingData
  let device: any Device
  let deviceReason: String
  /// Where to write; `nil` writes nothing.
  var run: RunDirectory?
  let report: (TrainingEvent) throws -> Void

  let session: Session
  let batches: BatchSchedule
  private let steps: [BatchSchedule.Form: Executable]
  private let evaluations: Evaluator
  let parameters: [Parameter]
  let schedule: Schedule
  var progress = TrainingProgress()
  /// The metrics of the last evaluation of the test set.
  private(set) var testMetrics: ClassificationMetrics?

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
    batches = BatchSchedule(
      sampleCount: data.training.count, batchSize: configuration.batchSize,
      accumulate: configuration.accumulate)

    let update = try configuration.makeUpdate()
    let loss = try configuration.makeLoss(for: data.training)
    let evaluationSizes = Set(
      [data.test, data.validation].compactMap(\.self).flatMap {
        BatchExecutables.sizes(sampleCount: $0.count, batchSize: configuration.batchSize)
      }
    ).sorted(by: >)
    // An update's last batch first: its graph has every variable, so it chooses their layouts.
    let forms = batches.forms.sorted { $0.position.isEnd && !$1.position.isEnd }
    let training = try forms.map {
      try TrainingGraph(
        model: model, batchSize: $0.size, update: update, seed: configuration.seed, loss: loss,
        position: $0.position)
    }
    let evaluation = try evaluationSizes.map {
      try EvaluationGraph(
        model: model, batchSize: $0,
        variablePrefix: update.keepsAverage ? ParameterUpdate.averagePrefix : ""
      ).graph
    }
    parameters = training[0].parameters
    let compiled = try session.compile(training.map(\.graph) + evaluation)
    steps = Dictionary(uniqueKeysWithValues: zip(forms, compiled))
    evaluations = Evaluator(
      executables: BatchExecutables(
        Dictionary(uniqueKeysWithValues: zip(evaluationSizes, compiled.dropFirst(forms.count)))),
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

  public var parameterCount: Int {
    parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  var totalSteps: Int {
    min(configuration.steps ?? .max, configuration.epochs * batches.stepsPerEpoch)
  }

  /// The learning rate of a step, counted from 0.
  private func rate(ofStep step: Int) -> Double {
    schedule.rate(
      step: step, stepsPerEpoch: batches.stepsPerEpoch, totalSteps: totalSteps,
      drops: progress.rateDrops)
  }

  func emit(_ event: TrainingEvent) throws {
    try run?.append(event)
    try report(event)
  }

  // MARK: Trying out

  /// Runs one step on the first batch and checks its loss; writes nothing.
  public func dryRun() throws {
    guard let executable = try stepOnFirstBatch() else { return }
    guard try executable.read(TrainingGraph.lossOutput).floats[0].isFinite else {
      throw diverged(TrainingGraph.lossOutput)
    }
  }

  /// The time of every node of a training step, in Chrome's trace format.
  public func profile() throws -> JSON {
    let saved = try checkpoint()
    guard let executable = try stepOnFirstBatch() else { return .array([]) }
    _ = try executable.profile()
    let trace = try executable.trace()
    // The steps above changed the state of the optimizer.
    try restore(saved)
    return trace
  }

  private func stepOnFirstBatch() throws -> Executable? {
    let loader = data.trainingLoader(configuration, epoch: 0, startBatch: 0)
    defer { loader.cancel() }
    guard let batch = try loader.next(), let executable = steps[batches.form(ofBatch: 0)] else {
      return nil
    }
    try upload(batch, number: 0, to: executable, rate: 0)
    try executable.step()
    return executable
  }

  /// - Parameter number: the batch's place in its epoch, counted from 0.
  private func upload(_ batch: Batch, number: Int, to executable: Executable, rate: Double) throws {
    try executable.upload(batch.images, toInput: executable.imagesInput)
    try executable.upload(batch.labels, toInput: executable.targetsInput)
    try executable.upload(Float(rate), toInput: Optimizer.learningRateInput)
    try executable.upload(Int32(progress.step + 1), toInput: Optimizer.stepInput)
    if configuration.accumulate > 1 {
      let position = progress.epoch * batches.batchCount + number + 1
      try executable.upload(Int32(position), toInput: TrainingGraph.batchInput)
      try executable.upload(
        1 / Float(batches.samplesOfUpdate(withBatch: number)),
        toInput: ParameterUpdate.gradientScaleInput)
    }
    if let decay = configuration.averageDecay {
      try executable.upload(
        Float(ParameterUpdate.averageRate(step: progress.step + 1, decay: decay)),
        toInput: ParameterUpdate.averageRateInput)
    }
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
          deviceName: device.info.name, deviceReason: deviceReason,
          planByteCount: trainingPlan.peakByteCount, runDirectory: run?.path,
          epochs: configuration.epochs, stepsPerEpoch: batches.stepsPerEpoch)))
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
    } catch let error as TernError where error.kind == .runtime {
      // A device that was lost, a driver that failed: what was saved is good.
      throw TernError(
        .runtime,
        error.message + (run.map { "; go on with: tern train --resume \($0.path)" } ?? ""))
    }
  }

  /// Trains the epoch under way to its end, evaluates and saves.
  private func trainEpoch() throws -> TrainingEvent.EndReason {
    let loader = data.trainingLoader(
      configuration, epoch: progress.epoch, startBatch: progress.batch)
    defer { loader.cancel() }
    var meter = StepMeter()
    var pending: PendingLoss?

    while progress.step < totalSteps, let batch = try loader.next() {
      let form = batches.form(ofBatch: progress.batch)
      guard let executable = steps[form] else {
        preconditionFailure("no executable for \(form)")
      }
      let rate = rate(ofStep: progress.step)
      try upload(batch, number: progress.batch, to: executable, rate: rate)
      try executable.step()
      progress.batch += 1
      meter.count(batch.count)
      guard form.position.isEnd else { continue }
      progress.step += 1

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
    let test = try metrics(of: data.test)
    testMetrics = test
    let epoch = TrainingEvent.Epoch(
      epoch: progress.epoch + 1, trainLoss: sum / Double(epochSamples), test: .init(test),
      validation: try data.validation.map { .init(try metrics(of: $0)) },
      learningRate: rate(ofStep: progress.step - 1),
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

  private func metrics(of set: any Dataset) throws -> ClassificationMetrics {
    let loader = data.evaluationLoader(set, configuration)
    defer { loader.cancel() }
    return try evaluations.evaluate(loader)
  }

  /// Whether the epoch is the best so far by the monitored metric; lowers the rate where the
  /// schedule waits for that.
  private func judge(_ epoch: TrainingEvent.Epoch) -> Bool {
    let name = configuration.resolvedMonitor
    let value = epoch.metric(name)
    let isBetter =
      progress.best.map { name.hasSuffix("loss") ? value < $0 : value > $0 } ?? !value.isNaN
    if isBetter { progress.best = value }
    progress.epochsWithoutImprovement = isBetter ? 0 : progress.epochsWithoutImprovement + 1
    let lastDrop = progress.rateDrops.last.map { $0 / batches.stepsPerEpoch } ?? 0
    let wait = min(progress.epochsWithoutImprovement, progress.epoch - lastDrop)
    if schedule.drops(afterEpochsWithoutImprovement: wait) {
      progress.rateDrops.append(progress.step)
    }
    return isBetter
  }
}

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
  /// The settings, also those that were left to be decided.
  public private(set) var configuration: TrainingConfiguration
  public let model: Model
  let data: TrainingData
  let device: any Device
  let deviceReason: String
  /// Where to write; `nil` writes nothing.
  var run: RunDirectory?
  let report: (TrainingEvent) throws -> Void

  let session: Session
  let batches: BatchSchedule
  let stages: [CompiledStage]
  var tensorBoard: TensorBoardLog?
  let parameters: [Parameter]
  let schedule: Schedule
  var progress = TrainingProgress()
  /// Why a sample could not be read, while the checkpoint is saved from which the run goes on once it
  /// can.
  var dataFault: String?
  /// The metrics of the last evaluation of the test set.
  var testMetrics: ClassificationMetrics?

  /// How long whoever watches may be left without a step's loss; what is told in between the logged
  /// steps stands in no file. `nil` for logged steps alone.
  public var pulse: Duration?

  /// What of the network did not get a value from the file of initial weights, and what of the file
  /// the network has no place for; a line each.
  public internal(set) var initializationNotes: [String] = []
  /// What is to be said of going on with a run: data that was mended since.
  public internal(set) var resumptionNotes: [String] = []
  /// What the data is known by.
  private(set) lazy var fingerprint = data.fingerprint

  /// When preparation began; `nil` once the first step is done.
  private var preparationStart: ContinuousClock.Instant? = .now

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

    do {
      (stages, parameters) = try StageCompiler(
        model: model, configuration: configuration, data: data, batches: batches
      ).compile(in: session)
    } catch let error as TernError where error.kind == .outOfMemory {
      throw Self.outOfMemory(error, configuration, model, data, device)
    }
    try checkMonitor()
    if let monitor, TrainingConfiguration.monitors.contains(monitor) {
      self.configuration.monitor = monitor
    }

    if let checkpoint {
      try restore(checkpoint)
    } else {
      try initialize()
    }
  }

  /// The plan of a full training step; of several passes, the one that takes most memory.
  public var trainingPlan: Plan {
    stages.flatMap { $0.fullStep.map(\.plan) }.max { $0.peakByteCount < $1.peakByteCount }!
  }

  /// What the network is trained for in the epoch under way.
  var stage: CompiledStage {
    stages.first { progress.epoch < $0.endEpoch ?? .max } ?? stages.last!
  }

  /// The steps done so far, those of earlier parts of the run too.
  public var stepCount: Int { progress.step }

  /// What settings came to that are written as they were given, by their names: the numbers behind
  /// `normalize: auto`.
  public var settingNotes: [String: String] {
    guard configuration.normalize == "auto" else { return [:] }
    return ["normalize": data.normalization.summary]
  }

  public var parameterCount: Int {
    parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  var totalSteps: Int {
    min(configuration.steps ?? .max, configuration.epochs * batches.stepsPerEpoch + stepShift)
  }

  /// How many more steps are done than the epochs done have now: where the data was mended since.
  private var stepShift: Int {
    progress.step - progress.epoch * batches.stepsPerEpoch - batches.updates(before: progress.batch)
  }

  /// The learning rate of a step, counted from 0.
  private func rate(ofStep step: Int) -> Double {
    let shift = stepShift
    let planned = (configuration.scheduleEpochs ?? configuration.epochs) * batches.stepsPerEpoch
    return schedule.rate(
      step: max(step - shift, 0), stepsPerEpoch: batches.stepsPerEpoch,
      totalSteps: min(configuration.steps ?? .max, planned),
      drops: shift == 0 ? progress.rateDrops : progress.rateDrops.map { $0 - shift })
  }

  var start: TrainingEvent.Start {
    .init(
      model: model.name, parameterCount: parameterCount, device: device.info.id,
      deviceName: device.info.name, deviceReason: deviceReason,
      planByteCount: trainingPlan.peakByteCount, runDirectory: run?.path,
      epochs: (totalSteps - stepShift + batches.stepsPerEpoch - 1) / batches.stepsPerEpoch,
      stepsPerEpoch: batches.stepsPerEpoch,
      data: .init(
        trainingCount: data.training.count, validationCount: data.validation?.count,
        testCount: data.test.count, classCount: data.training.classCount, notes: data.notes))
  }

  func emit(_ event: TrainingEvent) throws {
    try run?.append(event)
    try tensorBoard?.append(event, step: progress.step)
    try report(event)
  }

  // MARK: Training

  /// - Parameter number: the batch's place in its epoch, counted from 0.
  func upload(_ batch: Batch, number: Int, to executable: Executable, rate: Double) throws {
    try executable.upload(batch)
    try executable.upload(Float(rate), toInput: Optimizer.learningRateInput)
    try executable.upload(Int32(clamping: progress.step + 1), toInput: Optimizer.stepInput)
    if configuration.accumulate > 1 {
      let position = progress.epoch * batches.batchCount + number + 1
      try executable.upload(Int32(clamping: position), toInput: TrainingGraph.batchInput)
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

  /// Trains to the end, or until a signal asks for one.
  ///
  /// - Parameter run: where to write; `nil` writes nothing.
  public func train(writingTo run: RunDirectory?) throws -> TrainingEvent.End {
    self.run = run
    do { try begin() } catch {
      run?.discard()
      throw error
    }
    do {
      // A run that was over before it went on ended as it did then.
      var reason: TrainingEvent.EndReason =
        progress.isFinished && isStoppedEarly ? .earlyStop : .finished
      while reason == .finished, !progress.isFinished { reason = try trainEpoch() }
      return try finish(reason)
    } catch let error as TernError where error.kind == .diverged {
      _ = try finish(.diverged)
      throw error
    } catch let error as TernError where [.badData, .notFound, .runtime].contains(error.kind) {
      throw failure(error)
    }
  }

  /// Writes what stands at the beginning of a run, its first checkpoint among it.
  private func begin() throws {
    if progress.step > 0 { try run?.writeHistory(progress.history) }
    tensorBoard = try run.map { try TensorBoardLog(directory: $0.path, step: progress.step) }
    if progress.step == 0 { try tensorBoard?.appendSamples(of: data.training) }
    try emit(.start(start))
    // A run that was extended goes on.
    if progress.step < totalSteps, !isStoppedEarly { progress.isFinished = false }
    // A run that is killed in its first epoch can be resumed too.
    if progress.step == 0 { try save() }
  }

  /// Trains the epoch under way to its end, evaluates and saves.
  private func trainEpoch() throws -> TrainingEvent.EndReason {
    let loader = data.trainingLoader(
      configuration, epoch: progress.epoch, startBatch: progress.batch)
    defer { loader.cancel() }
    var meter = StepMeter()
    var pending: PendingLoss?
    let clock = ContinuousClock()
    var lastPulse = clock.now

    while progress.step < totalSteps, let batch = try loader.next() {
      let rate = rate(ofStep: progress.step)
      let (passes, isUpdated) = try step(on: batch)
      try reportFirstStep()
      meter.count(batch.count)
      guard isUpdated else { continue }

      if let loss = pending, loss.read.isComplete || progress.step % configuration.logEvery == 0 {
        try log(loss, &meter, loader)
        pending = nil
      }
      let isLogged = progress.step % configuration.logEvery == 0
      let isPulse = pulse.map { pending == nil && clock.now - lastPulse >= $0 } ?? false
      if isLogged || isPulse {
        pending = PendingLoss(
          read: try passes[0].startReading(TrainingGraph.lossOutput), step: progress.step,
          learningRate: rate, isLogged: isLogged)
        if pulse != nil { lastPulse = clock.now }
      }
      let isDue = configuration.saveEvery.map { progress.step % $0 == 0 } ?? false
      let signal = Interruption.stop
      if isDue || signal != nil || Interruption.takeCheckpointRequest() {
        try session.synchronize()
        // A run that goes on from this checkpoint does not come by this step again.
        if let loss = pending { try log(loss, &meter, loader) }
        pending = nil
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

  /// Says how long it took until the first step of this process was done: planning, choosing and
  /// compiling.
  private func reportFirstStep() throws {
    guard let start = preparationStart else { return }
    preparationStart = nil
    try session.synchronize()
    try report(.firstStep(seconds: (ContinuousClock.now - start) / .seconds(1)))
  }

  /// Starts the next batch of the epoch under way.
  ///
  /// - Parameters:
  ///   - rate: the learning rate, where it is not the schedule's.
  ///   - before: called before each pass, with its number.
  /// - Returns: what runs it, and whether the parameters are updated.
  @discardableResult
  func step(
    on batch: Batch, rate: Double? = nil, before: ((_ pass: Int) throws -> Void)? = nil
  ) throws -> (passes: [Executable], isUpdated: Bool) {
    let form = batches.form(ofBatch: progress.batch)
    guard let passes = stage.steps[form] else {
      preconditionFailure("no executable for \(form)")
    }
    let rate = rate ?? self.rate(ofStep: progress.step)
    for (number, pass) in passes.enumerated() {
      try before?(number)
      try upload(batch, number: progress.batch, to: pass, rate: rate)
      try pass.step()
    }
    progress.batch += 1
    if form.position.isEnd { progress.step += 1 }
    return (passes, form.position.isEnd)
  }

  private struct PendingLoss {
    let read: any PendingRead
    let step: Int
    let learningRate: Double
    /// Whether it is for the log, not for whoever watches alone.
    let isLogged: Bool
  }

  private func log(
    _ pending: PendingLoss, _ meter: inout StepMeter, _ loader: BatchLoader
  ) throws {
    let loss = Double(try pending.read.wait().floats[0])
    func event(_ imagesPerSecond: Double, wait: Double) -> TrainingEvent {
      .step(
        .init(
          step: pending.step, epoch: progress.epoch + 1, loss: loss,
          learningRate: pending.learningRate, imagesPerSecond: imagesPerSecond,
          dataWaitMilliseconds: wait * 1000))
    }
    guard pending.isLogged else {
      // The speed since the last logged step stays that step's.
      try report(event(Double(meter.sampleCount) / meter.seconds, wait: 0))
      return
    }
    guard loss.isFinite else { throw try divergence() }
    let (imagesPerSecond, wait) = meter.lap(waitSeconds: loader.waitSeconds)
    try emit(event(imagesPerSecond, wait: wait))
  }

  private func endEpoch(imagesPerSecond: Double, seconds: Double) throws -> TrainingEvent.EndReason
  {
    let stage = stage
    let samples = min(progress.batch * configuration.batchSize, data.training.count)
    let training = try trainingMetrics(stage, sampleCount: samples)
    let (test, validation): (EvaluationResult, EvaluationResult?)
    do {
      test = try metrics(of: data.test, check: Interruption.check)
      // One set that is both is measured once.
      validation =
        try data.testIsValidation
        ? test : data.validation.map { try metrics(of: $0, check: Interruption.check) }
    } catch is Interruption.Stop {
      // Evaluation may take longer than anyone waits; a run that goes on begins with it.
      try save()
      return .interrupted
    }
    testMetrics = test.classification
    try resetTrainingMetrics()
    let epoch = TrainingEvent.Epoch(
      epoch: progress.epoch + 1, training: training, test: .init(test),
      validation: validation.map { .init($0) },
      learningRate: rate(ofStep: progress.step - 1),
      imagesPerSecond: imagesPerSecond, seconds: seconds)
    if let sheet = try sheet() { try run?.write(sheet, epoch: epoch.epoch) }
    progress.history.append(epoch)
    progress.epoch += 1
    progress.batch = 0
    // Only what the network is for in the end is compared.
    let isBest = stage.endEpoch == nil && judge(epoch)
    if stage.endEpoch == progress.epoch { try resetOptimizer() }
    progress.isFinished = progress.step >= totalSteps || isStoppedEarly

    try emit(.epoch(epoch))
    try run?.appendLast(of: progress.history)
    if let confusion = test.classification?.confusion, !confusion.isEmpty {
      try tensorBoard?.append(confusion: confusion, step: progress.step)
    }
    try writeDistributions()
    try save(isBest: isBest && configuration.keepBest)
    return isStoppedEarly ? .earlyStop : .finished
  }

  /// Whether the run ends before its last step.
  private var isStoppedEarly: Bool {
    progress.step < totalSteps
      && progress.epochsWithoutImprovement >= configuration.patience ?? .max
  }

  /// The means over the epoch: sums, divided once.
  private func trainingMetrics(_ stage: CompiledStage, sampleCount: Int) throws -> [String: Double]
  {
    var means: [String: Double] = [:]
    for name in stage.metricNames {
      let sum = try sumOfEpoch(TrainingGraph.metricPrefix + name)
      guard sum.isFinite else { throw try divergence() }
      var weight = Double(sampleCount)
      if name == TrainingGraph.lossOutput, stage.isWeighted {
        weight = try sumOfEpoch(TrainingGraph.weightSum)
        guard weight > 0 else {
          throw TernError(
            .badData,
            "nothing counts in epoch \(progress.epoch + 1) of the training set: every target is "
              + "ignored, or of a class that weighs 0")
        }
      }
      means[name] = sum / weight
    }
    return means
  }

  private func sumOfEpoch(_ variable: String) throws -> Double {
    Double(try session.read(variable).floats[0])
  }

  /// The sums of the next epoch start anew; not before the test set was read, for a run that fails
  /// there is saved with them.
  private func resetTrainingMetrics() throws {
    for name in session.variableNames where name.hasPrefix(TrainingGraph.metricPrefix) {
      try session.write([name: HostTensor([], [Float(0)])])
    }
  }

  func metrics(of set: any Dataset, check: () throws -> Void = {}) throws -> EvaluationResult {
    let loader = data.evaluationLoader(
      set, configuration, batchSize: stage.evaluator.batchSize)
    defer { loader.cancel() }
    return try stage.evaluator.evaluate(loader, check: check)
  }

  /// The sheet of the first test samples, where there is something to see.
  private func sheet() throws -> SheetPicture? {
    guard let sheet = stage.sheet else { return nil }
    let loader = data.sheetLoader(configuration)
    defer { loader.cancel() }
    return try sheet.picture(loader, normalization: data.normalization)
  }

  /// The metric that decides which epoch is best, as the log names it.
  private var monitor: String? {
    configuration.monitor
      ?? stages.last!.objective.monitoredMetric.map {
        (data.validation == nil ? "test_" : "val_") + $0
      }
  }

  private func checkMonitor() throws {
    let metric = stages.last!.objective.monitoredMetric
    if let asked = configuration.monitor, asked.hasPrefix("val_"), data.validation == nil {
      throw TernError(
        .usage,
        "monitor: \(asked) needs samples for validation; give --validation-split, or test_"
          + asked.dropFirst(4))
    }
    if let asked = configuration.monitor, asked.hasSuffix("accuracy"), metric != "accuracy" {
      throw TernError(.usage, "monitor: \(model.name) has no accuracy; give test_loss")
    }
    if configuration.monitor == nil, metric == nil {
      if configuration.patience != nil {
        throw TernError(
          .usage, "patience: nothing says when \(model.name) is good enough; give --epochs alone")
      }
      if case .plateau = schedule.form {
        throw TernError(
          .usage, "schedule plateau: nothing says when \(model.name) improves; choose another")
      }
    }
  }

  /// Whether the epoch is the best so far by the monitored metric; lowers the rate where the
  /// schedule waits for that.
  private func judge(_ epoch: TrainingEvent.Epoch) -> Bool {
    guard let name = monitor else { return false }
    let value = epoch.metric(name)
    let isBetter =
      progress.best.map { name.hasSuffix("accuracy") ? value > $0 : value < $0 } ?? !value.isNaN
    if isBetter { progress.best = value }
    progress.epochsWithoutImprovement = isBetter ? 0 : progress.epochsWithoutImprovement + 1
    let lastDrop = progress.rateDrops.last.map { ($0 - stepShift) / batches.stepsPerEpoch } ?? 0
    let wait = min(progress.epochsWithoutImprovement, progress.epoch - lastDrop)
    if schedule.drops(afterEpochsWithoutImprovement: wait) {
      progress.rateDrops.append(progress.step)
    }
    return isBetter
  }
}

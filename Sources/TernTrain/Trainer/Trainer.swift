import Foundation
import TernCluster
import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// A run: trains a network by a ``TrainingLoop`` as a configuration says, and writes, reports, stops and
/// goes on. The host reads a loss every ``TrainingConfiguration/logEvery`` steps, without waiting for it.
public final class Trainer {
  /// The settings, also those that were left to be decided.
  public private(set) var configuration: TrainingConfiguration
  let loop: TrainingLoop
  let device: any Device
  let deviceReason: String
  /// Where to write; `nil` writes nothing.
  var run: RunDirectory?
  let report: (TrainingEvent) throws -> Void

  var tensorBoard: TensorBoardLog?
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

  /// What adding up sums took before the epoch under way.
  private var communicationBefore: CommunicationTime?
  /// When preparation began; `nil` once the first step is done.
  private var preparationStart: ContinuousClock.Instant? = .now

  /// Prepares a run: checks that data and network fit, plans, compiles, and sets the parameters.
  ///
  /// - Parameters:
  ///   - checkpoint: where to go on.
  ///   - group: the processes that train together; only the first of them writes and reports.
  ///   - report: told what happens.
  public init(
    configuration: TrainingConfiguration, model: Model, data: TrainingData, device: any Device,
    deviceReason: String, checkpoint: Checkpoint? = nil, group: (any ProcessGroup)? = nil,
    report: @escaping (TrainingEvent) throws -> Void
  ) throws {
    try configuration.validate()
    self.configuration = configuration
    self.device = device
    self.deviceReason = deviceReason
    self.report = report
    let stages = try configuration.stages(of: model, for: data)
    var options = try configuration.makeOptions()
    options.group = group
    // Where a bus, or at least a copy, lies between the host's memory and the device's.
    options.uploadsBytes = device.isAsynchronous
    do {
      loop = try TrainingLoop(model, stages: stages, data: data, on: device, options: options)
    } catch let error as TernError where error.kind == .outOfMemory {
      throw Self.outOfMemory(error, configuration, model, data, device)
    }
    try checkMonitor()
    self.configuration.monitor = monitor?.name
    if group != nil {
      loop.ownRequests = {
        StepRequests(stop: Interruption.stop, checkpoint: Interruption.takeCheckpointRequest())
      }
    }

    if let checkpoint {
      try restore(checkpoint)
    } else {
      try initialize()
    }
    try group?.check(facts)
  }

  /// What all members of a group must have in common.
  private var facts: [(name: String, value: String)] {
    [
      ("device", device.info.name),
      ("settings", configuration.decisiveSettings.map { "\($0) \($1)" }.joined(separator: "\n")),
      ("threads", configuration.threads.map { "\($0)" } ?? "all"),
      ("bucket", configuration.bucket), ("data", fingerprint),
      ("test data", "\(data.test.count) samples \(DataFingerprint(data.test).text)"),
      ("step", "\(progress.step)"),
      (
        "plan",
        batches.updateForm.map { stage.steps[$0]![0].plan.graph.description }
          .map { "\(FNV1a.hash64($0.utf8))" } ?? ""
      ),
    ]
  }

  /// The network that is trained.
  public var model: Model { loop.model }
  var data: TrainingData { loop.data }
  var session: Session { loop.session }
  var batches: BatchSchedule { loop.batches }
  var stages: [CompiledStage] { loop.stages }
  var stage: CompiledStage { loop.stage }
  var parameters: [Parameter] { loop.parameters }
  var progress: TrainingProgress {
    get { loop.progress }
    set { loop.progress = newValue }
  }
  /// The plan of a training step.
  public var trainingPlan: Plan { loop.trainingPlan }
  /// How many numbers are trained.
  public var parameterCount: Int { loop.parameterCount }

  /// The steps done so far, those of earlier parts of the run too.
  public var stepCount: Int { progress.step }

  /// What settings came to that are written as they were given, by their names: the numbers behind
  /// `normalize: auto`.
  public var settingNotes: [String: String] {
    guard configuration.normalize == "auto" else { return [:] }
    return ["normalize": data.normalization.summary]
  }

  var start: TrainingEvent.Start {
    .init(
      model: model.name, parameterCount: parameterCount, device: device.info.id,
      deviceName: device.info.name, deviceReason: deviceReason,
      planByteCount: trainingPlan.peakByteCount,
      recomputation: trainingPlan.recomputation?.description, runDirectory: run?.path,
      epochs: (loop.totalSteps - loop.stepShift + batches.stepsPerEpoch - 1)
        / batches.stepsPerEpoch,
      stepsPerEpoch: batches.stepsPerEpoch,
      data: .init(
        trainingCount: data.training.count, validationCount: data.validation?.count,
        testCount: data.test.count, classCount: data.training.classCount, notes: data.notes),
      ranks: batches.worldSize, shards: loop.options.shards)
  }

  func emit(_ event: TrainingEvent) throws {
    try run?.append(event)
    try tensorBoard?.append(event, step: progress.step)
    try report(event)
  }

  // MARK: Training

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
    if progress.step < loop.totalSteps, !isStoppedEarly { progress.isFinished = false }
    // A run that is killed in its first epoch can be resumed too.
    if progress.step == 0 { try save() }
  }

  /// Trains the epoch under way to its end, evaluates and saves.
  private func trainEpoch() throws -> TrainingEvent.EndReason {
    communicationBefore = loop.communicationTime
    var meter = StepMeter()
    var pending: PendingLoss?
    let clock = ContinuousClock()
    var lastPulse = clock.now
    let (logEvery, saveEvery) = (configuration.logEvery, configuration.saveEvery)

    let isComplete = try loop.runBatches { batch in
      try reportFirstStep()
      meter.count(batch.sampleCount)
      guard batch.isUpdated else { return true }

      if let loss = pending, loss.read.isComplete || progress.step % logEvery == 0 {
        try log(loss, &meter)
        pending = nil
      }
      let isLogged = progress.step % logEvery == 0
      let isPulse = pulse.map { pending == nil && clock.now - lastPulse >= $0 } ?? false
      if isLogged || isPulse {
        pending = PendingLoss(
          read: try batch.passes[0].startReading(TrainingGraph.lossOutput),
          scale: batch.passes[0].hasOutput(LossScaling.output)
            ? try batch.passes[0].startReading(LossScaling.output) : nil, step: progress.step,
          learningRate: batch.rate, isLogged: isLogged, loader: batch.loader)
        if pulse != nil { lastPulse = clock.now }
      }
      let isDue = saveEvery.map { progress.step % $0 == 0 } ?? false
      let requests = self.requests
      let signal = requests.stop
      if isDue || signal != nil || requests.checkpoint {
        try session.synchronize()
        // A run that goes on from this checkpoint does not come by this step again.
        if let loss = pending { try log(loss, &meter) }
        pending = nil
        meter.pause()
        if signal != nil { progress.seconds += meter.seconds }
        try save()
        meter.resume()
      }
      return signal == nil
    }
    guard isComplete else { return .interrupted }
    try session.synchronize()
    let seconds = meter.seconds
    if let loss = pending { try log(loss, &meter) }
    progress.seconds += seconds
    return try endEpoch(imagesPerSecond: Double(meter.sampleCount) / seconds, seconds: seconds)
  }

  /// What is asked for between two steps: by any member of a group, of which all hear with an update.
  private var requests: StepRequests {
    loop.batches.worldSize == 1
      ? StepRequests(stop: Interruption.stop, checkpoint: Interruption.takeCheckpointRequest())
      : loop.requests
  }

  /// Says how long it took until the first step of this process was done: planning, choosing and
  /// compiling.
  private func reportFirstStep() throws {
    guard let start = preparationStart else { return }
    preparationStart = nil
    try session.synchronize()
    try report(.firstStep(seconds: (ContinuousClock.now - start) / .seconds(1)))
  }

  private struct PendingLoss {
    let read: any PendingRead
    /// What the loss is multiplied by, where it is.
    let scale: (any PendingRead)?
    let step: Int
    let learningRate: Double
    /// Whether it is for the log, not for whoever watches alone.
    let isLogged: Bool
    let loader: BatchLoader
  }

  private func log(_ pending: PendingLoss, _ meter: inout StepMeter) throws {
    let loss = Double(try pending.read.wait().floats[0])
    let scale = try pending.scale.map { Double(try $0.wait().floats[0]) }
    func event(_ imagesPerSecond: Double, wait: Double) -> TrainingEvent {
      .step(
        .init(
          step: pending.step, epoch: progress.epoch + 1, loss: loss,
          learningRate: pending.learningRate, lossScale: scale, imagesPerSecond: imagesPerSecond,
          dataWaitMilliseconds: wait * 1000))
    }
    guard pending.isLogged else {
      // The speed since the last logged step stays that step's.
      try report(event(Double(meter.sampleCount) / meter.seconds, wait: 0))
      return
    }
    guard loss.isFinite else { throw try divergence() }
    let (imagesPerSecond, wait) = meter.lap(waitSeconds: pending.loader.waitSeconds)
    try emit(event(imagesPerSecond, wait: wait))
  }

  private func endEpoch(imagesPerSecond: Double, seconds: Double) throws -> TrainingEvent.EndReason
  {
    let stage = stage
    let training: [String: Double]
    do { training = try loop.trainingMetrics() } catch let error as TernError
      where error.kind == .diverged
    { throw try divergence() }
    let (test, validation): (EvaluationResult, EvaluationResult?)
    do {
      test = try loop.evaluate(data.test, check: Interruption.check)
      // One set that is both is measured once.
      validation =
        try data.testIsValidation
        ? test : data.validation.map { try loop.evaluate($0, check: Interruption.check) }
    } catch is Interruption.Stop {
      // Evaluation may take longer than anyone waits; a run that goes on begins with it.
      try save()
      return .interrupted
    }
    testMetrics = test.classification
    try loop.resetTrainingMetrics()
    let epoch = TrainingEvent.Epoch(
      epoch: progress.epoch + 1, training: training, test: .init(test),
      validation: validation.map { .init($0) },
      learningRate: loop.learningRate(ofStep: progress.step - 1),
      imagesPerSecond: imagesPerSecond, seconds: seconds,
      communication: loop.communicationTime.map {
        $0 - (communicationBefore ?? CommunicationTime())
      })
    if let sheet = try loop.sheet() { try run?.write(sheet, epoch: epoch.epoch) }
    progress.history.append(epoch)
    try loop.closeEpoch()
    // Only what the network is for in the end is compared.
    let isBest = stage.endEpoch == nil && judge(epoch)
    progress.isFinished = progress.step >= loop.totalSteps || isStoppedEarly

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
    progress.step < loop.totalSteps
      && progress.epochsWithoutImprovement >= configuration.patience ?? .max
  }

  /// What decides which epoch is best.
  private var monitor: MonitoredMetric? {
    configuration.monitor.flatMap(MonitoredMetric.named)
      ?? stages.last!.objective.monitoredMetric.map {
        MonitoredMetric($0, of: data.validation == nil ? .test : .validation)
      }
  }

  private func checkMonitor() throws {
    let objective = stages.last!.objective
    if let asked = configuration.monitor, let monitor = MonitoredMetric.named(asked) {
      if monitor.set == .validation, data.validation == nil {
        throw TernError(
          .usage,
          "monitor: \(asked) needs samples for validation; give \(Setting.flag("validation_split")), or "
            + MonitoredMetric(monitor.metric, of: .test).name)
      }
      let known = objective.monitoredMetric == nil ? [.loss] : objective.metrics
      guard known.contains(monitor.metric) else {
        throw TernError(
          .usage,
          "monitor: \(model.name) has no \(monitor.metric.name); give "
            + known.map { MonitoredMetric($0, of: monitor.set).name }.joined(separator: " or "))
      }
    }
    if configuration.monitor == nil, objective.monitoredMetric == nil {
      if configuration.patience != nil {
        throw TernError(
          .usage,
          "patience: nothing says when \(model.name) is good enough; give \(Setting.flag("epochs")) alone"
        )
      }
      if case .plateau = loop.options.schedule.form {
        throw TernError(
          .usage, "schedule plateau: nothing says when \(model.name) improves; choose another")
      }
    }
  }

  /// Whether the epoch is the best so far by the monitored metric; lowers the rate where the
  /// schedule waits for that.
  private func judge(_ epoch: TrainingEvent.Epoch) -> Bool {
    guard let monitor else { return false }
    let value = epoch.value(monitor)
    let isBetter = monitor.metric.isBetter(value, than: progress.best ?? .nan)
    if isBetter { progress.best = value }
    progress.epochsWithoutImprovement = isBetter ? 0 : progress.epochsWithoutImprovement + 1
    let lastDrop =
      progress.rateDrops.last.map { ($0 - loop.stepShift) / batches.stepsPerEpoch } ?? 0
    let wait = min(progress.epochsWithoutImprovement, progress.epoch - lastDrop)
    if loop.options.schedule.drops(afterEpochsWithoutImprovement: wait) {
      progress.rateDrops.append(progress.step)
    }
    return isBetter
  }
}

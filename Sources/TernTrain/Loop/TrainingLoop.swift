import TernCluster
import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// Trains a network on a device, epoch by epoch: no files, no settings as text, no signals.
///
/// All graphs are compiled before the first step; a step then uploads a batch, the learning rate and
/// the step number, and replays. Weights and state can be read and written at any time.
///
/// ```swift
/// let loop = try TrainingLoop(model, data: data, on: device)
/// for _ in 0..<3 { print(try loop.trainEpoch(), try loop.evaluate().accuracy) }
/// ```
public final class TrainingLoop {
  /// The network that is trained.
  public let model: Model
  /// What it is trained and measured on.
  public let data: TrainingData
  /// How it is trained.
  public let options: Options
  /// Holds the network's variables on the device.
  public let session: Session
  /// How far training has come.
  public internal(set) var progress = TrainingProgress()

  let batches: BatchSchedule
  let stages: [CompiledStage]
  /// All parameters and running statistics, in the order of the layers.
  let parameters: [Parameter]
  /// Of each stage, where members of a group compute the batches.
  private let exchanges: [UpdateExchange]
  /// The batches of the update under way that this member of a group has computed.
  private var computedCount = 0
  /// What this member of the group asks for with the update under way, and what any asked for with the last.
  var ownRequests: () -> StepRequests = { StepRequests() }
  private(set) var requests = StepRequests()

  /// Plans and compiles, and gives the parameters their initial values.
  ///
  /// - Parameters:
  ///   - objective: what is minimised and measured; the model's own where `nil`.
  /// - Throws: ``TernError`` where data and network do not fit, an option is out of range, or the
  ///   device has not the memory.
  public convenience init(
    _ model: Model, objective: (any Objective)? = nil, data: TrainingData, on device: any Device,
    options: Options = Options()
  ) throws {
    let stages = try objective.map { [TrainingStage($0)] } ?? model.stages()
    if objective == nil { try data.check(model) }
    try self.init(model, stages: stages, data: data, on: device, options: options)
    try initialize()
  }

  /// The same without initial values.
  init(
    _ model: Model, stages: [TrainingStage], data: TrainingData, on device: any Device,
    options: Options
  ) throws {
    try options.check()
    var options = options
    if options.batchNorm == .sync {
      options.statisticsExchange = options.group.map(SharedStatistics.init)
    }
    self.model = model
    self.data = data
    self.options = options
    session = Session(device: device, memoryLimit: options.memoryLimit)
    batches = options.batches(of: data.training.count)
    let (compiled, parameters) = try StageCompiler(
      model: model, stages: stages, options: options, data: data
    ).compile(in: session)
    (self.stages, self.parameters) = (compiled, parameters)
    let batches = batches
    guard let group = options.group, let form = batches.updateForm else {
      exchanges = []
      return
    }
    let trees = [0, batches.batchCount - 1].map(batches.tree)
    exchanges = try compiled.map {
      try UpdateExchange(
        group, stage: $0, update: $0.steps[form]![0], trees: trees,
        waitsForBatch: options.batchNorm == .sync, rounds: options.wire == .bf16)
    }
  }

  /// The plan of a full training step; of several passes, the one that takes most memory.
  public var trainingPlan: Plan {
    stages.flatMap { $0.fullStep.map(\.plan) }.max { $0.peakByteCount < $1.peakByteCount }!
  }

  /// What the network is trained for in the epoch under way.
  var stage: CompiledStage { stages[stageIndex] }

  private var stageIndex: Int {
    stages.firstIndex { progress.epoch < $0.endEpoch ?? .max } ?? stages.count - 1
  }

  private var exchange: UpdateExchange? { exchanges.isEmpty ? nil : exchanges[stageIndex] }

  /// How long the members of the group took so far to add up their sums; `nil` where there is no group.
  public var communicationTime: CommunicationTime? {
    exchanges.isEmpty ? nil : exchanges.map(\.time).reduce(CommunicationTime(), +)
  }

  /// Updates of an epoch.
  public var stepsPerEpoch: Int { batches.stepsPerEpoch }

  var totalSteps: Int {
    min(options.steps ?? .max, options.epochs * batches.stepsPerEpoch + stepShift)
  }

  /// How many more steps are done than the epochs done have now: where the data was mended since.
  var stepShift: Int {
    progress.step - progress.epoch * batches.stepsPerEpoch - batches.updates(before: progress.batch)
  }

  /// The learning rate of a step, counted from 0.
  public func learningRate(ofStep step: Int) -> Double {
    let shift = stepShift
    let planned = (options.scheduleEpochs ?? options.epochs) * batches.stepsPerEpoch
    return options.schedule.rate(
      step: max(step - shift, 0), stepsPerEpoch: batches.stepsPerEpoch,
      totalSteps: min(options.steps ?? .max, planned),
      drops: shift == 0 ? progress.rateDrops : progress.rateDrops.map { $0 - shift })
  }

  // MARK: Steps

  /// Hands over the numbers of a step.
  ///
  /// - Parameter number: the batch's place in its epoch, counted from 0.
  private func uploadNumbers(of number: Int, to executable: Executable, rate: Double) throws {
    try executable.uploadIfRead(Float(rate), toInput: Optimizer.learningRateInput)
    try executable.uploadIfRead(Int32(clamping: progress.step + 1), toInput: Optimizer.stepInput)
    if batches.accumulate > 1 {
      let position = progress.epoch * batches.batchCount + number + 1
      try executable.uploadIfRead(Int32(clamping: position), toInput: TrainingGraph.batchInput)
      try executable.uploadIfRead(
        1 / Float(batches.samplesOfUpdate(withBatch: number)), toInput: BatchSums.scaleInput)
    }
    if let decay = options.averageDecay {
      try executable.uploadIfRead(
        Float(ParameterUpdate.averageRate(step: progress.step + 1, decay: decay)),
        toInput: ParameterUpdate.averageRateInput)
    }
  }

  /// - Parameter number: the batch's place in its epoch, counted from 0.
  func upload(_ batch: Batch, number: Int, to executable: Executable, rate: Double) throws {
    try executable.upload(batch)
    try uploadNumbers(of: number, to: executable, rate: rate)
  }

  /// The batches of the update under way that this member of a group has still to compute.
  private var ownBatches: Range<Int> {
    batches.ownBatches(ofUpdateWith: progress.batch).dropFirst(computedCount)
  }

  /// Starts the next batch of the epoch under way that this member computes.
  ///
  /// - Parameters:
  ///   - rate: the learning rate, where it is not the schedule's.
  ///   - before: called before each pass, with its number.
  /// - Returns: what runs it, and whether the parameters are updated.
  @discardableResult
  func step(
    on batch: Batch, rate: Double? = nil, before: ((_ pass: Int) throws -> Void)? = nil
  ) throws -> (passes: [Executable], isUpdated: Bool) {
    let number = exchange == nil ? progress.batch : ownBatches.lowerBound
    let form = batches.form(ofBatch: number)
    guard let passes = stage.steps[form] else {
      preconditionFailure("no executable for \(form)")
    }
    let rate = rate ?? learningRate(ofStep: progress.step)
    let tree = batches.tree(ofBatch: number)
    options.statisticsExchange?.memberCount = tree.leafCount
    let block = tree.handedOver(withLeaf: number % batches.accumulate, rank: batches.rank)
    for (index, pass) in passes.enumerated() {
      try before?(index)
      try upload(batch, number: number, to: pass, rate: rate)
      if let exchange, let block {
        try exchange.step(pass, handingOver: block, of: tree, requests: ownRequests)
      } else {
        try pass.step()
      }
    }
    if exchange == nil { progress.batch += 1 } else { computedCount += 1 }
    if form.position.isEnd { progress.step += 1 }
    return (passes, form.position.isEnd)
  }

  /// Updates the parameters by the sums of all members' batches, where this member has computed its own.
  ///
  /// - Returns: what runs it; `nil` where a batch of its own is still to be computed, or the update was a
  ///   batch's.
  private func updateTogether(rate: Double) throws -> [Executable]? {
    guard let exchange, let form = batches.updateForm, progress.batch < batches.batchCount,
      ownBatches.isEmpty
    else { return nil }
    let update = stage.steps[form]![0]
    // What the device still computes is no waiting for others.
    if session.device.isAsynchronous { try session.synchronize() }
    requests = try exchange.finish(batches.tree(ofBatch: progress.batch))
    try uploadNumbers(of: progress.batch, to: update, rate: rate)
    try update.step()
    progress.batch = batches.batchesOfUpdate(withBatch: progress.batch).upperBound
    progress.step += 1
    computedCount = 0
    return [update]
  }

  /// A batch that was started.
  struct StartedBatch {
    let sampleCount: Int
    let passes: [Executable]
    let isUpdated: Bool
    let rate: Double
    let loader: BatchLoader
  }

  /// Starts the batches of the epoch under way that are left.
  ///
  /// - Parameters:
  ///   - lastStep: ends after so many steps; by default after those of all epochs.
  ///   - rate: the learning rate of a step, where it is not the schedule's.
  ///   - before: called before each pass, with its number.
  ///   - each: called after each; what comes next is left out where it returns false.
  /// - Returns: whether all were started.
  @discardableResult
  func runBatches(
    until lastStep: Int? = nil, rate: ((_ step: Int) -> Double)? = nil,
    before: ((_ pass: Int, Batch) throws -> Void)? = nil,
    _ each: (StartedBatch) throws -> Bool
  ) throws -> Bool {
    let loader = data.trainingLoader(options, epoch: progress.epoch, startBatch: progress.batch)
    defer { loader.cancel() }
    while progress.step < lastStep ?? totalSteps {
      let rate = rate?(progress.step) ?? learningRate(ofStep: progress.step)
      let start = progress.batch
      if let update = try updateTogether(rate: rate) {
        let started = StartedBatch(
          sampleCount: batches.samplesOfUpdate(withBatch: start), passes: update, isUpdated: true,
          rate: rate, loader: loader)
        guard try each(started) else { return false }
        continue
      }
      guard let batch = try loader.next() else { break }
      let (passes, isUpdated) = try step(
        on: batch, rate: rate, before: before.map { before in { try before($0, batch) } })
      let started = StartedBatch(
        sampleCount: exchange == nil ? batch.count : 0, passes: passes, isUpdated: isUpdated,
        rate: rate, loader: loader)
      guard try each(started) else { return false }
    }
    return true
  }

  // MARK: Epochs

  /// Trains the rest of the epoch under way; the last batch may be smaller than the others.
  ///
  /// - Parameter each: called after each update with the steps done so far.
  /// - Returns: the means over the epoch: `loss`, and the objective's metrics.
  /// - Throws: ``TernError`` of kind `diverged` where the loss is not finite.
  @discardableResult
  public func trainEpoch(_ each: (_ step: Int) throws -> Void = { _ in }) throws -> [String: Double]
  {
    try runBatches(until: options.steps ?? .max) { batch in
      if batch.isUpdated { try each(progress.step) }
      return true
    }
    return try endEpoch()
  }

  /// The batches of the epoch under way that are left, for a loop of one's own: ``train(on:learningRate:)``
  /// with each, then ``endEpoch()``.
  public func epochBatches() -> BatchLoader {
    data.trainingLoader(options, epoch: progress.epoch, startBatch: progress.batch)
  }

  /// Starts a step on the next batch of ``epochBatches()``.
  ///
  /// - Parameter learningRate: that of the schedule where `nil`.
  public func train(on batch: Batch, learningRate: Double? = nil) throws {
    try step(on: batch, rate: learningRate)
    _ = try updateTogether(rate: learningRate ?? self.learningRate(ofStep: progress.step))
  }

  /// Ends the epoch under way.
  ///
  /// - Returns: the means over its batches: `loss`, and the objective's metrics.
  /// - Throws: ``TernError`` of kind `diverged` where the loss is not finite.
  @discardableResult
  public func endEpoch() throws -> [String: Double] {
    // The last update may have no batch of this member.
    _ = try updateTogether(rate: learningRate(ofStep: progress.step))
    try session.synchronize()
    let means = try trainingMetrics()
    try resetTrainingMetrics()
    try closeEpoch()
    return means
  }

  /// Goes to the beginning of the next epoch.
  func closeEpoch() throws {
    let end = stage.endEpoch
    progress.epoch += 1
    progress.batch = 0
    if end == progress.epoch { try resetOptimizer() }
  }

  /// The means over the batches of the epoch under way: sums, divided once.
  func trainingMetrics() throws -> [String: Double] {
    let stage = stage
    let sampleCount = min(progress.batch * options.shardSize, data.training.count)
    var means: [String: Double] = [:]
    for name in stage.metricNames {
      let sum = try sumOfEpoch(TrainingGraph.metricPrefix + name)
      guard sum.isFinite else {
        throw TernError(.diverged, "training diverged: the \(name) is not finite")
      }
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
  func resetTrainingMetrics() throws {
    for name in session.variableNames where name.hasPrefix(TrainingGraph.metricPrefix) {
      try session.write([name: HostTensor([], [Float(0)])])
    }
  }

  /// Measures the network on a set: its test set unless another is given.
  ///
  /// - Parameter check: called before each batch; what it throws ends the evaluation. Not where a group
  ///   measures together.
  public func evaluate(
    _ set: (any Dataset)? = nil, check: () throws -> Void = {}
  ) throws -> EvaluationResult {
    let set = set ?? data.test
    var evaluator = stage.evaluator
    // Sets that were not known at the beginning may have another last batch.
    if !evaluator.covers(set) {
      evaluator = try Evaluator(
        session: session, model: model, batchSize: options.batchSize, sampleCount: set.count,
        objective: stage.objective, targetScale: data.targetScale, seed: options.seed,
        variablePrefix: options.averageDecay == nil ? "" : ParameterUpdate.averagePrefix)
    }
    let loader = data.evaluationLoader(
      set, batchSize: evaluator.batchSize, workers: options.workers, group: options.group,
      storesBytes: evaluator.readsBytes)
    defer { loader.cancel() }
    return try evaluator.evaluate(loader, group: options.group, check: check)
  }

  /// The sheet of the first test samples, where there is something to see.
  func sheet() throws -> SheetPicture? {
    guard let sheet = stage.sheet else { return nil }
    let loader = data.sheetLoader()
    defer { loader.cancel() }
    return try sheet.picture(loader, normalization: data.normalization)
  }
}

import Foundation
import TernCore
import TernData
import TernFormats
import TernNN
import TernOptim

// What the settings of a run describe: its optimizer, schedule and loss.

extension TrainingConfiguration {
  /// The folder that names in a list of pictures start from, as it is found from here; `nil` for this one.
  package var pictureRoot: String? {
    if let root = self.imageRoot { return located(root) }
    return self.workingDirectory == FileSystem.workingDirectory ? nil : self.workingDirectory
  }

  /// How pictures in files become samples of a network.
  package func pictureOptions(for network: Model) -> PictureOptions {
    var options = PictureOptions(size: resolvedImageSize)
    let shape = network.inputShape
    // The network of a file says itself what it reads, unless a size is given.
    if self.imageSize == nil, Model.isFile(self.model), shape.rank == 3, [1, 3].contains(shape[0]) {
      options.shape = shape
    }
    options.cropMode = self.cropMode
    options.cropPart = self.cropPart
    options.root = pictureRoot
    options.channelOrder = self.channelOrder
    return options
  }

  /// Replaces what was left to the optimizer and the schedule by their own numbers.
  ///
  /// - Throws: ``TernError`` of kind `usage` where the settings describe none.
  mutating func resolve() throws {
    // As it was written: 0.9, not the nearest number of half the length.
    func written(_ value: Float) -> Double { Double(value.description) ?? Double(value) }
    self.learningRate = resolvedLearningRate
    switch try makeOptimizer().standardRule {
    case .sgd(let rule, _, let decay), .rmsprop(_, _, let rule, _, let decay):
      self.momentum = self.momentum ?? written(rule)
      self.weightDecay = self.weightDecay ?? written(decay)
    case .momentumEMA(let rho): self.momentum = self.momentum ?? written(rho)
    case .normalizedGradient, nil: break
    case .adagrad(_, let decay), .adadelta(_, _, let decay):
      self.weightDecay = self.weightDecay ?? written(decay)
    case .adam(let beta1, let beta2, _, let decay, _):
      self.betas = self.betas ?? [written(beta1), written(beta2)]
      self.weightDecay = self.weightDecay ?? written(decay)
    }
    guard !self.decoupledDecay || self.weightDecay ?? 0 > 0 else {
      throw TernError(
        .usage,
        "decoupled-decay: expected a \(Setting.flag("weight_decay")) above 0, got \(self.weightDecay ?? 0)"
      )
    }
    switch try makeSchedule().form {
    case .step(_, let factor), .multiStep(_, let factor), .exponential(let factor),
      .plateau(let factor, _):
      self.learningRateFactor = factor
    case .inverse(let factor, let power):
      self.learningRateFactor = factor
      self.learningRatePower = power
    case .sigmoid(let factor, let center):
      (self.learningRateFactor, self.learningRateStep) = (factor, center)
    case .polynomial(let power): self.learningRatePower = power
    case .constant, .inverseSqrt, .cosine, .oneCycle: break
    }
  }

  /// The optimizer the settings describe.
  public func makeOptimizer() throws -> Optimizer {
    try checkOptimizerSettings()
    var values: [String: AttributeValue] = [:]
    if let betas = self.betas { values["betas"] = .list(betas.map(AttributeValue.double)) }
    // The momentum everyone uses, where the optimizer has one and none is given.
    if let momentum = self.momentum {
      values[self.optimizer == "momentum_ema" ? "rho" : "momentum"] = .double(momentum)
    } else if self.optimizer == "sgd" {
      values["momentum"] = .double(0.9)
    }
    if let rho = self.squaresDecay {
      values[self.optimizer == "rmsprop" ? "alpha" : "rho"] = .double(rho)
    }
    if self.nesterov { values["nesterov"] = .bool(true) }
    if let epsilon = self.epsilon { values["eps"] = .double(epsilon) }
    // AdamW's decay is decoupled as it is; other rules get theirs before the step.
    if let weightDecay = self.weightDecay, !self.decoupledDecay || self.optimizer == "adamw" {
      values["weight_decay"] = .double(weightDecay)
    }
    var attributes = Attributes(self.optimizer, values)
    do {
      let result = try Optimizer(self.optimizer, &attributes)
      try attributes.finish()
      return result
    } catch let error as ShapeError {
      throw TernError(.usage, "optimizer \(error)")
    }
  }

  /// Refuses settings that the optimizer has no use for.
  private func checkOptimizerSettings() throws {
    let users: [(setting: String, isGiven: Bool, optimizers: [String])] = [
      ("momentum", self.momentum != nil, ["sgd", "momentum_ema", "rmsprop"]),
      ("rho", self.squaresDecay != nil, ["rmsprop", "adadelta"]),
      ("nesterov", self.nesterov, ["sgd"]), ("betas", self.betas != nil, ["adam", "adamw"]),
      (
        "eps", self.epsilon != nil,
        ["normalized_gradient", "adagrad", "rmsprop", "adadelta", "adam", "adamw"]
      ),
      (
        "weight-decay", self.weightDecay != nil && !self.decoupledDecay,
        ["sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw"]
      ),
    ]
    for user in users where user.isGiven && !user.optimizers.contains(self.optimizer) {
      guard Optimizer.names.contains(self.optimizer) else { return }
      throw TernError(
        .usage,
        "\(user.setting): \(self.optimizer) has none; it is for \(user.optimizers.joined(separator: ", "))"
      )
    }
  }

  /// What becomes of the gradients.
  public func makeUpdate() throws -> ParameterUpdate {
    var update = ParameterUpdate(try makeOptimizer(), clipNorm: self.clipGradient)
    update.l1 = self.l1
    update.l2 = self.l2
    if self.decoupledDecay, self.optimizer != "adamw" {
      update.decoupledDecay = self.weightDecay ?? 0
    }
    update.keepsAverage = self.averageDecay != nil
    if let parameterGroups = self.parameterGroups {
      update.groups = try parameterGroups.split(separator: ";").map {
        try ParameterGroup(parsing: $0.trimmingCharacters(in: .whitespaces))
      }
    }
    return update
  }

  /// What can be chosen about the objectives.
  ///
  /// - Parameter training: whose classes are counted.
  /// - Throws: ``TernError`` of kind `usage` where there is not a weight per class.
  package func makeObjectiveSettings(for training: any Dataset) throws -> ObjectiveSettings {
    ObjectiveSettings(
      lossFunction: try self.loss.map(LossFunction.init(parsing:)),
      labelSmoothing: self.labelSmoothing,
      classWeights: try self.classWeights.map { try Self.weights($0, of: training) } ?? [],
      isMixed: try Augmentation(self.augment).mixup != nil, gibbsSteps: self.gibbsSteps,
      pretrainingEpochs: self.pretrainingEpochs, damage: self.damage, furtherMetric: furtherMetric)
  }

  /// The area under the curve takes all scores sorted: it is measured where it is asked for.
  private var furtherMetric: Metric? {
    let metric = self.monitor.flatMap(MonitoredMetric.named)?.metric
    return metric == .auc ? metric : nil
  }

  /// What the network is for in the end, as the settings say: how it is measured.
  public func objective(of model: Model) throws -> any Objective {
    let settings = ObjectiveSettings(
      lossFunction: try self.loss.map(LossFunction.init(parsing:)), gibbsSteps: self.gibbsSteps,
      damage: self.damage, furtherMetric: furtherMetric)
    return try model.stages(settings).last!.objective
  }

  /// The task that is asked for; `nil` for the model's own.
  public func chosenTask() throws -> ModelTask? { try self.task.map(ModelTask.named) }

  /// The network for data.
  ///
  /// - Parameter path: where its file is, if not at the place of the settings.
  public func network(_ path: String? = nil, for set: any Dataset) throws -> Model {
    try network(
      path, sampleShape: set.sampleShape, targetCount: set.classCount,
      vocabularyCount: set.vocabularyCount)
  }

  /// - Parameters:
  ///   - targetCount: how many classes there are, or numbers to be predicted.
  ///   - vocabularyCount: how many tokens there are, where samples are text.
  public func network(
    _ path: String? = nil, sampleShape: Shape, targetCount: Int, vocabularyCount: Int? = nil
  ) throws -> Model {
    if let classes = self.classes, classes != targetCount {
      throw TernError(.usage, "classes: \(classes), where the data has \(targetCount)")
    }
    let function = try self.loss.map(LossFunction.init(parsing:))
    // How wide the outputs are that are compared with one another, the data does not say.
    let isPaired = function?.form == .pairs
    return try Model.named(
      path ?? self.model, inputShape: sampleShape,
      classCount: isPaired ? nil : targetCount * (function?.outputsPerTarget ?? 1),
      task: chosenTask(), vocabularyCount: vocabularyCount)
  }

  /// What of the data is to be predicted, for a network.
  func targetSelection(for model: Model) throws -> TargetSelection {
    let kind: TargetSelection.Kind =
      switch model.task {
      case .regression, .pairAssociation, .ownLosses(ofNumbers: true): .numbers
      case .multilabel: .labels
      case .languageModel: .tokens
      default: .classes
      }
    // A file says how many vectors of tokens it has; the networks that come with Tern have as many as
    // there are tokens.
    let limit = ModelFile.isPath(self.model) ? model.vocabularyCount : nil
    return TargetSelection(
      kind, samples: self.samples,
      columns: self.target.map { $0.split(separator: ",").map(String.init) } ?? [],
      testSplit: self.testSplit,
      text: TextOptions(
        self.tokens, vocabularyLimit: min(self.vocabulary, limit ?? self.vocabulary),
        length: self.sequenceLength ?? model.inputShape.first ?? 64, column: self.textColumn))
  }

  /// `auto`: samples / (classes · samples of the class), or pixels; a class without any weighs nothing.
  private static func weights(_ text: String, of set: any Dataset) throws -> [Float] {
    if text == "auto" {
      let counts = try classCounts(of: set)
      let all = counts.reduce(0, +)
      return counts.map { $0 == 0 ? 0 : Float(all) / Float(set.classCount * $0) }
    }
    let weights = numbers(text) ?? []
    guard weights.count == set.classCount, weights.contains(where: { $0 > 0 }) else {
      throw TernError(
        .usage,
        "class-weights: expected \(set.classCount) numbers, one above 0, got '\(text)'")
    }
    return weights.map(Float.init)
  }

  /// How often each class occurs, in pixels where each has one.
  private static func classCounts(of set: any Dataset) throws -> [Int] {
    var counts = [Int](repeating: 0, count: set.classCount)
    guard set.targetShape.rank == 2 else {
      for index in 0..<set.count { counts[Int(set.label(index))] += 1 }
      return counts
    }
    var targets = [Int32](repeating: 0, count: set.targetShape.elementCount)
    for index in 0..<set.count {
      try targets.withUnsafeMutableBufferPointer { try set.copyTarget(index, to: $0.baseAddress!) }
      for target in targets where target >= 0 { counts[Int(target)] += 1 }
    }
    return counts
  }

  /// The schedule the settings describe.
  public func makeSchedule() throws -> Schedule {
    try Schedule(
      named: self.schedule, baseRate: resolvedLearningRate, warmupEpochs: self.warmupEpochs,
      parameters: scheduleParameters)
  }

  /// How the network is trained on the data, from the first epoch on.
  ///
  /// - Throws: ``TernError`` of kind `usage` where data, settings and network do not go together.
  func stages(of model: Model, for data: TrainingData) throws -> [TrainingStage] {
    let stages = try model.stages(makeObjectiveSettings(for: data.training))
    let before = stages.compactMap(\.epochCount).reduce(0, +)
    guard self.epochs > before else {
      throw TernError(
        .usage,
        "epochs: \(model.name) is pre-trained for \(before) epochs; give more than that, got "
          + "\(self.epochs)")
    }
    try data.check(model)
    let classSettings = [
      ("class-weights", self.classWeights != nil),
      ("label-smoothing", self.labelSmoothing > 0),
    ]
    for (name, isGiven) in classSettings
    where isGiven
      && !stages.contains(where: {
        $0.objective is Classification
          || name == "label-smoothing" && $0.objective is LanguageModeling
      })
    {
      throw TernError(.usage, "\(name): it is for classifiers, which \(model.name) is not")
    }
    guard
      try Augmentation(self.augment).mixup == nil
        || stages.allSatisfy({ $0.objective is Classification })
    else {
      throw TernError(.usage, "augment: mixup is for classifiers, which \(model.name) is not")
    }
    for needed in stages.compactMap(\.objective.requiredNormalization) {
      let wanted = try Normalization(needed, statisticsOf: data.training)
      guard data.normalization == wanted else {
        throw TernError(.usage, "normalize: \(model.name) is trained with \(needed) only")
      }
    }
    return stages
  }

  /// How the loop is to train.
  func makeOptions() throws -> TrainingLoop.Options {
    var options = TrainingLoop.Options(batchSize: self.batchSize, epochs: self.epochs)
    options.steps = self.steps
    options.update = try makeUpdate()
    options.schedule = try makeSchedule()
    options.scheduleEpochs = self.scheduleEpochs
    options.accumulate = self.accumulate
    options.shards = self.shards ?? 1
    options.bucketByteCount = ByteCount.parse(self.bucket) ?? options.bucketByteCount
    options.wire = self.wire
    options.batchNorm = self.batchNorm
    options.averageDecay = self.averageDecay
    options.seed = self.seed
    options.shuffles = self.shuffle
    options.workers = self.workers
    options.frozen = FrozenParameters(self.freeze ?? "")
    options.keepsGradients = self.histograms
    options.folds = self.folds
    options.batchSizeWords = { "\(Setting.flag("batch_size")) \($0)" }
    options.memoryLimit = self.memory.flatMap(ByteCount.parse)
    return options
  }
}

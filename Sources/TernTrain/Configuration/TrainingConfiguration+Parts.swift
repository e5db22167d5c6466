import TernCore
import TernData
import TernOptim

// What the settings of a run describe: its optimizer, schedule and loss.

extension TrainingConfiguration {
  /// Replaces what was left to the optimizer and the schedule by their own numbers.
  ///
  /// - Throws: ``TernError`` of kind `usage` where the settings describe none.
  mutating func resolve() throws {
    // As it was written: 0.9, not the nearest number of half the length.
    func written(_ value: Float) -> Double { Double(value.description) ?? Double(value) }
    learningRate = resolvedLearningRate
    switch try makeOptimizer().standardRule {
    case .sgd(let rule, _, let decay), .rmsprop(_, _, let rule, _, let decay):
      momentum = momentum ?? written(rule)
      weightDecay = weightDecay ?? written(decay)
    case .momentumEMA(let rho): momentum = momentum ?? written(rho)
    case .normalizedGradient, nil: break
    case .adagrad(_, let decay), .adadelta(_, _, let decay):
      weightDecay = weightDecay ?? written(decay)
    case .adam(let beta1, let beta2, _, let decay, _):
      betas = betas ?? [written(beta1), written(beta2)]
      weightDecay = weightDecay ?? written(decay)
    }
    guard !decoupledDecay || weightDecay ?? 0 > 0 else {
      throw TernError(
        .usage, "decoupled-decay: expected a --weight-decay above 0, got \(weightDecay ?? 0)")
    }
    switch try makeSchedule().form {
    case .step(_, let factor), .multiStep(_, let factor), .exponential(let factor),
      .plateau(let factor, _):
      scheduleParameters.factor = factor
    case .constant, .inverseSqrt, .cosine, .oneCycle: break
    }
  }

  /// The optimizer the settings describe.
  public func makeOptimizer() throws -> Optimizer {
    try checkOptimizerSettings()
    var values: [String: AttributeValue] = [:]
    if let betas { values["betas"] = .list(betas.map(AttributeValue.double)) }
    // The momentum everyone uses, where the optimizer has one and none is given.
    if let momentum {
      values[optimizer == "momentum_ema" ? "rho" : "momentum"] = .double(momentum)
    } else if optimizer == "sgd" {
      values["momentum"] = .double(0.9)
    }
    if nesterov { values["nesterov"] = .bool(true) }
    // AdamW's decay is decoupled as it is; other rules get theirs before the step.
    if let weightDecay, !decoupledDecay || optimizer == "adamw" {
      values["weight_decay"] = .double(weightDecay)
    }
    var attributes = Attributes(optimizer, values)
    do {
      let result = try Optimizer(optimizer, &attributes)
      try attributes.finish()
      return result
    } catch let error as ShapeError {
      throw TernError(.usage, "optimizer \(error)")
    }
  }

  /// Refuses settings that the optimizer has no use for.
  private func checkOptimizerSettings() throws {
    let users: [(setting: String, isGiven: Bool, optimizers: [String])] = [
      ("momentum", momentum != nil, ["sgd", "momentum_ema", "rmsprop"]),
      ("nesterov", nesterov, ["sgd"]), ("betas", betas != nil, ["adam", "adamw"]),
      (
        "weight-decay", weightDecay != nil && !decoupledDecay,
        ["sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw"]
      ),
    ]
    for user in users where user.isGiven && !user.optimizers.contains(optimizer) {
      guard Optimizer.names.contains(optimizer) else { return }
      throw TernError(
        .usage,
        "\(user.setting): \(optimizer) has none; it is for \(user.optimizers.joined(separator: ", "))"
      )
    }
  }

  /// What becomes of the gradients.
  public func makeUpdate() throws -> ParameterUpdate {
    var update = ParameterUpdate(try makeOptimizer(), clipNorm: clipGradient)
    update.l1 = l1
    update.l2 = l2
    if decoupledDecay, optimizer != "adamw" { update.decoupledDecay = weightDecay ?? 0 }
    update.keepsAverage = averageDecay != nil
    return update
  }

  /// The loss that is minimised.
  ///
  /// - Parameter training: whose classes are counted.
  /// - Throws: ``TernError`` of kind `usage` where there is not a weight per class.
  public func makeLoss(for training: any Dataset) throws -> LossFunction {
    LossFunction(
      labelSmoothing: labelSmoothing,
      classWeights: try classWeights.map { try Self.weights($0, of: training) } ?? [])
  }

  /// What can be chosen about the objectives.
  func makeObjectiveSettings(for training: any Dataset) throws -> ObjectiveSettings {
    ObjectiveSettings(
      loss: try makeLoss(for: training), isMixed: try Augmentation(augment).mixup != nil,
      gibbsSteps: gibbsSteps,
      pretrainingEpochs: pretrainingEpochs)
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
      named: schedule, baseRate: resolvedLearningRate, warmupEpochs: warmupEpochs,
      parameters: scheduleParameters)
  }
}

import TernCore
import TernData
import TernOptim

// What the settings of a run describe: its optimizer, schedule and loss.

extension TrainingConfiguration {
  /// The optimizer the settings describe.
  public func makeOptimizer() throws -> Optimizer {
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
  func makeLoss(for training: any Dataset) throws -> LossFunction {
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

  /// `auto`: samples / (classes · samples of the class); a class without samples weighs nothing.
  private static func weights(_ text: String, of set: any Dataset) throws -> [Float] {
    if text == "auto" {
      var counts = [Int](repeating: 0, count: set.classCount)
      for index in 0..<set.count { counts[Int(set.label(index))] += 1 }
      return counts.map { $0 == 0 ? 0 : Float(set.count) / Float(set.classCount * $0) }
    }
    let weights = numbers(text) ?? []
    guard weights.count == set.classCount, weights.contains(where: { $0 > 0 }) else {
      throw TernError(
        .usage,
        "class-weights: expected \(set.classCount) numbers, one above 0, got '\(text)'")
    }
    return weights.map(Float.init)
  }

  /// The schedule the settings describe.
  public func makeSchedule() throws -> Schedule {
    try Schedule(
      named: schedule, baseRate: resolvedLearningRate, warmupEpochs: warmupEpochs,
      parameters: scheduleParameters)
  }
}

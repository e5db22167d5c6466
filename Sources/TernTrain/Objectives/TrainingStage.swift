import TernCore
import TernNN

/// A part of a run with one objective.
struct TrainingStage: Sendable {
  let objective: any Objective
  /// How many epochs it takes; all that are left where `nil`.
  let epochCount: Int?

  init(_ objective: any Objective, epochCount: Int? = nil) {
    self.objective = objective
    self.epochCount = epochCount
  }
}

/// What can be chosen about objectives.
package struct ObjectiveSettings: Sendable {
  /// What is minimised, where outputs are held against targets; the task's own where `nil`.
  var lossFunction: LossFunction?
  /// How much of a classifier's target is spread over all classes.
  var labelSmoothing = 0.0
  /// What the samples of each class count; all the same where empty.
  package var classWeights: [Float] = []
  /// Whether training samples are mixed of two.
  var isMixed = false
  /// The steps of a Gibbs chain in contrastive divergence.
  var gibbsSteps = 1
  /// The epochs that each machine of a belief network is trained before all are.
  var pretrainingEpochs = 1
  /// The part of a pattern that an associative memory is asked to make up for.
  var damage = 0.15
  /// What logs show of a classifier besides loss and accuracy.
  var furtherMetric: Metric?

  /// The loss of a classifier.
  func classLoss(_ name: String = "cross_entropy") -> LossFunction {
    var loss = lossFunction ?? LossFunction(name)
    (loss.labelSmoothing, loss.classWeights) = (labelSmoothing, classWeights)
    return loss
  }
}

extension Model {
  /// How a network of this kind is trained, from the first epoch on; the last stage is what it is
  /// for, and takes the epochs that the others leave.
  func stages(_ settings: ObjectiveSettings = ObjectiveSettings()) throws -> [TrainingStage] {
    func machines() throws -> [ContrastiveDivergence] {
      let parts = layers.layers.filter { $0.layer is RestrictedBoltzmannMachine }
      guard !parts.isEmpty else {
        throw TernError(.badData, "model \(name) has no restricted Boltzmann machine")
      }
      return parts.map {
        ContrastiveDivergence(part: $0.name ?? "", steps: settings.gibbsSteps)
      }
    }
    if let loss = settings.lossFunction {
      let takesNumbers = [.regression, .multilabel].contains(task)
      guard !isMemory else {
        throw TernError(.usage, "loss: \(name) is trained for \(task.name), which has its own")
      }
      guard !takesNumbers || loss.form != .classes, takesNumbers || loss.form != .pairs else {
        throw TernError(
          .usage,
          "loss: \(loss.name) holds outputs against \(loss.form == .pairs ? "pairs" : "classes"), "
            + "\(name) is trained for \(task.name)")
      }
      guard !isGenerative else {
        throw TernError(.usage, "loss: \(name) is trained for \(task.name), which has its own")
      }
    }
    switch task {
    case .classification, .segmentation:
      return [
        TrainingStage(
          Classification(
            settings.classLoss(), isMixed: settings.isMixed,
            furtherMetric: task == .segmentation ? .meanIoU : settings.furtherMetric))
      ]
    case .perceptron, .hebbian, .adaline:
      // Each is descent on the loss of the same name.
      return [
        TrainingStage(Classification(settings.classLoss(task.name), isMixed: settings.isMixed))
      ]
    case .languageModel: return [TrainingStage(LanguageModeling(settings.classLoss()))]
    case .regression:
      return [TrainingStage(settings.lossFunction.map(Regression.init) ?? Regression())]
    case .multilabel:
      return [
        TrainingStage(
          settings.lossFunction.map(MultilabelClassification.init) ?? MultilabelClassification())
      ]
    case .reconstruction(let noise): return [TrainingStage(Reconstruction(noise: noise))]
    case .variational: return [TrainingStage(Variational())]
    case .adversarial: return [TrainingStage(Adversarial())]
    case .contrastiveDivergence: return [TrainingStage(try machines().last!)]
    case .beliefNetwork:
      return try machines().map {
        TrainingStage($0, epochCount: settings.pretrainingEpochs)
      } + [TrainingStage(Classification(settings.classLoss()))]
    case .boltzmannMachine:
      let part = try partName(BoltzmannMachine.self)
      return [TrainingStage(BoltzmannLearning(part: part, sweeps: settings.gibbsSteps))]
    case .deepBoltzmannMachine:
      let part = try partName(DeepBoltzmannMachine.self)
      let depth = (try self.part(part) as? DeepBoltzmannMachine)?.hiddenCounts.count ?? 0
      return (0..<depth).map {
        TrainingStage(
          LayerwisePretraining(part: part, level: $0, steps: settings.gibbsSteps),
          epochCount: settings.pretrainingEpochs)
      } + [TrainingStage(DeepBoltzmannLearning(part: part, steps: settings.gibbsSteps))]
    case .association:
      return [
        TrainingStage(
          Association(part: try partName(HopfieldNetwork.self), damage: settings.damage))
      ]
    case .pairAssociation:
      return [
        TrainingStage(
          PairAssociation(part: try partName(BidirectionalMemory.self), damage: settings.damage))
      ]
    case .ownLosses(let takesNumbers):
      return [TrainingStage(OwnLosses(takesNumbers: takesNumbers))]
    case .logic:
      throw TernError(
        .usage, "\(name) has nothing to learn; test it as it is")
    }
  }

  /// Whether it stores patterns.
  private var isMemory: Bool { [.association, .pairAssociation, .logic].contains(task) }

  /// What the network is for.
  public func objective() throws -> any Objective { try stages().last!.objective }
}

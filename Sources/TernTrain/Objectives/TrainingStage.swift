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
struct ObjectiveSettings: Sendable {
  /// What a classifier minimises.
  var loss = LossFunction()
  /// Whether training samples are mixed of two.
  var isMixed = false
  /// The steps of a Gibbs chain in contrastive divergence.
  var gibbsSteps = 1
  /// The epochs that each machine of a belief network is trained before all are.
  var pretrainingEpochs = 1
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
    switch task {
    case .classification, .segmentation:
      return [TrainingStage(Classification(settings.loss, isMixed: settings.isMixed))]
    case .perceptron:
      let loss = settings.loss
      return [
        TrainingStage(
          Classification(
            LossFunction(
              LossFunction.perceptronName, labelSmoothing: loss.labelSmoothing,
              classWeights: loss.classWeights), isMixed: settings.isMixed))
      ]
    case .reconstruction(let noise): return [TrainingStage(Reconstruction(noise: noise))]
    case .variational: return [TrainingStage(Variational())]
    case .adversarial: return [TrainingStage(Adversarial())]
    case .contrastiveDivergence: return [TrainingStage(try machines().last!)]
    case .beliefNetwork:
      return try machines().map {
        TrainingStage($0, epochCount: settings.pretrainingEpochs)
      } + [TrainingStage(Classification(settings.loss))]
    }
  }

  /// What the network is for.
  public func objective() throws -> any Objective { try stages().last!.objective }
}

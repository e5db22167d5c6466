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

extension Model {
  /// How a network of this kind is trained, from the first epoch on; the last stage is what it is
  /// for, and takes the epochs that the others leave.
  ///
  /// - Parameter loss: what a classifier minimises.
  func stages(loss: LossFunction = LossFunction()) throws -> [TrainingStage] {
    switch task {
    case .classification, .segmentation: [TrainingStage(Classification(loss))]
    case .perceptron:
      [
        TrainingStage(
          Classification(
            LossFunction(
              LossFunction.perceptronName, labelSmoothing: loss.labelSmoothing,
              classWeights: loss.classWeights)))
      ]
    }
  }

  /// What the network is for.
  public func objective(loss: LossFunction = LossFunction()) throws -> any Objective {
    try stages(loss: loss).last!.objective
  }
}

import TernCore
import TernData
import TernGraph
import TernNN

/// Numbers per sample: outputs [N, T] against targets [N, T], by the mean squared error unless another
/// loss is asked for; the loss is that of the numbers as they were scaled for the network.
///
/// The Gaussian loss takes outputs [N, 2T]: a mean and the logarithm of a variance each (Nix, Weigend,
/// "Estimating the mean and variance of the target probability distribution", 1994). The contrastive loss
/// takes a network with two outputs [N, D] and one target, 1 where they belong together.
public struct Regression: Objective {
  /// What is minimised.
  public let lossFunction: LossFunction

  /// Numbers, by a loss.
  public init(_ loss: LossFunction = LossFunction("mse_loss")) { lossFunction = loss }

  public var metrics: [Metric] { [.loss, .mse, .mae, .r2] }

  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    guard lossFunction.form != .pairs else { return nil }
    return RegressionMetrics(
      targetScale ?? .identity(classCount / lossFunction.outputsPerTarget))
  }

  public func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let outputs = try model.forward(samples.inputs(), in: context)
    let width = outputs[0].shape.rank == 2 ? outputs[0].shape[1] : 0
    let count = lossFunction.form == .pairs ? 1 : width / lossFunction.outputsPerTarget
    guard outputs[0].shape.rank == 2, count > 0 else {
      throw TernError(
        .badData,
        "model \(model.name) ends in shape \(outputs[0].shape), not in numbers [N, T] to be predicted"
      )
    }
    let targets = try samples.targets(TensorType([samples.batchSize, count]))
    let loss = try context.builder.scope("loss") { try lossFunction.apply(outputs, targets) }
    return LossTerms(loss: loss, logits: lossFunction.form == .pairs ? nil : outputs[0])
  }
}

/// Labels per sample of which each holds (1) or does not (0): scores [N, L], by the binary cross-entropy
/// of their sigmoids unless another loss is asked for; one of margins takes 1 and −1.
public struct MultilabelClassification: Objective {
  /// What is minimised.
  public let lossFunction: LossFunction

  /// Labels, each of which a sample has or not, by a loss.
  public init(_ loss: LossFunction = LossFunction("binary_cross_entropy_with_logits")) {
    lossFunction = loss
  }

  public var monitoredMetric: Metric? { .accuracy }
  public var metrics: [Metric] { [.accuracy, .loss, .f1, .auc] }

  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    MultilabelMetrics(labelCount: classCount)
  }

  public func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let scores = try model.forward(samples.inputs(), in: context)[0]
    guard scores.shape.rank == 2, ![.classes, .pairs].contains(lossFunction.form) else {
      throw TernError(
        .usage,
        "loss: \(lossFunction.name) is not for labels of a network that ends in \(scores.shape)")
    }
    var targets = try samples.targets(TensorType(scores.shape))
    if lossFunction.form == .signs { targets = try targets.affine(scale: 2, shift: -1) }
    let loss = try context.builder.scope("loss") { try lossFunction.apply([scores], targets) }
    return LossTerms(loss: loss, logits: scores)
  }
}

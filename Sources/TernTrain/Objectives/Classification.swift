import TernCore
import TernData
import TernGraph
import TernNN

/// A class per sample from scores [N, classes], or a class per pixel from scores
/// [N, classes, H, W]; the loss is cross-entropy unless another is asked for,
/// and those of auxiliary heads are added to it. A loss that holds each output against a number gets 1 for
/// the true class and 0 for the others, one of margins 1 and −1: every class against the rest. Label smoothing and class weights are for training
/// alone: the loss that is measured is the plain mean over the samples.
public struct Classification: Objective {
  /// What is minimised.
  public let lossFunction: LossFunction
  /// The type of the targets, where they are not class numbers.
  public let targetType: TensorType?
  /// Whether the training samples are mixed of two: the loss is λ·L(target) + (1 − λ)·L(partner),
  /// which for the cross-entropy is that of the mixed targets. Where classes have weights, each of the
  /// two counts with its own, and the sum is divided by the number of samples, as PyTorch's
  /// cross-entropy of class probabilities is, not by the weights.
  public let isMixed: Bool
  /// What logs show besides loss and accuracy: ``Metric/meanIoU`` of pixels, ``Metric/auc`` of samples.
  public let furtherMetric: Metric?

  /// Classes, by a loss.
  public init(
    _ loss: LossFunction = LossFunction(), targetType: TensorType? = nil, isMixed: Bool = false,
    furtherMetric: Metric? = nil
  ) {
    lossFunction = loss
    self.furtherMetric = furtherMetric
    self.isMixed = isMixed
    self.targetType = targetType
  }

  public var monitoredMetric: Metric? { .accuracy }
  public var metrics: [Metric] { [.accuracy, .loss] + (furtherMetric.map { [$0] } ?? []) }
  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    ClassificationMetrics(classCount: classCount, furtherMetric: furtherMetric)
  }

  public func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let logits = try model.forward(samples.inputs(), in: context)[0]
    let targets = try samples.targets(targetType ?? Self.labelType(logits.shape))
    // Measured is what the network says of each sample, however it is taught.
    let function =
      context.mode == .training ? lossFunction : lossFunction.plain
    let isWeightedMixture =
      isMixed && context.mode == .training && !function.classWeights.isEmpty
    func mean(_ output: Tensor, _ targets: Tensor) throws -> Tensor {
      let fitting = try fitted(targets, to: output)
      guard isWeightedMixture else { return try function.apply([output], fitting) }
      return try function.apply([output], fitting, reduction: .sum)
        .affine(scale: 1 / Float(targets.shape.elementCount))
    }
    func sum(_ targets: Tensor) throws -> Tensor {
      var sum = try mean(logits, targets)
      for (output, weight) in context.auxiliaryOutputs {
        sum = try sum + mean(output, targets).affine(scale: weight)
      }
      return sum
    }
    let loss = try context.builder.scope("loss") {
      guard isMixed, context.mode == .training else { return try sum(targets) }
      let (partners, mix) = try samples.partners()
      return try mix * sum(targets) + mix.affine(scale: -1, shift: 1) * sum(partners)
    }
    return LossTerms(
      loss: loss, logits: logits, weight: try weight(of: targets, by: function, for: logits))
  }

  /// Class numbers as the loss takes them: [N, classes] of 0 and 1, or −1 and 1, where it does not take
  /// numbers of classes.
  private func fitted(_ targets: Tensor, to output: Tensor) throws -> Tensor {
    guard targetType == nil, lossFunction.form != .classes else { return targets }
    guard output.shape.rank == 2, lossFunction.form != .pairs else {
      throw TernError(
        .usage, "loss: \(lossFunction.name) is not for a network that ends in \(output.shape)")
    }
    let count = output.shape[1]
    let low: Float = lossFunction.form == .signs ? -1 : 0
    var rows = [Float](repeating: low, count: count * count)
    for c in 0..<count { rows[c * count + c] = 1 }
    return try targets.embedding(
      weight: output.builder.constant(HostTensor([count, count], rows)))
  }

  /// The sum of the weights of the targets that count; `nil` where each sample counts one.
  private func weight(
    of targets: Tensor, by function: LossFunction, for logits: Tensor
  ) throws -> Tensor? {
    guard function.name == LossFunction().name, !isMixed,
      logits.shape.rank > 2 || !function.classWeights.isEmpty
    else { return nil }
    return try logits.builder.scope("weight") {
      let weights = function.classWeights
      return try logits.affine(scale: 0, shift: -1).nllLoss(
        targets,
        weight: weights.isEmpty
          ? nil : logits.builder.constant(HostTensor([weights.count], weights)),
        reduction: .sum)
    }
  }

  public func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let terms = try loss(of: .only, model, on: samples, in: context)
    let shape = terms.logits?.shape ?? []
    guard shape.rank >= 2, shape[1] == model.classCount,
      model.task == .segmentation
        ? shape.dimensions.dropFirst(2) == model.inputShape.dimensions.dropFirst()
        : shape.rank == 2
    else {
      throw TernError(
        .badData,
        "model \(model.name) ends in shape \(shape), not in \(model.classCount) classes"
          + (model.task == .segmentation ? " for every pixel" : ""))
    }
    return terms
  }

  /// The targets of logits [N, C, …]: class numbers [N, …].
  static func labelType(_ logits: Shape) -> TensorType {
    TensorType(Shape(Array(logits.dimensions.prefix(1) + logits.dimensions.dropFirst(2))), .int32)
  }
}

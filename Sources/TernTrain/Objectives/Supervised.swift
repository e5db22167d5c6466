import TernCore
import TernData
import TernGraph
import TernNN

/// A loss of one's own: outputs of a network against the targets of the data.
///
/// ```swift
/// let objective = Supervised { outputs, targets in
///   try (outputs[0] - targets).square().mean()
/// }
/// ```
///
/// Where targets are classes they come as numbers [N], int32; numbers to be predicted are [N, T].
public struct Supervised: Objective {
  public let monitoredMetric: Metric?
  private let type: TensorType?
  private let body: @Sendable ([Tensor], Tensor) throws -> Tensor

  /// - Parameters:
  ///   - targets: the targets of one sample, [] int32 for a class; by default numbers [T], as many as
  ///     the network's first output has.
  ///   - monitor: which epoch is best.
  ///   - loss: appends the loss [], the mean over the batch.
  public init(
    targets: TensorType? = nil, monitor: Metric? = .loss,
    _ loss: @escaping @Sendable (_ outputs: [Tensor], _ targets: Tensor) throws -> Tensor
  ) {
    type = targets
    monitoredMetric = monitor
    body = loss
  }

  private var isClasses: Bool { type?.dataType == .int32 }

  public var metrics: [Metric] {
    isClasses ? [.loss, .accuracy] : type == nil ? [.loss, .mse, .mae, .r2] : [.loss]
  }

  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    if isClasses { return ClassificationMetrics(classCount: classCount) }
    return type == nil ? RegressionMetrics(targetScale ?? .identity(classCount)) : nil
  }

  public func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let outputs = try model.forward(samples.inputs(), in: context)
    let own = type ?? TensorType(Shape(Array(outputs[0].shape.dimensions.dropFirst())))
    let targets = try samples.targets(Field(Field.targetsName, own).batched(samples.batchSize))
    let loss = try context.builder.scope("loss") { try body(outputs, targets) }
    guard loss.shape == [] else {
      throw TernError(
        .usage,
        "the loss has shape \(loss.shape); it is one number, such as the mean over the batch")
    }
    return LossTerms(loss: loss, logits: outputs[0])
  }
}

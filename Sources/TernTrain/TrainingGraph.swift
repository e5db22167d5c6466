import TernCore
import TernGraph
import TernNN
import TernOptim

/// The loss a network is trained with.
public struct LossFunction: Hashable, Sendable {
  /// An operation's functional name, such as `cross_entropy`.
  public let name: String
  public var labelSmoothing: Double
  /// What the samples of each class count; all the same where empty.
  public var classWeights: [Float]

  public init(
    _ name: String = "cross_entropy", labelSmoothing: Double = 0, classWeights: [Float] = []
  ) {
    self.name = name
    self.labelSmoothing = labelSmoothing
    self.classWeights = classWeights
  }

  func apply(_ logits: Tensor, _ targets: Tensor) throws -> Tensor {
    guard let operation = OperationSpec.named(name), operation.inputs.contains("target") else {
      throw TernError(.usage, "unknown loss '\(name)'")
    }
    var attributes: [String: AttributeValue] = [:]
    if labelSmoothing > 0 { attributes["label_smoothing"] = .double(labelSmoothing) }
    var inputs = ["input": logits, "target": targets]
    if !classWeights.isEmpty {
      inputs["weight"] = logits.builder.constant(HostTensor([classWeights.count], classWeights))
    }
    return try operation.build(Attributes(name, attributes), inputs)[0]
  }
}

/// One training step as a graph: forward, loss, backward and the update of every parameter.
///
/// Inputs: `images` [N, C, H, W], `targets` [N], `step` [], `batch` [] (what dropout draws from, where
/// it is not the step), and where the parameters are updated `learning_rate` []. The loss is an
/// output, and is also summed on the device, weighted by the batch, so that an epoch's mean needs no
/// reading per step.
public struct TrainingGraph {
  public static let imagesInput = "images"
  public static let targetsInput = "targets"
  public static let lossOutput = "loss"
  /// The variable that sums loss · batch size.
  public static let lossSumVariable = "metrics.loss_sum"

  public let graph: Graph
  /// The parameters and running statistics, in the order of the layers.
  public let parameters: [Parameter]

  /// The number of the batch in the run, counted from 1: read in place of the step number where an
  /// update has several batches.
  public static let batchInput = "batch"

  /// - Parameter position: where the batch stands among those of one update.
  public init(
    model: Model, batchSize: Int, update: ParameterUpdate, seed: UInt64,
    loss: LossFunction = LossFunction(), targetType: TensorType? = nil,
    position: ParameterUpdate.Position = .only
  ) throws {
    let builder = GraphBuilder()
    let images = try builder.input(
      Self.imagesInput, Shape([batchSize] + model.inputShape.dimensions))
    let targets = try builder.input(
      Self.targetsInput, targetType ?? TensorType([batchSize], .int32))
    let step = try builder.input(Optimizer.stepInput, TensorType([], .int32))
    let batch =
      position == .only ? step : try builder.input(Self.batchInput, TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, seed: seed, step: batch)
    let logits = try model.forward(images, in: context)
    let value = try builder.scope("loss") { try loss.apply(logits, targets) }
    builder.output(Self.lossOutput, value)
    try builder.scope("metrics") {
      let sum = try builder.variable(Self.lossSumVariable, [])
      builder.assign(sum, try sum + value.affine(scale: Float(batchSize)))
    }

    let trainable = context.parameters.filter(\.isTrainable)
    let gradients = try builder.gradients(of: value, withRespectTo: trainable.map(\.tensor))
    var updates: [ParameterUpdate.Update] = []
    for (parameter, gradient) in zip(trainable, gradients) {
      guard let gradient else {
        throw TernError(.badData, "no gradient reaches parameter \(parameter.name)")
      }
      updates.append((parameter.tensor, gradient))
    }
    try update.append(
      updates, parameters: context.parameters, batchSize: batchSize, position: position,
      in: builder, learningRate: try builder.input(Optimizer.learningRateInput, []), step: step)
    graph = builder.graph
    parameters = context.parameters
  }
}

import TernCore
import TernGraph
import TernNN
import TernOptim

/// The loss a network is trained with.
public struct LossFunction: Hashable, Sendable {
  /// An operation's functional name, such as `cross_entropy`.
  public let name: String
  public var labelSmoothing: Double

  public init(_ name: String = "cross_entropy", labelSmoothing: Double = 0) {
    self.name = name
    self.labelSmoothing = labelSmoothing
  }

  func apply(_ logits: Tensor, _ targets: Tensor) throws -> Tensor {
    guard let operation = OperationSpec.named(name), operation.inputs.contains("target") else {
      throw TernError(.usage, "unknown loss '\(name)'")
    }
    var attributes: [String: AttributeValue] = [:]
    if labelSmoothing > 0 { attributes["label_smoothing"] = .double(labelSmoothing) }
    return try operation.build(
      Attributes(name, attributes), ["input": logits, "target": targets])[0]
  }
}

/// One training step as a graph: forward, loss, backward and the update of every parameter.
///
/// Inputs: `images` [N, C, H, W], `targets` [N], `learning_rate` [], `step` []. The loss is an
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

  public init(
    model: Model, batchSize: Int, optimizer: Optimizer, seed: UInt64,
    loss: LossFunction = LossFunction(), targetType: TensorType? = nil, clipNorm: Double? = nil
  ) throws {
    let builder = GraphBuilder()
    let images = try builder.input(
      Self.imagesInput, Shape([batchSize] + model.inputShape.dimensions))
    let targets = try builder.input(
      Self.targetsInput, targetType ?? TensorType([batchSize], .int32))
    let rate = try builder.input(Optimizer.learningRateInput, [])
    let step = try builder.input(Optimizer.stepInput, TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, seed: seed, step: step)
    let logits = try model.forward(images, in: context)
    let value = try builder.scope("loss") { try loss.apply(logits, targets) }
    builder.output(Self.lossOutput, value)
    try builder.scope("metrics") {
      let sum = try builder.variable(Self.lossSumVariable, [])
      builder.assign(sum, try sum + value.affine(scale: Float(batchSize)))
    }

    let trainable = context.parameters.filter(\.isTrainable)
    let gradients = try builder.gradients(of: value, withRespectTo: trainable.map(\.tensor))
    var updates: [(parameter: Tensor, gradient: Tensor)] = []
    for (parameter, gradient) in zip(trainable, gradients) {
      guard let gradient else {
        throw TernError(.badData, "no gradient reaches parameter \(parameter.name)")
      }
      updates.append((parameter.tensor, gradient))
    }
    if let clipNorm { updates = try Self.clipped(updates, norm: clipNorm, in: builder) }
    try optimizer.update(updates, in: builder, learningRate: rate, step: step)
    graph = builder.graph
    parameters = context.parameters
  }

  /// The gradients scaled down together where their norm exceeds `norm`: each times
  /// min(1, norm / (‖g‖ + 1e-6)). Pascanu, Mikolov, Bengio, 2013.
  private static func clipped(
    _ updates: [(parameter: Tensor, gradient: Tensor)], norm: Double, in builder: GraphBuilder
  ) throws -> [(parameter: Tensor, gradient: Tensor)] {
    try builder.scope("clip") {
      var sum = try updates[0].gradient.square().sum()
      for update in updates.dropFirst() { sum = try sum + update.gradient.square().sum() }
      let scale = try sum.sqrt().affine(scale: 1, shift: 1e-6).reciprocal()
        .affine(scale: Float(norm)).clamp(max: 1)
      return try updates.map { ($0.parameter, try $0.gradient * scale) }
    }
  }
}

import TernCore
import TernGraph

/// Batch normalisation over axis 1 with weight, bias and running statistics [C].
///
/// Where weight and bias are frozen, training normalises with the running statistics and keeps them:
/// a layer that is not trained does what it does in inference.
public struct BatchNorm2D: Layer {
  package let epsilon: Float
  package let momentum: Float

  /// `epsilon` is added to variances; running statistics move by `momentum` of the way to the batch's.
  public init(epsilon: Float = 1e-5, momentum: Float = 0.1) {
    self.epsilon = epsilon
    self.momentum = momentum
  }

  public var kind: String { "batch_norm" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank >= 2 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, *]", got: "\(x.shape)")
    }
    let channels: Shape = [x.shape[1]]
    let weight = try context.parameter("weight", channels, .ones)
    let bias = try context.parameter("bias", channels, .zeros)
    let mean = try context.parameter("running_mean", channels, .zeros, isTrainable: false)
    let variance = try context.parameter("running_var", channels, .ones, isTrainable: false)
    guard context.mode == .training, !context.keeps("weight", "bias") else {
      return try x.batchNormInference(
        runningMean: mean, runningVariance: variance, weight: weight, bias: bias,
        epsilon: epsilon)
    }
    // A layer that is applied twice in a step updates its statistics twice.
    let result = try context.batchNormTraining(
      x, runningMean: context.builder.assignedValue(of: mean),
      runningVariance: context.builder.assignedValue(of: variance), weight: weight, bias: bias,
      momentum: momentum, epsilon: epsilon)
    context.builder.assign(mean, result.runningMean!)
    context.builder.assign(variance, result.runningVariance!)
    return result.output
  }
}

extension LayerContext {
  /// Batch normalisation by the statistics of the batch: of all members that compute a part of it, where they are
  /// shared.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  package func batchNormTraining(
    _ x: Tensor, runningMean: Tensor?, runningVariance: Tensor?, weight: Tensor? = nil,
    bias: Tensor? = nil, momentum: Float, epsilon: Float
  ) throws -> (output: Tensor, runningMean: Tensor?, runningVariance: Tensor?) {
    guard let statisticsExchange else {
      return try x.batchNormTraining(
        runningMean: runningMean, runningVariance: runningVariance, weight: weight, bias: bias,
        momentum: momentum, epsilon: epsilon)
    }
    return try x.batchNormTraining(
      over: statisticsExchange, runningMean: runningMean, runningVariance: runningVariance,
      weight: weight, bias: bias, momentum: momentum, epsilon: epsilon)
  }
}

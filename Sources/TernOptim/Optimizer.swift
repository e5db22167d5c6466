import TernCore
import TernGraph

/// An optimizer: a rule, applied to every parameter by nodes of the step's graph.
///
/// Parameters and optimizer state are variables and never leave the device; the learning rate and
/// the step number are inputs, written by the host before each step.
public struct Optimizer: Hashable, Sendable {
  package let rule: Operations.OptimizerUpdate.Rule

  package init(_ rule: Operations.OptimizerUpdate.Rule) { self.rule = rule }

  public var name: String { Operations.OptimizerUpdate(rule).name }

  public static func sgd(
    momentum: Float = 0, isNesterov: Bool = false, weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(.sgd(momentum: momentum, isNesterov: isNesterov, weightDecay: weightDecay))
  }
  public static func momentumEMA(rho: Float = 0.9) -> Optimizer {
    Optimizer(.momentumEMA(rho: rho))
  }
  public static func normalizedGradient(epsilon: Float = 1e-8) -> Optimizer {
    Optimizer(.normalizedGradient(epsilon: epsilon))
  }
  public static func adagrad(epsilon: Float = 1e-10, weightDecay: Float = 0) -> Optimizer {
    Optimizer(.adagrad(epsilon: epsilon, weightDecay: weightDecay))
  }
  public static func rmsprop(
    alpha: Float = 0.99, epsilon: Float = 1e-8, momentum: Float = 0, isCentered: Bool = false,
    weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(
      .rmsprop(
        alpha: alpha, epsilon: epsilon, momentum: momentum, isCentered: isCentered,
        weightDecay: weightDecay))
  }
  public static func adadelta(rho: Float = 0.9, epsilon: Float = 1e-6, weightDecay: Float = 0)
    -> Optimizer
  {
    Optimizer(.adadelta(rho: rho, epsilon: epsilon, weightDecay: weightDecay))
  }
  public static func adam(
    beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(
      .adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, isDecoupled: false))
  }
  public static func adamW(
    beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01
  ) -> Optimizer {
    Optimizer(
      .adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, isDecoupled: true))
  }

  /// What the names of the optimizer's variables start with: `optimizer.exp_avg.conv1.weight`.
  public static let statePrefix = "optimizer."

  /// The names of the two inputs that every update reads.
  public static let learningRateInput = "learning_rate"
  public static let stepInput = "step"

  /// Appends the update of each parameter by its gradient.
  ///
  /// - Parameters:
  ///   - learningRate: a scalar.
  ///   - step: the number of this step, counted from 1; a scalar of type int32.
  ///   - decoupledDecay: the parameter is first multiplied by 1 − learning rate · this.
  public func update(
    _ parameters: [(parameter: Tensor, gradient: Tensor)], in builder: GraphBuilder,
    learningRate: Tensor, step: Tensor, decoupledDecay: Float = 0
  ) throws {
    let operation = Operations.OptimizerUpdate(rule)
    let kept =
      decoupledDecay > 0 ? try learningRate.affine(scale: -decoupledDecay, shift: 1) : nil
    for (parameter, gradient) in parameters {
      let name = builder.graph[parameter.id].name
      try builder.scope("update.\(name)") {
        let state = try operation.stateNames.map {
          try builder.variable("\(Self.statePrefix)\($0).\(name)", parameter.type)
        }
        let decayed = try kept.map { try parameter * $0 } ?? parameter
        let updated = try builder.apply(
          operation, [decayed, gradient, learningRate, step] + state)
        for (variable, value) in zip([parameter] + state, updated) {
          builder.assign(variable, value)
        }
      }
    }
  }
}

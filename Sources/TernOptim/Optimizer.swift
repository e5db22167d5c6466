import TernCore
import TernGraph

/// An optimizer: a rule, applied to every parameter by nodes of the step's graph.
///
/// Parameters and optimizer state are variables and never leave the device; the learning rate and
/// the step number are inputs, written by the host before each step.
public struct Optimizer: Hashable, Sendable {
  /// How one parameter is moved.
  public let rule: any OptimizerRule

  /// An optimizer of one's own rule.
  public init(_ rule: some OptimizerRule) { self.rule = rule }

  package init(_ rule: Operations.OptimizerUpdate.Rule) { self.rule = StandardRule(rule: rule) }

  /// The rule as devices know it; `nil` for a user's own.
  package var standardRule: Operations.OptimizerUpdate.Rule? { (rule as? StandardRule)?.rule }

  /// The name of the rule: `adam`.
  public var name: String { rule.name }

  public static func == (a: Optimizer, b: Optimizer) -> Bool {
    AnyHashable(a.rule) == AnyHashable(b.rule)
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(rule)) }

  /// Stochastic gradient descent: g += λp; m ← μm + g; p −= η·m, with Nesterov p −= η·(g + μm).
  ///
  /// p the parameter, g its gradient, η the learning rate, λ the weight decay, μ the momentum.
  public static func sgd(
    momentum: Float = 0, isNesterov: Bool = false, weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(.sgd(momentum: momentum, isNesterov: isNesterov, weightDecay: weightDecay))
  }
  /// Descent along an exponential moving average of the gradients: m ← ρm + (1 − ρ)g; p −= η·m.
  public static func momentumEMA(rho: Float = 0.9) -> Optimizer {
    Optimizer(.momentumEMA(rho: rho))
  }
  /// Descent by normalised gradients: p −= η·g/√(g² + ε), element by element.
  public static func normalizedGradient(epsilon: Float = 1e-8) -> Optimizer {
    Optimizer(.normalizedGradient(epsilon: epsilon))
  }
  /// AdaGrad: g += λp; s ← s + g²; p −= η·g/(√s + ε). Duchi, Hazan, Singer, 2011.
  public static func adagrad(epsilon: Float = 1e-10, weightDecay: Float = 0) -> Optimizer {
    Optimizer(.adagrad(epsilon: epsilon, weightDecay: weightDecay))
  }
  /// RMSprop: s ← αs + (1 − α)g²; p −= η·g/(√s + ε). Tieleman and Hinton, 2012.
  ///
  /// - Parameters:
  ///   - momentum: of the steps, where it is not 0.
  ///   - isCentered: whether the square of the average gradient is taken off s. Graves, 2013.
  public static func rmsprop(
    alpha: Float = 0.99, epsilon: Float = 1e-8, momentum: Float = 0, isCentered: Bool = false,
    weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(
      .rmsprop(
        alpha: alpha, epsilon: epsilon, momentum: momentum, isCentered: isCentered,
        weightDecay: weightDecay))
  }
  /// Adadelta: s ← ρs + (1 − ρ)g²; d = √(u + ε)/√(s + ε)·g; u ← ρu + (1 − ρ)d²; p −= η·d. Zeiler, 2012.
  public static func adadelta(rho: Float = 0.9, epsilon: Float = 1e-6, weightDecay: Float = 0)
    -> Optimizer
  {
    Optimizer(.adadelta(rho: rho, epsilon: epsilon, weightDecay: weightDecay))
  }
  /// Adam: m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p −= η·m̂/(√v̂ + ε), m̂ and v̂ without their bias
  /// towards 0. Weight decay is added to the gradient. Kingma and Ba, 2015.
  public static func adam(
    beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0
  ) -> Optimizer {
    Optimizer(
      .adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, isDecoupled: false))
  }
  /// Adam whose weight decay is taken off the parameter, p −= η·λ·p, past the averages of the
  /// gradients. Loshchilov and Hutter, 2019.
  public static func adamW(
    beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01
  ) -> Optimizer {
    Optimizer(
      .adam(
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, isDecoupled: true))
  }

  /// What the names of the optimizer's variables start with: `optimizer.exp_avg.conv1.weight`.
  public static let statePrefix = "optimizer."

  /// The input that every update reads the learning rate from, a scalar [].
  public static let learningRateInput = "learning_rate"
  /// The input that holds the number of the step, counted from 1; a scalar [] of type int32.
  public static let stepInput = "step"

  /// Appends the update of each parameter by its gradient.
  ///
  /// - Parameters:
  ///   - groups: parameters whose learning rate or decay differs from the others'.
  ///   - learningRate: a scalar [].
  ///   - step: the number of this step, counted from 1; a scalar [] of type int32.
  ///   - decoupledDecay: the parameter is first multiplied by 1 − learning rate · this.
  ///   - applies: where it is 0, parameters and state stay as they are, whatever the gradients; a scalar [],
  ///     else 1.
  /// - Throws: ``TernCore/ShapeError`` where a rule's operations do not fit.
  public func update(
    _ parameters: [(parameter: Tensor, gradient: Tensor)], groups: [ParameterGroup] = [],
    in builder: GraphBuilder, learningRate: Tensor, step: Tensor, decoupledDecay: Float = 0,
    applies: Tensor? = nil
  ) throws {
    var scalars = UpdateScalars(
      learningRate: learningRate, decoupledDecay: decoupledDecay, applies: applies)
    for (parameter, gradient) in parameters {
      let name = builder.graph[parameter.id].name
      let factors = ParameterGroup.factors(of: name, in: groups)
      let rate = try scalars.rate(factors.rate)
      let kept = try scalars.kept(rate: factors.rate, decay: factors.decay)
      let rule = factors.decay == 1 ? rule : rule.scalingDecay(by: Float(factors.decay))
      try builder.scope("update.\(name)") {
        let state = try rule.stateNames.map {
          try builder.variable("\(Self.statePrefix)\($0).\(name)", parameter.type)
        }
        let updated = try rule.step(
          OptimizerStep(
            parameter: try kept.map { try parameter * $0 } ?? parameter, gradient: gradient,
            state: state, learningRate: rate, number: step, applies: applies))
        precondition(updated.state.count == state.count, "\(rule.name): a value per name of state")
        // Devices' own rules leave alone what they are not to touch.
        let selects = rule is StandardRule ? nil : applies
        for (variable, value) in zip([parameter] + state, [updated.parameter] + updated.state) {
          builder.assign(variable, try selects?.chooses(value, else: variable) ?? value)
        }
      }
    }
  }
}

/// The scalars that updates read, one node for all parameters that share a factor.
private struct UpdateScalars {
  let learningRate: Tensor
  let decoupledDecay: Float
  let applies: Tensor?
  private var rates: [Double: Tensor] = [:]
  /// What is kept of a parameter by decoupled decay.
  private var kept: [[Double]: Tensor] = [:]

  init(learningRate: Tensor, decoupledDecay: Float, applies: Tensor?) {
    self.learningRate = learningRate
    self.decoupledDecay = decoupledDecay
    self.applies = applies
  }

  /// The learning rate times a factor.
  mutating func rate(_ factor: Double) throws -> Tensor {
    if factor == 1 { return learningRate }
    if let known = rates[factor] { return known }
    let rate = try learningRate.affine(scale: Float(factor))
    rates[factor] = rate
    return rate
  }

  /// 1 − learning rate · decay, with both multiplied by their factors; `nil` where nothing decays.
  mutating func kept(rate: Double, decay: Double) throws -> Tensor? {
    guard decoupledDecay > 0, rate > 0, decay > 0 else { return nil }
    if let known = kept[[rate, decay]] { return known }
    var factor = try learningRate.affine(
      scale: -decoupledDecay * Float(rate) * Float(decay), shift: 1)
    if let applies {
      factor = try applies.chooses(factor, else: applies.builder.constant(1))
    }
    kept[[rate, decay]] = factor
    return factor
  }
}

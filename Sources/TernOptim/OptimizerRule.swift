import TernGraph

/// How an optimizer moves one parameter, given its gradient.
///
/// A rule writes its step down with the operations of ``TernGraph/Tensor``; the nodes run on every
/// device, and its state stays there. ``Optimizer`` knows the usual ones. One's own:
///
/// ```swift
/// /// Chen et al., "Symbolic discovery of optimization algorithms", 2023.
/// struct Lion: OptimizerRule {
///   var name: String { "lion" }
///   var stateNames: [String] { ["exp_avg"] }
///
///   func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
///     let m = p.state[0]
///     let direction = try (m.affine(scale: 0.9) + p.gradient.affine(scale: 0.1)).sign()
///     return OptimizerStep.Result(
///       parameter: try p.parameter - direction * p.learningRate,
///       state: [try m.affine(scale: 0.99) + p.gradient.affine(scale: 0.01)])
///   }
/// }
///
/// let optimizer = Optimizer(Lion())
/// ```
public protocol OptimizerRule: Hashable, Sendable {
  /// What messages and files call the rule: `adam`.
  var name: String { get }

  /// The names of the tensors that are kept from step to step for each parameter. Each has the
  /// parameter's shape and starts at zero.
  var stateNames: [String] { get }

  /// Appends one step of one parameter.
  ///
  /// - Returns: the parameter and its state after the step, in the order of ``stateNames``.
  /// - Throws: ``TernCore/ShapeError`` where an operation does not fit.
  func step(_ parameter: OptimizerStep) throws -> OptimizerStep.Result

  /// The same rule with its weight decay multiplied by `factor`, for a ``ParameterGroup``. A rule
  /// without weight decay is the same: so it is unless a rule says otherwise.
  func scalingDecay(by factor: Float) -> Self
}

extension OptimizerRule {
  /// No state.
  public var stateNames: [String] { [] }

  /// The rule itself: it has no weight decay.
  public func scalingDecay(by factor: Float) -> Self { self }
}

/// What a rule sees of one parameter in one step.
public struct OptimizerStep {
  /// The parameter before the step, of any shape.
  public let parameter: Tensor
  /// The gradient of what is minimised, of the parameter's shape.
  public let gradient: Tensor
  /// What was kept of the steps before, each of the parameter's shape.
  public let state: [Tensor]
  /// The learning rate of the parameter in this step, a scalar [].
  public let learningRate: Tensor
  /// The number of the step, counted from 1; a scalar [] of type int32.
  public let number: Tensor
  /// A scalar [] that is 0 where nothing is to change, else 1; `nil` where something always is. What a rule of
  /// one's own makes of the step is thrown away for it.
  let applies: Tensor?

  /// What a step makes of a parameter.
  public struct Result {
    /// The parameter after the step.
    public let parameter: Tensor
    /// What is kept for the next step, in the order of ``OptimizerRule/stateNames``.
    public let state: [Tensor]

    /// A parameter and its state after the step.
    public init(parameter: Tensor, state: [Tensor] = []) {
      self.parameter = parameter
      self.state = state
    }
  }
}

/// A rule that devices have a kernel of their own for.
struct StandardRule: OptimizerRule {
  let rule: Operations.OptimizerUpdate.Rule

  private var operation: Operations.OptimizerUpdate { Operations.OptimizerUpdate(rule) }
  var name: String { operation.name }
  var stateNames: [String] { operation.stateNames }

  func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    let updated = try p.parameter.builder.apply(
      operation,
      [p.parameter, p.gradient, p.learningRate, p.number] + p.state
        + (p.applies.map { [$0] } ?? []))
    return OptimizerStep.Result(parameter: updated[0], state: Array(updated.dropFirst()))
  }

  func scalingDecay(by factor: Float) -> StandardRule {
    StandardRule(rule: rule.scalingDecay(by: factor))
  }
}

import TernCore
import TernGraph
import TernNN
import TernOptim

/// What becomes of the gradients in a training step: penalties, clipping, the optimizer's rule, and a
/// moving average of the parameters. All of it is nodes of the step's graph.
public struct ParameterUpdate: Hashable, Sendable {
  /// How parameters are moved by their gradients.
  public var optimizer: Optimizer
  /// Gradients are scaled down together to at most this norm, where given.
  public var clipNorm: Double?
  /// λ‖w‖₁ is added to what is minimised: λ·sign(w) to the gradient. Weights only, as with ``l2``:
  /// parameters of one axis (biases, scales) are left alone.
  public var l1 = 0.0
  /// ½λ‖w‖² is added to what is minimised: λ·w to the gradient. With ``l1`` the elastic net.
  public var l2 = 0.0
  /// Shrinks every parameter by the learning rate times this before its update, past the
  /// optimizer's rule. Loshchilov and Hutter, 2019.
  public var decoupledDecay = 0.0
  /// Parameters whose learning rate or decay differs from the others'; what is decayed by l1, l2 and
  /// ``decoupledDecay`` too.
  public var groups: [ParameterGroup] = []
  /// Whether a moving average of parameters and running statistics is kept; see ``averagePrefix``.
  public var keepsAverage = false

  /// An optimizer, and the norm that gradients are scaled down to, where given.
  public init(_ optimizer: Optimizer, clipNorm: Double? = nil) {
    self.optimizer = optimizer
    self.clipNorm = clipNorm
  }

  /// What the names of averaged parameters start with.
  public static let averagePrefix = "ema."
  /// The input that holds 1 − decay.
  public static let averageRateInput = "average_rate"

  /// The part of the way to the present parameters that the average goes in a step: 1 − decay; early
  /// in a run more, so that it forgets the initial values: decay is at most (1 + t)/(10 + t) in step
  /// t, counted from 1.
  public static func averageRate(step: Int, decay: Double) -> Double {
    1 - min(decay, Double(1 + step) / Double(10 + step))
  }

  typealias Update = (parameter: Tensor, gradient: Tensor)

  /// Whether every element of a gradient moves its own element of the parameter alone: nothing is summed over them,
  /// in an order that would depend on how they are stored.
  var isElementwise: Bool { clipNorm == nil && optimizer.standardRule != nil }

  /// The updates without those of parameters that are left as they are, which have no part in the norm of the
  /// gradients either.
  func moving(_ updates: [Update]) throws -> [Update] {
    let moving = updates.filter { factors(of: $0.parameter).rate != 0 }
    guard updates.isEmpty || !moving.isEmpty else {
      throw TernError(.usage, "parameter groups: every learning rate is multiplied by 0")
    }
    return moving
  }

  /// Appends what follows the gradients of an update.
  ///
  /// - Parameters:
  ///   - parameters: those of the network, running statistics too.
  ///   - scaling: what looks at the gradients first.
  func append(
    _ updates: [Update], parameters: [Parameter], scaling: LossScaling? = nil,
    in builder: GraphBuilder, learningRate: Tensor, step: Tensor
  ) throws {
    let applies =
      updates.isEmpty ? nil : try scaling?.adjusted(by: updates.map(\.gradient))
    var updates = try builder.scope("penalty") { try updates.map(penalized) }
    if let clipNorm { updates = try Self.clipped(updates, norm: clipNorm, in: builder) }
    try optimizer.update(
      updates, groups: groups, in: builder, learningRate: learningRate, step: step,
      decoupledDecay: Float(decoupledDecay), applies: applies)
    if keepsAverage { try average(parameters, in: builder) }
  }

  /// What the groups multiply the learning rate and the decay of a parameter by.
  private func factors(of parameter: Tensor) -> (rate: Double, decay: Double) {
    ParameterGroup.factors(of: parameter.builder.graph[parameter.id].name, in: groups)
  }

  private func penalized(_ update: Update) throws -> Update {
    guard update.parameter.shape.rank > 1 else { return update }
    let factor = factors(of: update.parameter).decay
    let (l1, l2) = (factor * l1, factor * l2)
    var gradient = update.gradient
    if l2 > 0 { gradient = try gradient + update.parameter.affine(scale: Float(l2)) }
    if l1 > 0 { gradient = try gradient + update.parameter.sign().affine(scale: Float(l1)) }
    return (update.parameter, gradient)
  }

  /// The gradients scaled down together where their norm exceeds `norm`: each times
  /// min(1, norm / (‖g‖ + 1e-6)). Pascanu, Mikolov, Bengio, 2013.
  private static func clipped(
    _ updates: [Update], norm: Double, in builder: GraphBuilder
  ) throws -> [Update] {
    try builder.scope("clip") {
      let sum = try Tensor.sumOfSquares(of: updates.map(\.gradient))
      let scale = try sum.sqrt().affine(scale: 1, shift: 1e-6).reciprocal()
        .affine(scale: Float(norm)).clamp(max: 1)
      return try updates.map { ($0.parameter, try $0.gradient * scale) }
    }
  }

  /// average += (1 − decay)·(what the parameter is after the step − average)
  private func average(_ parameters: [Parameter], in builder: GraphBuilder) throws {
    try builder.scope("average") {
      let rate = try builder.input(Self.averageRateInput, [])
      for parameter in parameters {
        let average = try builder.variable(
          Self.averagePrefix + parameter.name, parameter.tensor.type)
        let next = builder.assignedValue(of: parameter.tensor)
        builder.assign(average, try average + (next - average) * rate)
      }
    }
  }
}

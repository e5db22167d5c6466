import TernGraph

/// Multiplies the loss, so that small gradients are numbers of float16 and not zeros, and divides the gradients of
/// the parameters again: as nodes of the step, with no look at the host.
///
/// Where a gradient is not finite the step changes no parameter and no state of the optimizer, and the scale is
/// halved; after 2,000 steps without that it is doubled. Scales are powers of two: they cost no digit.
///
/// Source: Micikevicius et al., "Mixed precision training", 2018.
struct LossScaling {
  /// What the names of its variables start with. A checkpoint holds them.
  static let prefix = "loss_scale."
  /// The output that holds the scale of the step.
  static let output = "loss_scale"
  /// The scale of the first step, the least and the largest.
  static let initialScale: Float = 0x1p16
  static let scales: ClosedRange<Float> = 1...0x1p24
  /// The steps without an overflow before the scale is doubled.
  static let growthInterval: Float = 2000

  /// [], as the steps so far have left it; 0 before the first.
  private let stored: Tensor
  /// [], what the loss of this step is multiplied by.
  let scale: Tensor
  private let inverse: Tensor

  init(_ builder: GraphBuilder) throws {
    (stored, scale, inverse) = try builder.scope("loss_scale") {
      let stored = try builder.variable(Self.prefix + "scale", [])
      let isNew = try stored.equal(builder.constant(0))
      let scale = try stored + isNew.affine(scale: Self.initialScale)
      return (stored, scale, try scale.reciprocal())
    }
    builder.output(Self.output, scale)
  }

  func scaled(_ loss: Tensor) throws -> Tensor { try loss * scale }

  func unscaled(_ gradient: Tensor) throws -> Tensor { try gradient * inverse }

  /// Appends what becomes of the scale.
  ///
  /// - Parameter gradients: what the parameters are updated by; at least one.
  /// - Returns: [], 1 where all of them are finite, else 0.
  func adjusted(by gradients: [Tensor]) throws -> Tensor {
    let builder = scale.builder
    return try builder.scope("loss_scale") {
      // A sum is finite where all of its terms are.
      let total = try Tensor.sum(of: gradients)
      func isLarger(_ x: Tensor, _ y: Tensor) throws -> Tensor {
        try builder.apply(Operations.Binary(.heaviside), [x, y])[0]
      }
      let isFinite = try isLarger(builder.constant(.greatestFiniteMagnitude), total.abs())
      let clean = try builder.variable(Self.prefix + "clean_steps", [])
      let count = try clean.affine(scale: 1, shift: 1) * isFinite
      let grows = try isLarger(count, builder.constant(Self.growthInterval - 0.5))
      let factor = try isFinite.affine(scale: 0.5, shift: 0.5) + grows
      builder.assign(
        stored,
        try (scale * factor).clamp(min: Self.scales.lowerBound, max: Self.scales.upperBound))
      builder.assign(clean, try count * grows.affine(scale: -1, shift: 1))
      return isFinite
    }
  }
}

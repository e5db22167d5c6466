import TernCore
import TernGraph

// What a network draws while it runs: the numbers depend on seed, step and place only.

extension LayerContext {
  /// The step that numbers are drawn for; where there is none, always the same numbers.
  private var noiseStep: Tensor { step ?? builder.constant(HostTensor([], [Int32(0)])) }

  /// Numbers from N(0, 1).
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func randomNormal(_ shape: Shape) throws -> Tensor {
    try noiseStep.randomNormal(shape, seed: seed, stream: nextNoiseStream())
  }

  /// 1 with the probabilities given, else 0.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func bernoulli(_ probabilities: Tensor) throws -> Tensor {
    try probabilities.bernoulli(seed: seed, stream: nextNoiseStream(), step: noiseStep)
  }
}

/// Numbers from N(0, 1), [N, count], as many rows as its input has: what a generator starts from.
public struct LatentNoise: Layer {
  package let count: Int

  /// So many numbers per row.
  public init(_ count: Int) { self.count = count }

  public var kind: String { "latent_noise" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard let rows = inputs[0].shape.dimensions.first, count >= 1 else {
      throw ShapeError(kind, "size", expected: "at least 1", got: "\(count)")
    }
    return try context.randomNormal([rows, count])
  }
}

/// A code drawn from N(μ, σ²) by μ + σ·ε, through which gradients flow: [N, 2Z], μ and log σ² side by
/// side, → [N, Z]. For inference it is μ.
///
/// Source: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
public struct GaussianSampling: Layer {
  /// Draws a code.
  public init() {}

  public var kind: String { "gaussian_sampling" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let (mean, logVariance) = try Self.parts(inputs[0])
    guard context.mode == .training else { return mean }
    return try Self.draw(mean, logVariance, in: context)
  }

  /// μ and log σ² [N, Z].
  package static func parts(_ code: Tensor) throws -> (mean: Tensor, logVariance: Tensor) {
    guard code.shape.rank == 2, code.shape[1] % 2 == 0 else {
      throw ShapeError(
        "gaussian_sampling", "input", expected: "shape [N, 2Z]", got: "\(code.shape)")
    }
    let width = code.shape[1] / 2
    return (
      try code.narrow(1, start: 0, length: width), try code.narrow(1, start: width, length: width)
    )
  }

  /// μ + σ·ε.
  package static func draw(
    _ mean: Tensor, _ logVariance: Tensor, in context: LayerContext
  ) throws -> Tensor {
    try mean + logVariance.affine(scale: 0.5).exp() * context.randomNormal(mean.shape)
  }
}

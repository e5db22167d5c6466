import TernCore
import TernGraph

/// A restricted Boltzmann machine: V visible and H hidden units, each 0 or 1, with energy
/// E(v, h) = −b·v − c·h − hᵀ W v.
///
/// As a layer it gives the probabilities that the hidden units are 1, σ(W v + c): [N, V] → [N, H].
/// Parameters: `weight` [H, V], `hidden_bias` [H], and where the visible units are asked for
/// `visible_bias` [V].
///
/// Sources: Smolensky, 1986; Hinton, "Training products of experts by minimizing contrastive
/// divergence", 2002.
public struct RestrictedBoltzmannMachine: Layer {
  package let hiddenCount: Int

  /// A machine with so many hidden units.
  public init(_ hiddenCount: Int) { self.hiddenCount = hiddenCount }

  public var kind: String { "restricted_boltzmann_machine" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try units(inputs[0], in: context).activation(inputs[0]).sigmoid()
  }

  /// The hidden units' part: W v + c.
  private struct Units {
    let weight: Tensor
    let hiddenBias: Tensor

    func activation(_ v: Tensor) throws -> Tensor { try v.linear(weight: weight, bias: hiddenBias) }
  }

  private func units(_ x: Tensor, in context: LayerContext) throws -> Units {
    guard x.shape.rank == 2, hiddenCount >= 1 else {
      throw ShapeError(kind, "input", expected: "shape [N, V]", got: "\(x.shape)")
    }
    return Units(
      // As in Hinton's "practical guide to training restricted Boltzmann machines", 2010.
      weight: try context.parameter(
        "weight", [hiddenCount, x.shape[1]], .normal(deviation: 0.01)),
      hiddenBias: try context.parameter("hidden_bias", [hiddenCount], .zeros))
  }

  /// What contrastive divergence compares.
  package struct Chain {
    /// F(v) of the data, [N].
    package let dataEnergy: Tensor
    /// F(v) of the visible units at the end of the chain, [N].
    package let modelEnergy: Tensor
    /// What the first hidden sample makes of the data: probabilities [N, V].
    package let reconstruction: Tensor
  }

  /// Appends Gibbs sampling from the data [N, V]: `steps` times hidden units given visible ones, then
  /// visible ones given hidden ones. The gradient of the difference of the energies is what
  /// contrastive divergence descends, for no gradient flows through what is drawn.
  ///
  /// The free energy is F(v) = −b·v − Σ log(1 + e^(W v + c)).
  package func chain(from data: Tensor, steps: Int, in context: LayerContext) throws -> Chain {
    let units = try units(data, in: context)
    let visibleBias = try context.parameter("visible_bias", [data.shape[1]], .zeros)
    func freeEnergy(_ v: Tensor) throws -> Tensor {
      let hidden = try units.activation(v).softplus().sum([1])
      return try -((v * visibleBias).sum([1]) + hidden)
    }
    var (visible, reconstruction) = (data, data)
    for step in 0..<max(steps, 1) {
      let hidden = try context.bernoulli(units.activation(visible).sigmoid())
      let probabilities = try (hidden.matmul(units.weight) + visibleBias).sigmoid()
      if step == 0 { reconstruction = probabilities }
      visible = try context.bernoulli(probabilities)
    }
    return Chain(
      dataEnergy: try freeEnergy(data), modelEnergy: try freeEnergy(visible),
      reconstruction: reconstruction)
  }
}

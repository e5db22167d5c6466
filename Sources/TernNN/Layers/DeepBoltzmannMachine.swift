import TernCore
import TernGraph

/// A deep Boltzmann machine: visible units and two or more layers of hidden ones, 0 or 1, each joined to
/// the layers beside its own; E = −b·v − Σ c_l·h_l − Σ h_l·W_l h_{l−1}, with h_0 = v.
///
/// As a layer it gives the probabilities of the last hidden layer by the mean field: each layer in turn
/// from those beside it; [N, V] → [N, H]. Parameters: `visible_bias` [V], and for each layer
/// `1.weight` [H, V], `1.hidden_bias` [H], …
///
/// Source: Salakhutdinov, Hinton, "Deep Boltzmann machines", 2009.
public struct DeepBoltzmannMachine: Layer {
  package let hiddenCounts: [Int]
  private let roundCount: Int

  /// A machine with so many hidden units in each layer, whose mean field is gone through so many times.
  public init(_ hiddenCounts: Int..., rounds: Int = 10) {
    (self.hiddenCounts, roundCount) = (hiddenCounts, rounds)
  }

  public var kind: String { "deep_boltzmann_machine" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try meanField(of: inputs[0], units(inputs[0], levels: hiddenCounts.count, in: context)).last!
  }

  /// The numbers of the lowest layers.
  package struct Units {
    package let visibleBias: Tensor
    /// Between each layer and the one below it.
    package let weights: [Tensor]
    package let hiddenBiases: [Tensor]
  }

  /// The units of as many layers as asked for, for samples [N, V].
  package func units(_ x: Tensor, levels: Int, in context: LayerContext) throws -> Units {
    guard x.shape.rank == 2, hiddenCounts.count >= 2, hiddenCounts.allSatisfy({ $0 >= 1 }) else {
      throw ShapeError(
        kind, "input", expected: "shape [N, V], for two layers or more", got: "\(x.shape)")
    }
    var width = x.shape[1]
    let visibleBias = try context.parameter("visible_bias", [width], .zeros)
    var (weights, biases) = ([Tensor](), [Tensor]())
    for level in 0..<levels {
      try context.within("\(level + 1)") {
        weights.append(
          try context.parameter("weight", [hiddenCounts[level], width], .normal(deviation: 0.01)))
        biases.append(try context.parameter("hidden_bias", [hiddenCounts[level]], .zeros))
      }
      width = hiddenCounts[level]
    }
    return Units(visibleBias: visibleBias, weights: weights, hiddenBiases: biases)
  }

  /// The probabilities of a layer, given those beside it.
  private func layer(_ level: Int, _ below: Tensor, _ above: Tensor?, _ units: Units) throws
    -> Tensor
  {
    let up = try below.linear(weight: units.weights[level], bias: units.hiddenBiases[level])
    guard let above else { return try up.sigmoid() }
    return try (up + above.matmul(units.weights[level + 1])).sigmoid()
  }

  /// The probabilities of all hidden layers, given samples [N, V], by the mean field.
  package func meanField(of visible: Tensor, _ units: Units) throws -> [Tensor] {
    let top = hiddenCounts.count - 1
    // From below alone at first, where what will come from above is made up for.
    var layers: [Tensor] = []
    for level in 0...top {
      let below = layers.last ?? visible
      let up = try below.matmul(units.weights[level].transpose(0, 1))
      layers.append(
        try ((level < top ? up.affine(scale: 2) : up) + units.hiddenBiases[level]).sigmoid())
    }
    for _ in 0..<roundCount {
      for level in 0...top {
        layers[level] = try layer(
          level, level == 0 ? visible : layers[level - 1], level < top ? layers[level + 1] : nil,
          units)
      }
    }
    return layers
  }

  /// The probabilities of the visible units, given the first hidden layer.
  package func visible(_ hidden: Tensor, _ units: Units) throws -> Tensor {
    try (hidden.matmul(units.weights[0]) + units.visibleBias).sigmoid()
  }

  /// Appends steps of Gibbs sampling of all layers, the visible one first: the even ones given the odd
  /// ones, then the odd ones given the even ones.
  package func sampling(
    _ states: [Tensor], _ units: Units, steps: Int, in context: LayerContext
  ) throws -> [Tensor] {
    var states = states
    let top = hiddenCounts.count
    for _ in 0..<max(steps, 1) {
      for parity in 0..<2 {
        for index in stride(from: parity, through: top, by: 2) {
          states[index] = try context.bernoulli(
            index == 0
              ? visible(states[1], units)
              : layer(index - 1, states[index - 1], index < top ? states[index + 1] : nil, units))
        }
      }
    }
    return states
  }

  /// E of all layers, the visible one first, [N].
  package func energy(_ states: [Tensor], _ units: Units) throws -> Tensor {
    var sum = try (states[0] * units.visibleBias).sum([1])
    for level in hiddenCounts.indices {
      let field = try states[level].linear(
        weight: units.weights[level], bias: units.hiddenBiases[level])
      sum = try sum + (field * states[level + 1]).sum([1])
    }
    return try -sum
  }
}

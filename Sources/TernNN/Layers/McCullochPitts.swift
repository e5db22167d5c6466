import TernCore
import TernGraph

/// Neurons with fixed weights and thresholds: 1 where the weighted sum of the inputs reaches the
/// threshold, else 0; [N, I] → [N, O].
///
/// Source: McCulloch, Pitts, "A logical calculus of the ideas immanent in nervous activity", 1943.
public struct McCullochPitts: Layer {
  /// Per neuron.
  package let weights: [[Float]]
  package let thresholds: [Float]

  /// Neurons, each with a weight per input, and a threshold.
  public init(weights: [[Float]], thresholds: [Float]) {
    (self.weights, self.thresholds) = (weights, thresholds)
  }

  /// One neuron.
  public init(_ weights: Float..., threshold: Float) {
    self.init(weights: [weights], thresholds: [threshold])
  }

  public var kind: String { "mcculloch_pitts" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs.count == 1 ? inputs[0] : try Tensor.cat(inputs, dim: 1)
    let count = weights.first?.count ?? 0
    guard x.shape.rank == 2, x.shape[1] == count, weights.count == thresholds.count else {
      throw ShapeError(kind, "input", expected: "shape [N, \(count)]", got: "\(x.shape)")
    }
    let weight = context.builder.constant(
      HostTensor([weights.count, count], weights.flatMap(\.self)))
    let sum = try x.linear(
      weight: weight, bias: context.builder.constant(HostTensor([weights.count], thresholds.map(-)))
    )
    // The threshold itself is enough.
    return try sum.sign().affine(scale: 1, shift: 0.5).sign().affine(scale: 0.5, shift: 0.5)
  }
}

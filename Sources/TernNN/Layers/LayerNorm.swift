import TernCore
import TernGraph

/// Normalisation over the innermost axes with a weight and a bias of their shape. Ba, Kiros, Hinton,
/// 2016.
public struct LayerNorm: Layer {
  /// The extents of the axes that are normalised over; the innermost alone where `nil`.
  package let normalizedShape: [Int]?
  package let epsilon: Float

  /// Normalises over innermost axes of these extents, the innermost alone where `nil`; `epsilon` is added to
  /// variances.
  public init(_ normalizedShape: [Int]? = nil, epsilon: Float = 1e-5) {
    self.normalizedShape = normalizedShape
    self.epsilon = epsilon
  }

  public var kind: String { "layer_norm" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let axes = normalizedShape ?? Array(inputs[0].shape.dimensions.suffix(1))
    guard !axes.isEmpty, axes.allSatisfy({ $0 >= 1 }) else {
      throw ShapeError(
        kind, "normalized_shape", expected: "innermost extents of \(inputs[0].shape)",
        got: "\(axes)")
    }
    return try inputs[0].layerNorm(
      axes, weight: context.parameter("weight", Shape(axes), .ones),
      bias: context.parameter("bias", Shape(axes), .zeros), epsilon: epsilon)
  }
}

import TernCore
import TernGraph

/// y = A tanh(S x) with A = 1.7159 and S = 2/3, so that f(±1) = ±1.
public struct ScaledTanh: Layer {
  /// The scaled hyperbolic tangent.
  public init() {}

  public var kind: String { "scaled_tanh" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try inputs[0].affine(scale: 2 / 3).tanh().affine(scale: 1.7159)
  }
}

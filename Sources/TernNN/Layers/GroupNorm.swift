import TernCore
import TernGraph

/// Normalisation over groups of channels of each sample, with weight and bias [C]: [N, C, *].
///
/// Source: Wu and He, "Group normalization", 2018.
public struct GroupNorm: Layer {
  package let groupCount: Int
  package let epsilon: Float

  /// So many groups, a divisor of C; `epsilon` is added to variances.
  public init(_ groupCount: Int, epsilon: Float = 1e-5) {
    self.groupCount = groupCount
    self.epsilon = epsilon
  }

  public var kind: String { "group_norm" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank >= 2 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, *]", got: "\(x.shape)")
    }
    return try x.groupNorm(
      groups: groupCount, weight: context.parameter("weight", [x.shape[1]], .ones),
      bias: context.parameter("bias", [x.shape[1]], .zeros), epsilon: epsilon)
  }
}

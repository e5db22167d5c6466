import TernCore
import TernGraph

/// Units that measure how far their input [N, F] is from a fixed code each:
/// y = −‖x − code‖² / (2 · variance), so that the nearest code has the largest output, and softmax
/// makes the probabilities of Gaussians.
public struct RadialBasis: Layer {
  /// Per output: F numbers.
  package let codes: [[Float]]
  package let variance: Float

  /// A code of F numbers per output, and the variance of the Gaussians around them.
  public init(codes: [[Float]], variance: Float) {
    self.codes = codes
    self.variance = variance
  }

  public var kind: String { "radial_basis" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    let width = codes[0].count
    guard x.shape.rank == 2, x.shape[1] == width else {
      throw ShapeError(kind, "input", expected: "shape [N, \(width)]", got: "\(x.shape)")
    }
    let centers = context.builder.constant(
      HostTensor([1, codes.count, width], codes.flatMap(\.self)))
    return try (x.reshape([x.shape[0], 1, width]) - centers).square().sum([2])
      .affine(scale: -0.5 / variance)
  }
}

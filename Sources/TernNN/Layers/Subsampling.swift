import TernCore
import TernGraph

/// The average over 2×2 pixels, times a weight and plus a bias per channel [C].
public struct Subsampling: Layer {
  /// Halves both extents.
  public init() {}

  public var kind: String { "subsampling" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 4 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, H, W]", got: "\(x.shape)")
    }
    let channels = x.shape[1]
    let weight = try context.parameter("weight", [channels], .ones)
    let bias = try context.parameter("bias", [channels], .zeros)
    let average = try x.avgPool2d(PoolingWindow(kernel: [2, 2], stride: [2, 2]))
    let y =
      try average * weight.reshape([1, channels, 1, 1]) + bias.reshape([1, channels, 1, 1])
    context.recordWindow(y, from: x, kernel: 2, stride: 2, dilation: 1)
    return y
  }
}

import TernCore
import TernGraph

/// A convolution over time with its own weight [O, C, K] and bias [O]: [N, C, L] → [N, O, L'].
public struct Conv1D: Layer {
  package let outChannels: Int
  package let kernelSize: Int
  package let stride: Int
  package let padding: ConvolutionPadding
  package let dilation: Int
  package let hasBias: Bool
  package let initializer: WeightInitializer

  /// A kernel of so many steps.
  ///
  /// - Parameters:
  ///   - outChannels: O.
  ///   - padding: zeros on each side, or `.same`.
  ///   - initializer: how weight and bias start.
  public init(
    _ outChannels: Int, kernel: Int, stride: Int = 1, padding: ConvolutionPadding = [0],
    dilation: Int = 1,
    hasBias: Bool = true, initializer: WeightInitializer = .standard
  ) {
    self.outChannels = outChannels
    kernelSize = kernel
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.hasBias = hasBias
    self.initializer = initializer
  }

  public var kind: String { "conv1d" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, L]", got: "\(x.shape)")
    }
    guard outChannels >= 1, kernelSize >= 1 else {
      throw ShapeError(
        kind, "out_channels, kernel_size", expected: "at least 1",
        got: "\(outChannels), \(kernelSize)")
    }
    let (weight, bias) = try context.weightAndBias(
      kind, [outChannels, x.shape[1], kernelSize], biasCount: hasBias ? outChannels : nil,
      initializer)
    return try x.conv1d(
      weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation)
  }
}

import TernCore
import TernGraph

/// A convolution with its own weight [O, C/groups, KH, KW] and bias [O].
public struct Conv2D: Layer {
  package let outChannels: Int
  package let kernelSize: [Int]
  package let stride: [Int]
  package let padding: ConvolutionPadding
  package let dilation: [Int]
  package let groups: Int
  package let hasBias: Bool
  package let initializer: WeightInitializer

  /// Extents are (vertical, horizontal) pairs.
  ///
  /// - Parameters:
  ///   - outChannels: O.
  ///   - padding: zeros on each side, or `.same`.
  ///   - initializer: how weight and bias start.
  ///   - groups: parts of the channels that do not see each other; a divisor of C and O.
  public init(
    outChannels: Int, kernelSize: [Int], stride: [Int] = [1, 1],
    padding: ConvolutionPadding = [0, 0],
    dilation: [Int] = [1, 1], groups: Int = 1, hasBias: Bool = true,
    initializer: WeightInitializer = .standard
  ) {
    self.outChannels = outChannels
    self.kernelSize = kernelSize
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
    self.hasBias = hasBias
    self.initializer = initializer
  }

  /// A square kernel.
  public init(
    _ outChannels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1,
    hasBias: Bool = true, initializer: WeightInitializer = .standard
  ) {
    self.init(
      outChannels: outChannels, kernelSize: [kernel, kernel], stride: [stride, stride],
      padding: [padding, padding], groups: groups, hasBias: hasBias, initializer: initializer)
  }

  public var kind: String { "conv2d" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 4 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, H, W]", got: "\(x.shape)")
    }
    guard outChannels >= 1, kernelSize.allSatisfy({ $0 >= 1 }), groups >= 1,
      x.shape[1] % groups == 0, outChannels % groups == 0
    else {
      throw ShapeError(
        kind, "out_channels, kernel_size, groups",
        expected: "positive numbers; groups dividing \(x.shape[1]) and \(outChannels) channels",
        got: "\(outChannels), \(kernelSize), \(groups)")
    }
    let (weight, bias) = try context.weightAndBias(
      kind, [outChannels, x.shape[1] / groups, kernelSize[0], kernelSize[1]],
      biasCount: hasBias ? outChannels : nil, groups: groups, initializer)
    let y = try x.conv2d(
      weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
      groups: groups)
    context.recordWindow(
      y, from: x, kernel: kernelSize.max()!, stride: stride.max()!, dilation: dilation.max()!)
    return y
  }
}

import TernCore
import TernGraph

/// A transposed convolution with its own weight [C, O/groups, KH, KW] and bias [O]: the gradient of
/// a convolution as a layer, which enlarges where that one shrinks.
public struct ConvTranspose2D: Layer {
  package let outChannels: Int
  package let kernelSize: [Int]
  package let stride: [Int]
  package let padding: [Int]
  package let outputPadding: [Int]
  package let dilation: [Int]
  package let groups: Int
  package let hasBias: Bool
  package let initializer: WeightInitializer

  /// Extents are (vertical, horizontal) pairs.
  ///
  /// - Parameters:
  ///   - outChannels: O.
  ///   - padding: how much is cut off each side.
  ///   - outputPadding: how much is added below and to the right, less than stride or dilation.
  ///   - groups: parts of the channels that do not see each other; a divisor of C and O.
  ///   - initializer: how weight and bias start.
  public init(
    outChannels: Int, kernelSize: [Int], stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    outputPadding: [Int] = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1,
    hasBias: Bool = true, initializer: WeightInitializer = .standard
  ) {
    self.outChannels = outChannels
    self.kernelSize = kernelSize
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.dilation = dilation
    self.groups = groups
    self.hasBias = hasBias
    self.initializer = initializer
  }

  /// A square kernel.
  public init(
    _ outChannels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    hasBias: Bool = true, initializer: WeightInitializer = .standard
  ) {
    self.init(
      outChannels: outChannels, kernelSize: [kernel, kernel], stride: [stride, stride],
      padding: [padding, padding], outputPadding: [outputPadding, outputPadding],
      hasBias: hasBias, initializer: initializer)
  }

  public var kind: String { "conv_transpose2d" }

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
    // The weight's second axis counts as its inputs, as PyTorch counts.
    let (weight, bias) = try context.weightAndBias(
      kind, [x.shape[1], outChannels / groups, kernelSize[0], kernelSize[1]],
      biasCount: hasBias ? outChannels : nil, groups: groups, initializer)
    let y = try x.convTranspose2d(
      weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
      dilation: dilation, groups: groups)
    let reach = (kernelSize.max()! - 1) * dilation.max()! + 1
    context.recordEnlargement(
      y, from: x, factor: Double(stride.max()!),
      kernel: (reach + stride.max()! - 1) / stride.max()!)
    return y
  }
}

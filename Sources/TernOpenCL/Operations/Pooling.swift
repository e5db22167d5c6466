import TernCore
import TernGraph

/// Planes and extents: (N·C, H, W, OH, OW).
private func extents(_ input: Shape, _ output: Shape) -> Argument {
  .ints([input[0] * input[1], input[2], input[3], output[2], output[3]])
}

extension PoolingWindow {
  fileprivate var argument: Argument {
    .ints([
      kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth,
      dilationHeight, dilationWidth,
    ])
  }
}

extension PoolingWindow {
  /// The window for `pooling/max_pool.cl`, which unrolls it.
  fileprivate func defines(_ input: Shape, _ output: Shape) -> [String: String] {
    [
      "KH": "\(kernelHeight)", "KW": "\(kernelWidth)", "SH": "\(strideHeight)",
      "SW": "\(strideWidth)", "PH": "\(paddingHeight)", "PW": "\(paddingWidth)",
      "DH": "\(dilationHeight)", "DW": "\(dilationWidth)",
      "PADDED": staysInside(input, output) ? "0" : "1",
    ]
  }

  /// Whether no window reaches over the border.
  private func staysInside(_ input: Shape, _ output: Shape) -> Bool {
    paddingHeight == 0 && paddingWidth == 0
      && (output[2] - 1) * strideHeight + (kernelHeight - 1) * dilationHeight < input[2]
      && (output[3] - 1) * strideWidth + (kernelWidth - 1) * dilationWidth < input[3]
  }

  /// Whether every input element belongs to exactly one window.
  fileprivate func tiles(_ input: Shape, _ output: Shape) -> Bool {
    paddingHeight == 0 && paddingWidth == 0 && dilationHeight == 1 && dilationWidth == 1
      && strideHeight == kernelHeight && strideWidth == kernelWidth
      && output[2] * strideHeight == input[2] && output[3] * strideWidth == input[3]
  }
}

extension MaxPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_pool2d", in: "pooling/max_pool", count: y[0].count / y[0].shape[3],
      (x + y).map(Argument.tensor) + [extents(x[0].shape, y[0].shape)],
      defines: window.defines(x[0].shape, y[0].shape))
  }
}

extension MaxPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let tiles = window.tiles(inputShape, x[0].shape)
    try encoder.map(
      tiles ? "max_pool2d_backward_tiles" : "max_pool2d_backward", in: "pooling/max_pool",
      count: tiles ? x[0].count / x[0].shape[3] : y[0].count,
      (x + y).map(Argument.tensor) + [extents(inputShape, x[0].shape)],
      defines: window.defines(inputShape, x[0].shape))
  }
}

extension AvgPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "avg_pool2d", in: "pooling/avg_pool", count: y[0].count,
      [
        .tensor(x[0]), .tensor(y[0]), extents(x[0].shape, y[0].shape), window.argument,
        .int(countsPadding ? 1 : 0),
      ])
  }
}

extension AvgPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "avg_pool2d_backward", in: "pooling/avg_pool", count: y[0].count,
      [
        .tensor(x[0]), .tensor(y[0]), extents(inputShape, x[0].shape), window.argument,
        .int(countsPadding ? 1 : 0),
      ])
  }
}

extension AdaptiveAvgPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "adaptive_avg_pool2d", in: "pooling/avg_pool", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), extents(x[0].shape, y[0].shape)])
  }
}

extension AdaptiveAvgPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "adaptive_avg_pool2d_backward", in: "pooling/avg_pool", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), extents(inputShape, x[0].shape)])
  }
}

/// (N·C, H·W in, OH·OW out)
private func planes(_ small: Shape, _ large: Shape) -> [Argument] {
  [.int(small[0] * small[1]), .int(small[2] * small[3]), .int(large[2] * large[3])]
}

extension MaxUnpool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_unpool2d", in: "pooling/max_pool", count: y[0].count,
      (x + y).map(Argument.tensor) + planes(x[0].shape, y[0].shape))
  }
}

extension MaxUnpool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_unpool2d_backward", in: "pooling/max_pool", count: y[0].count,
      (x + y).map(Argument.tensor) + planes(x[1].shape, x[0].shape))
  }
}

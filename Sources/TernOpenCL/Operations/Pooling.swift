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

extension MaxPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_pool2d", in: "pooling/max_pool", count: y[0].count,
      (x + y).map(Argument.tensor) + [extents(x[0].shape, y[0].shape), window.argument])
  }
}

extension MaxPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_pool2d_backward", in: "pooling/max_pool", count: y[0].count,
      (x + y).map(Argument.tensor) + [extents(inputShape, x[0].shape), window.argument])
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

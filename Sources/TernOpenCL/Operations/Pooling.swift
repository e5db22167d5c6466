import TernCore
import TernGraph

/// Planes and extents: (N·C, H, W, OH, OW).
private func extents(_ input: Shape, _ output: Shape) -> Argument {
  .ints([input[0] * input[1], input[2], input[3], output[2], output[3]])
}

extension PoolingWindow {
  /// The window as `pooling/window.cl` takes it.
  fileprivate var defines: [String: Int] {
    [
      "KH": kernelHeight, "KW": kernelWidth, "SH": strideHeight, "SW": strideWidth,
      "PH": paddingHeight, "PW": paddingWidth, "DH": dilationHeight, "DW": dilationWidth,
    ]
  }

  /// Whether every input element belongs to exactly one window.
  fileprivate func tiles(_ input: Shape, _ output: Shape) -> Bool {
    paddingHeight == 0 && paddingWidth == 0 && dilationHeight == 1 && dilationWidth == 1
      && strideHeight == kernelHeight && strideWidth == kernelWidth
      && output[2] * strideHeight == input[2] && output[3] * strideWidth == input[3]
  }
}

extension StepEncoder {
  /// Appends a kernel with a work-item per row of [N, C, H, W].
  fileprivate func planeRows(
    _ name: String, in file: String, _ tensors: [View], rowsOf shape: Shape, _ extents: Argument,
    _ defines: [String: Int]
  ) throws {
    let width = min(architecture.vectorWidth(upTo: shape[3]), 8)
    try map(
      name, in: file, count: shape[0] * shape[1] * shape[2], groupSize: 16,
      tensors.map(Argument.tensor) + [extents],
      defines: defines.merging(["V": width]) { given, _ in given })
  }
}

extension MaxPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.planeRows(
      "max_pool2d", in: "pooling/max_pool", x + y, rowsOf: y[0].shape,
      extents(x[0].shape, y[0].shape), window.defines)
  }
}

extension MaxPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let tiles = window.tiles(inputShape, x[0].shape)
    if !tiles, encoder.architecture != .manyThreads {
      return try encoder.map(
        "max_pool2d_backward_planes", in: "pooling/max_pool",
        count: inputShape[0] * inputShape[1], groupSize: 4,
        (x + y).map(Argument.tensor) + [extents(inputShape, x[0].shape)],
        defines: window.defines.merging(["V": encoder.architecture.vectorWidth]) { $1 })
    }
    try encoder.planeRows(
      tiles ? "max_pool2d_backward_tiles" : "max_pool2d_backward", in: "pooling/max_pool", x + y,
      rowsOf: tiles ? x[0].shape : inputShape, extents(inputShape, x[0].shape), window.defines)
  }
}

extension AvgPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.planeRows(
      "avg_pool2d", in: "pooling/avg_pool", x + y, rowsOf: y[0].shape,
      extents(x[0].shape, y[0].shape),
      window.defines.merging(["COUNTS_PADDING": countsPadding ? 1 : 0]) { $1 })
  }
}

extension AvgPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let defines = window.defines.merging(["COUNTS_PADDING": countsPadding ? 1 : 0]) { $1 }
    let extents = extents(inputShape, x[0].shape)
    if encoder.architecture == .manyThreads {
      return try encoder.map(
        "avg_pool2d_backward", in: "pooling/avg_pool", count: y[0].count,
        (x + y).map(Argument.tensor) + [extents], defines: defines)
    }
    try encoder.planeRows(
      "avg_pool2d_backward_rows", in: "pooling/avg_pool", x + y, rowsOf: inputShape, extents,
      defines)
  }
}

extension AdaptiveAvgPool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "adaptive_avg_pool2d", in: "pooling/adaptive_avg_pool", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), extents(x[0].shape, y[0].shape)])
  }
}

extension AdaptiveAvgPool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let arguments: [Argument] = [
      .tensor(x[0]), .tensor(y[0]), extents(inputShape, x[0].shape),
    ]
    if encoder.architecture == .manyThreads {
      return try encoder.map(
        "adaptive_avg_pool2d_backward", in: "pooling/adaptive_avg_pool", count: y[0].count,
        arguments)
    }
    try encoder.map(
      "adaptive_avg_pool2d_backward_planes", in: "pooling/adaptive_avg_pool",
      count: inputShape[0] * inputShape[1], groupSize: 16, arguments,
      defines: ["V": encoder.architecture.vectorWidth])
  }
}

/// (N·C, H·W in, OH·OW out)
private func planes(_ small: Shape, _ large: Shape) -> [Argument] {
  [.int(small[0] * small[1]), .int(small[2] * small[3]), .int(large[2] * large[3])]
}

extension MaxUnpool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_unpool2d", in: "pooling/max_unpool", count: y[0].shape[0] * y[0].shape[1], groupSize: 16,
      (x + y).map(Argument.tensor) + planes(x[0].shape, y[0].shape))
  }
}

extension MaxUnpool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_unpool2d_backward", in: "pooling/max_unpool", count: y[0].count,
      (x + y).map(Argument.tensor) + planes(x[1].shape, x[0].shape))
  }
}

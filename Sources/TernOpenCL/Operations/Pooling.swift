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

extension StepEncoder {
  /// Appends a kernel of `pooling/pool_threads.cl`, with a work-item per element of [N, C, H, W].
  fileprivate func planeElements(
    _ name: String, _ tensors: [View], of shape: Shape, _ extents: Argument,
    _ defines: [String: Int]
  ) throws {
    try map(
      name, in: "pooling/pool_threads", count: shape.elementCount,
      tensors.map(Argument.tensor)
        + [.int(shape.elementCount), .divisor(shape[3]), .divisor(shape[2]), extents],
      defines: defines)
  }
}

extension Operations.MaxPool2D: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, y, rectifies: false, in: encoder)
  }

  fileprivate func encode(
    _ x: [View], _ y: [View], rectifies: Bool, in encoder: StepEncoder
  ) throws {
    let defines = window.defines.merging(rectifies ? ["RECTIFIES": 1] : [:]) { $1 }
    let extents = extents(x[0].shape, y[0].shape)
    if encoder.architecture == .manyThreads {
      return try encoder.planeElements(
        "max_pool2d_outputs", x + y, of: y[0].shape, extents, defines)
    }
    try encoder.planeRows(
      "max_pool2d", in: "pooling/max_pool", x + y, rowsOf: y[0].shape, extents, defines)
  }
}

extension Operations.RectifiedMaxPool2D: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try base.encode(x, y, rectifies: true, in: encoder)
  }
}

extension Operations.MaxPool2DBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x + [x[0]], y, rectifies: false, in: encoder)
  }

  /// - Parameter x: the gradient, the indices, and the output, which is looked at where it is rectified.
  fileprivate func encode(
    _ x: [View], _ y: [View], rectifies: Bool, in encoder: StepEncoder
  ) throws {
    let defines = window.defines.merging(rectifies ? ["RECTIFIES": 1] : [:]) { $1 }
    let extents = extents(inputShape, x[0].shape)
    // What is added up element by element in memory is float32.
    let addsUp = !window.tiles(inputShape, x[0].shape)
    if encoder.architecture == .manyThreads || addsUp && y[0].type.dataType.isHalf {
      return try encoder.planeElements("max_pool2d_inputs", x + y, of: inputShape, extents, defines)
    }
    guard !addsUp else {
      return try encoder.map(
        "max_pool2d_backward_planes", in: "pooling/max_pool",
        count: inputShape[0] * inputShape[1], groupSize: 4,
        (x + y).map(Argument.tensor) + [extents],
        defines: defines.merging(["V": encoder.architecture.vectorWidth]) { $1 })
    }
    try encoder.planeRows(
      "max_pool2d_backward_tiles", in: "pooling/max_pool", x + y, rowsOf: x[0].shape, extents,
      defines)
  }
}

extension Operations.RectifiedMaxPool2DBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try base.encode(x, y, rectifies: true, in: encoder)
  }
}

extension Operations.AvgPool2D: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let defines = window.defines.merging(["COUNTS_PADDING": countsPadding ? 1 : 0]) { $1 }
    let extents = extents(x[0].shape, y[0].shape)
    if encoder.architecture == .manyThreads {
      return try encoder.planeElements(
        "avg_pool2d_outputs", x + y, of: y[0].shape, extents, defines)
    }
    try encoder.planeRows(
      "avg_pool2d", in: "pooling/avg_pool", x + y, rowsOf: y[0].shape, extents, defines)
  }
}

extension Operations.AvgPool2DBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let defines = window.defines.merging(["COUNTS_PADDING": countsPadding ? 1 : 0]) { $1 }
    let extents = extents(inputShape, x[0].shape)
    if encoder.architecture == .manyThreads || y[0].type.dataType.isHalf {
      return try encoder.planeElements("avg_pool2d_inputs", x + y, of: inputShape, extents, defines)
    }
    try encoder.planeRows(
      "avg_pool2d_backward_rows", in: "pooling/avg_pool", x + y, rowsOf: inputShape, extents,
      defines)
  }
}

extension Operations.AdaptiveAvgPool2D: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    // Means of whole planes: neighbours are read by neighbouring work-items.
    if encoder.architecture == .manyThreads, y[0].shape.planeCount == 1 {
      return try encoder.meanOfRows(x[0], into: y[0], length: x[0].shape.planeCount)
    }
    try encoder.map(
      "adaptive_avg_pool2d", in: "pooling/adaptive_avg_pool", count: y[0].count,
      [
        .tensor(x[0]), .tensor(y[0]), extents(x[0].shape, y[0].shape),
        .divisor(y[0].shape[2]), .divisor(y[0].shape[3]),
      ])
  }
}

extension Operations.AdaptiveAvgPool2DBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    let tensors: [Argument] = [.tensor(x[0]), .tensor(y), extents(inputShape, x[0].shape)]
    let outputs: [Argument] = [.divisor(x[0].shape[2]), .divisor(x[0].shape[3])]
    if encoder.architecture == .manyThreads || y.type.dataType.isHalf {
      return try encoder.map(
        "adaptive_avg_pool2d_backward", in: "pooling/adaptive_avg_pool", count: y.count,
        tensors + [.divisor(inputShape[2]), .divisor(inputShape[3])] + outputs
          + [
            .tensor(epilogue.addend, or: x[0]), .tensor(epilogue.mask, or: x[0]),
            .int(epilogue.flags(storesWide: false)),
          ])
    }
    try encoder.map(
      "adaptive_avg_pool2d_backward_planes", in: "pooling/adaptive_avg_pool",
      count: inputShape[0] * inputShape[1], groupSize: 16, tensors + outputs,
      defines: ["V": encoder.architecture.vectorWidth])
    try encoder.finish(y, epilogue)
  }
}

extension Shape {
  /// The elements of a plane of [N, C, H, W].
  fileprivate var planeCount: Int { self[2] * self[3] }
}

extension Operations.MaxUnpool2D: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (inputs, outputs) = (x[0].shape.planeCount, y[0].shape.planeCount)
    guard encoder.architecture == .manyThreads else {
      let planes = y[0].shape[0] * y[0].shape[1]
      return try encoder.map(
        "max_unpool2d", in: "pooling/max_unpool", count: planes, groupSize: 16,
        (x + y).map(Argument.tensor) + [.int(planes), .int(inputs), .int(outputs)])
    }
    try encoder.fill(y[0], 0)
    try encoder.map(
      "max_unpool2d_claim", in: "pooling/max_unpool", count: x[0].count,
      [.tensor(x[1]), .tensor(y[0]), .int(x[0].count), .divisor(inputs), .int(outputs)])
    try encoder.map(
      "max_unpool2d_take", in: "pooling/max_unpool", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), .int(y[0].count), .divisor(outputs), .int(inputs)])
  }
}

extension Operations.MaxUnpool2DBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "max_unpool2d_backward", in: "pooling/max_unpool", count: y[0].count,
      (x + y).map(Argument.tensor)
        + [.int(y[0].count), .divisor(x[1].shape.planeCount), .int(x[0].shape.planeCount)])
  }
}

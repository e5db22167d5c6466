import TernCore

/// How a pooling window moves over [N, C, H, W]: (vertical, horizontal) pairs.
public struct PoolingWindow: Hashable, Sendable {
  package let kernelHeight: Int
  package let kernelWidth: Int
  package let strideHeight: Int
  package let strideWidth: Int
  package let paddingHeight: Int
  package let paddingWidth: Int
  package let dilationHeight: Int
  package let dilationWidth: Int
  /// Whether a last, partial window counts.
  package let ceilMode: Bool

  /// Kernel, stride (by default the kernel), padding and dilation: (vertical, horizontal) each.
  public init(
    kernel: [Int], stride: [Int]? = nil, padding: [Int] = [0, 0], dilation: [Int] = [1, 1],
    ceilMode: Bool = false
  ) {
    (kernelHeight, kernelWidth) = (kernel[0], kernel[1])
    (strideHeight, strideWidth) = ((stride ?? kernel)[0], (stride ?? kernel)[1])
    (paddingHeight, paddingWidth) = (padding[0], padding[1])
    (dilationHeight, dilationWidth) = (dilation[0], dilation[1])
    self.ceilMode = ceilMode
  }

  var detail: String {
    "kernel_size=[\(kernelHeight), \(kernelWidth)], stride=[\(strideHeight), \(strideWidth)], "
      + "padding=[\(paddingHeight), \(paddingWidth)], dilation=[\(dilationHeight), "
      + "\(dilationWidth)]" + (ceilMode ? ", ceil_mode" : "")
  }

  private func extent(_ input: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int)
    -> Int
  {
    let span = input + 2 * padding - dilation * (kernel - 1) - 1
    guard span >= 0 else { return 0 }
    var output = (ceilMode ? (span + stride - 1) / stride : span / stride) + 1
    // The last window must start inside the input or its leading padding.
    if ceilMode, (output - 1) * stride >= input + padding { output -= 1 }
    return output
  }

  /// [N, C, H, W] → [N, C, OH, OW]
  public func outputShape(_ operation: String, _ x: Shape) throws(ShapeError) -> Shape {
    func check(_ name: String, _ values: [Int], _ valid: (Int) -> Bool, _ expected: String)
      throws(ShapeError)
    {
      guard values.allSatisfy(valid) else {
        throw ShapeError(operation, name, expected: expected, got: "\(values)")
      }
    }
    let sizes = 1...ConvolutionWindow.largest
    let expected = "1 to \(ConvolutionWindow.largest)"
    try check("kernel_size", [kernelHeight, kernelWidth], sizes.contains, expected)
    try check("stride", [strideHeight, strideWidth], sizes.contains, expected)
    try check("dilation", [dilationHeight, dilationWidth], sizes.contains, expected)
    guard paddingHeight >= 0, paddingWidth >= 0, paddingHeight <= kernelHeight / 2,
      paddingWidth <= kernelWidth / 2
    else {
      throw ShapeError(
        operation, "padding", expected: "0 to half the kernel [\(kernelHeight), \(kernelWidth)]",
        got: "[\(paddingHeight), \(paddingWidth)]")
    }
    guard x.rank == 4 else {
      throw ShapeError(operation, "input", expected: "shape [N, C, H, W]", got: "\(x)")
    }
    let height = extent(x[2], kernelHeight, strideHeight, paddingHeight, dilationHeight)
    let width = extent(x[3], kernelWidth, strideWidth, paddingWidth, dilationWidth)
    guard height > 0, width > 0 else {
      throw ShapeError(
        operation, "input", expected: "at least the window's extent after padding", got: "\(x)")
    }
    return [x[0], x[1], height, width]
  }
}

extension Operations {
  /// The maximum of every window, and where it stands: the position h·W + w in the input's plane.
  /// Of equal maxima the first counts.
  package struct MaxPool2D: Operation {
    package let window: PoolingWindow

    package init(_ window: PoolingWindow) { self.window = window }

    package var name: String { "max_pool2d" }
    package var detail: String { window.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      let shape = try window.outputShape(name, inputs[0].shape)
      return [TensorType(shape, inputs[0].dataType), TensorType(shape, .int32)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let dy = node.cotangents[0] else { return [nil] }
      return [
        try dy.apply(MaxPool2DBackward(window, inputShape: node.inputs[0].shape), node.outputs[1])
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(
        inputs, outputs, flopsPerElement: window.kernelHeight * window.kernelWidth)
    }
  }

  /// Every input element sums what arrived at the windows whose maximum it was.
  ///
  /// Inputs: output gradient, indices [N, C, OH, OW] → [N, C, H, W].
  package struct MaxPool2DBackward: Operation {
    package let window: PoolingWindow
    package let inputShape: Shape

    package init(_ window: PoolingWindow, inputShape: Shape) {
      self.window = window
      self.inputShape = inputShape
    }

    package var name: String { "max_pool2d_backward" }
    package var detail: String { window.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      let shape = try window.outputShape(name, inputShape)
      try expectShape(inputs[0], shape, "output gradient")
      try expectShape(inputs[1], shape, "indices")
      return [TensorType(inputShape, inputs[0].dataType)]
    }
  }

  /// The mean of every window.
  package struct AvgPool2D: Operation {
    package let window: PoolingWindow
    /// Whether zeros of the padding count as elements.
    package let countsPadding: Bool

    package init(_ window: PoolingWindow, countsPadding: Bool = true) {
      self.window = window
      self.countsPadding = countsPadding
    }

    package var name: String { "avg_pool2d" }
    package var detail: String {
      window.detail + (countsPadding ? "" : ", count_include_pad=false")
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      return [TensorType(try window.outputShape(name, inputs[0].shape), inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [
        try node.cotangent.apply(
          AvgPool2DBackward(
            window, countsPadding: countsPadding, inputShape: node.inputs[0].shape))
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(
        inputs, outputs, flopsPerElement: window.kernelHeight * window.kernelWidth)
    }
  }

  /// Output gradient [N, C, OH, OW] → [N, C, H, W].
  package struct AvgPool2DBackward: Operation {
    package let window: PoolingWindow
    package let countsPadding: Bool
    package let inputShape: Shape

    package init(_ window: PoolingWindow, countsPadding: Bool, inputShape: Shape) {
      self.window = window
      self.countsPadding = countsPadding
      self.inputShape = inputShape
    }

    package var name: String { "avg_pool2d_backward" }
    package var detail: String { window.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectShape(inputs[0], window.outputShape(name, inputShape), "output gradient")
      return [TensorType(inputShape, inputs[0].dataType)]
    }
  }

  /// The mean of windows that divide the input as evenly as possible: output row i averages the
  /// input rows ⌊i·H/OH⌋ ..< ⌈(i+1)·H/OH⌉.
  package struct AdaptiveAvgPool2D: Operation {
    package let outputHeight: Int
    package let outputWidth: Int

    package init(_ outputHeight: Int, _ outputWidth: Int) {
      self.outputHeight = outputHeight
      self.outputWidth = outputWidth
    }

    package var name: String { "adaptive_avg_pool2d" }
    package var detail: String { "output_size=[\(outputHeight), \(outputWidth)]" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      try expectRank(inputs[0], 4, "input", "[N, C, H, W]")
      try expect(
        outputHeight >= 1 && outputWidth >= 1, "output_size", "at least 1",
        "[\(outputHeight), \(outputWidth)]")
      let x = inputs[0].shape
      return [TensorType([x[0], x[1], outputHeight, outputWidth], inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.apply(AdaptiveAvgPool2DBackward(inputShape: node.inputs[0].shape))]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(flops: inputs[0].elementCount, bytes: inputs[0].byteCount + outputs[0].byteCount)
    }
  }

  /// Output gradient [N, C, OH, OW] → [N, C, H, W].
  package struct AdaptiveAvgPool2DBackward: Operation {
    package let inputShape: Shape

    package init(inputShape: Shape) { self.inputShape = inputShape }

    package var name: String { "adaptive_avg_pool2d_backward" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      return [TensorType(inputShape, inputs[0].dataType)]
    }
  }

  /// The inverse of ``MaxPool2D``: elements go to the positions their indices name, all others are 0.
  ///
  /// Inputs: input, indices [N, C, H, W] → [N, C, OH, OW].
  package struct MaxUnpool2D: Operation {
    package let outputHeight: Int
    package let outputWidth: Int

    package init(_ outputHeight: Int, _ outputWidth: Int) {
      self.outputHeight = outputHeight
      self.outputWidth = outputWidth
    }

    package var name: String { "max_unpool2d" }
    package var detail: String { "output_size=[\(outputHeight), \(outputWidth)]" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectRank(inputs[0], 4, "input", "[N, C, H, W]")
      try expectFloat(inputs[0], "input")
      try expectInteger(inputs[1], "indices")
      try expectShape(inputs[1], inputs[0].shape, "indices")
      let x = inputs[0].shape
      return [TensorType([x[0], x[1], outputHeight, outputWidth], inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.apply(MaxUnpool2DBackward(), node.inputs[1]), nil]
    }
  }

  /// The elements at the positions that the indices name.
  ///
  /// Inputs: output gradient [N, C, OH, OW], indices [N, C, H, W] → [N, C, H, W].
  package struct MaxUnpool2DBackward: Operation {
    package init() {}

    package var name: String { "max_unpool2d_backward" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      return [TensorType(inputs[1].shape, inputs[0].dataType)]
    }
  }
}

extension Tensor {
  /// The maximum of each window: [N, C, H, W] → [N, C, H′, W′].
  public func maxPool2d(_ window: PoolingWindow) throws(ShapeError) -> Tensor {
    try builder.apply(Operations.MaxPool2D(window), [self])[0]
  }
  /// The maxima and their positions, for ``maxUnpool2d(indices:height:width:)``.
  public func maxPool2dWithIndices(_ window: PoolingWindow) throws(ShapeError) -> (Tensor, Tensor) {
    let outputs = try builder.apply(Operations.MaxPool2D(window), [self])
    return (outputs[0], outputs[1])
  }
  /// The mean of each window: [N, C, H, W] → [N, C, H′, W′].
  ///
  /// - Parameter countsPadding: whether the zeros around the input count in the mean.
  public func avgPool2d(_ window: PoolingWindow, countsPadding: Bool = true) throws(ShapeError)
    -> Tensor
  {
    try apply(Operations.AvgPool2D(window, countsPadding: countsPadding))
  }
  /// The means over height · width parts of about equal size: [N, C, H, W] → [N, C, height, width].
  public func adaptiveAvgPool2d(_ height: Int, _ width: Int) throws(ShapeError) -> Tensor {
    try apply(Operations.AdaptiveAvgPool2D(height, width))
  }
  /// Every element put where its maximum was, zeros elsewhere: [N, C, H′, W′] → [N, C, height, width].
  ///
  /// - Parameter indices: as ``maxPool2dWithIndices(_:)`` gives them, int32 [N, C, H′, W′].
  public func maxUnpool2d(indices: Tensor, height: Int, width: Int) throws(ShapeError) -> Tensor {
    try apply(Operations.MaxUnpool2D(height, width), indices)
  }
}

extension OperationSpec {
  static let pooling: [OperationSpec] = [
    OperationSpec("max_pool2d") { a, x in
      let kernel = try a.ints("kernel_size", count: 2)
      return [
        try x.required("input").maxPool2d(
          PoolingWindow(
            kernel: kernel, stride: a.ints("stride", count: 2, default: kernel),
            padding: a.ints("padding", count: 2, default: [0, 0]),
            dilation: a.ints("dilation", count: 2, default: [1, 1]),
            ceilMode: a.bool("ceil_mode", default: false)))
      ]
    },
    OperationSpec("avg_pool2d") { a, x in
      let kernel = try a.ints("kernel_size", count: 2)
      let window = PoolingWindow(
        kernel: kernel, stride: try a.ints("stride", count: 2, default: kernel),
        padding: try a.ints("padding", count: 2, default: [0, 0]),
        ceilMode: try a.bool("ceil_mode", default: false))
      return [
        try x.required("input").avgPool2d(
          window, countsPadding: a.bool("count_include_pad", default: true))
      ]
    },
    OperationSpec("adaptive_avg_pool2d") { a, x in
      let size = try a.ints("output_size", count: 2)
      return [try x.required("input").adaptiveAvgPool2d(size[0], size[1])]
    },
    OperationSpec("max_unpool2d", inputs: ["input", "indices"]) { a, x in
      let input = try x.required("input")
      guard input.shape.rank == 4 else {
        throw ShapeError(
          "max_unpool2d", "input", expected: "shape [N, C, H, W]", got: "\(input.shape)")
      }
      let kernel = try a.ints("kernel_size", count: 2)
      let stride = try a.ints("stride", count: 2, default: kernel)
      let padding = try a.ints("padding", count: 2, default: [0, 0])
      let standard = (0..<2).map { (i: Int) -> Int in
        (input.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + kernel[i]
      }
      // PyTorch takes the output size with or without the leading axes.
      let size = try Array(a.has("output_size") ? a.ints("output_size").suffix(2) : standard[...])
      guard size.count == 2 else {
        throw ShapeError("max_unpool2d", "output_size", expected: "[OH, OW]", got: "\(size)")
      }
      return [
        try input.maxUnpool2d(
          indices: x.required("indices"), height: size[0], width: size[1])
      ]
    },
  ]
}

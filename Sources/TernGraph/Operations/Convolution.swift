import TernCore

/// The geometry that the three passes of a convolution share, and the key of every kernel cache:
/// input [N, C, H, W], weight [O, C/groups, KH, KW], output [N, O, OH, OW].
public struct Conv2DGeometry: Hashable, Sendable {
  public private(set) var batch: Int
  public let inChannels: Int
  public let inHeight: Int
  public let inWidth: Int
  public let outChannels: Int
  public let kernelHeight: Int
  public let kernelWidth: Int
  public let outHeight: Int
  public let outWidth: Int
  public let window: ConvolutionWindow

  public var groups: Int { window.groups }
  public var inputShape: Shape { [batch, inChannels, inHeight, inWidth] }
  public var weightShape: Shape { [outChannels, inChannels / groups, kernelHeight, kernelWidth] }
  public var outputShape: Shape { [batch, outChannels, outHeight, outWidth] }
  /// The multiplications and additions of one pass.
  public var flops: Int {
    2 * outputShape.elementCount * (inChannels / groups) * kernelHeight * kernelWidth
  }

  /// The same of so many images.
  public func with(batch: Int) -> Conv2DGeometry {
    var copy = self
    copy.batch = batch
    return copy
  }
}

/// How a convolution's kernel moves over its input: (vertical, horizontal) pairs.
public struct ConvolutionWindow: Hashable, Sendable {
  public let strideHeight: Int
  public let strideWidth: Int
  public let paddingHeight: Int
  public let paddingWidth: Int
  public let dilationHeight: Int
  public let dilationWidth: Int
  public let groups: Int

  public init(
    stride: [Int] = [1, 1], padding: [Int] = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) {
    (strideHeight, strideWidth) = (stride[0], stride[1])
    (paddingHeight, paddingWidth) = (padding[0], padding[1])
    (dilationHeight, dilationWidth) = (dilation[0], dilation[1])
    self.groups = groups
  }

  var detail: String {
    "stride=[\(strideHeight), \(strideWidth)], padding=[\(paddingHeight), \(paddingWidth)], "
      + "dilation=[\(dilationHeight), \(dilationWidth)], groups=\(groups)"
  }

  /// ⌊(in + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1
  static func outputExtent(_ input: Int, kernel: Int, stride: Int, padding: Int, dilation: Int)
    -> Int
  {
    let span = input + 2 * padding - dilation * (kernel - 1) - 1
    return span < 0 ? 0 : span / stride + 1
  }

  /// The largest kernel, stride, padding and dilation: what a window reaches over is then within the
  /// 32-bit integers that devices and their libraries count with.
  static let largest = 1 << 15

  func validate(_ operation: String) throws(ShapeError) {
    func check(_ name: String, _ values: [Int], atLeast minimum: Int) throws(ShapeError) {
      guard values.allSatisfy({ $0 >= minimum }) else {
        throw ShapeError(operation, name, expected: "at least \(minimum)", got: "\(values)")
      }
      guard name == "groups" || values.allSatisfy({ $0 <= Self.largest }) else {
        throw ShapeError(operation, name, expected: "at most \(Self.largest)", got: "\(values)")
      }
    }
    try check("stride", [strideHeight, strideWidth], atLeast: 1)
    try check("padding", [paddingHeight, paddingWidth], atLeast: 0)
    try check("dilation", [dilationHeight, dilationWidth], atLeast: 1)
    try check("groups", [groups], atLeast: 1)
  }

  /// The geometry over an input [N, C, H, W] and a weight [O, C/groups, KH, KW].
  func geometry(_ operation: String, input x: Shape, weight w: Shape) throws(ShapeError)
    -> Conv2DGeometry
  {
    try validate(operation)
    guard x.rank == 4 else {
      throw ShapeError(operation, "input", expected: "shape [N, C, H, W]", got: "\(x)")
    }
    guard w.rank == 4 else {
      throw ShapeError(operation, "weight", expected: "shape [O, C/groups, KH, KW]", got: "\(w)")
    }
    guard x[1] % groups == 0, w[0] % groups == 0 else {
      throw ShapeError(
        operation, "groups", expected: "a divisor of \(x[1]) input and \(w[0]) output channels",
        got: "\(groups)")
    }
    guard w[1] == x[1] / groups else {
      throw ShapeError(
        operation, "weight", expected: "\(x[1] / groups) input channels (input \(x))", got: "\(w)")
    }
    guard w[2] <= Self.largest, w[3] <= Self.largest else {
      throw ShapeError(
        operation, "kernel_size", expected: "at most \(Self.largest)", got: "[\(w[2]), \(w[3])]")
    }
    let outHeight = Self.outputExtent(
      x[2], kernel: w[2], stride: strideHeight, padding: paddingHeight, dilation: dilationHeight)
    let outWidth = Self.outputExtent(
      x[3], kernel: w[3], stride: strideWidth, padding: paddingWidth, dilation: dilationWidth)
    guard outHeight > 0, outWidth > 0 else {
      throw ShapeError(
        operation, "input", expected: "at least the kernel's extent after padding", got: "\(x)")
    }
    return Conv2DGeometry(
      batch: x[0], inChannels: x[1], inHeight: x[2], inWidth: x[3], outChannels: w[0],
      kernelHeight: w[2], kernelWidth: w[3], outHeight: outHeight, outWidth: outWidth, window: self)
  }
}

/// Cross-correlation: y[n,o,i,j] = b[o] + Σ w[o,c,u,v] · x[n, c, i·s + u·d − p, j·s + v·d − p].
///
/// Inputs: input [N, C, H, W], weight [O, C/groups, KH, KW], optionally bias [O].
public struct Conv2D: Operation {
  public let window: ConvolutionWindow

  public init(_ window: ConvolutionWindow) { self.window = window }

  public var name: String { "conv2d" }
  public var detail: String { window.detail }

  public func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
    try window.geometry(name, input: inputs[0].shape, weight: inputs[1].shape)
  }

  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try expectCount(inputs, 2...3)
    for (type, subject) in zip(inputs, ["input", "weight", "bias"]) {
      try expectFloat(type, subject)
    }
    let geometry = try geometry(inputs)
    if inputs.count == 3 { try expectShape(inputs[2], [geometry.outChannels], "bias") }
    return [TensorType(geometry.outputShape)]
  }

  public func gradient(_ node: NodeGradient) throws -> [Tensor?] {
    let (dy, x, w) = (node.cotangent, node.inputs[0], node.inputs[1])
    let dx = try node.ifNeeded(0) {
      try dy.apply(Conv2DBackwardInput(window, inputShape: x.shape), w)
    }
    let hasBias = node.inputs.count == 3 && node.needed[2]
    guard node.needed[1] || hasBias else { return [dx] + node.inputs.dropFirst().map { _ in nil } }
    let weights = try x.builder.apply(
      Conv2DBackwardWeight(window, weightShape: w.shape, hasBias: hasBias), [x, dy])
    return [dx, weights[0]] + (node.inputs.count == 3 ? [hasBias ? weights[1] : nil] : [])
  }

  public func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    Cost(
      flops: Cost.product(2, outputs[0].elementCount, inputs[1].shape.elementCount(in: 1..<4)),
      bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
  }
}

/// The gradient arriving at the input of a ``Conv2D``; by itself, a transposed convolution.
///
/// Inputs: output gradient [N, O, OH, OW], weight [O, C/groups, KH, KW] → [N, C, H, W].
public struct Conv2DBackwardInput: Operation {
  public let window: ConvolutionWindow
  public let inputShape: Shape

  public init(_ window: ConvolutionWindow, inputShape: Shape) {
    self.window = window
    self.inputShape = inputShape
  }

  public var name: String { "conv2d_backward_input" }
  public var detail: String { window.detail }

  public func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
    try window.geometry(name, input: inputShape, weight: inputs[1].shape)
  }

  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try expectCount(inputs, 2...2)
    try expectFloat(inputs[0], "output gradient")
    try expectFloat(inputs[1], "weight")
    try expectShape(inputs[0], geometry(inputs).outputShape, "output gradient")
    return [TensorType(inputShape)]
  }

  public func gradient(_ node: NodeGradient) throws -> [Tensor?] {
    let (g, dy, w) = (node.cotangent, node.inputs[0], node.inputs[1])
    return [
      try node.ifNeeded(0) { try g.apply(Conv2D(window), w) },
      try node.ifNeeded(1) {
        try g.apply(Conv2DBackwardWeight(window, weightShape: w.shape, hasBias: false), dy)
      },
    ]
  }

  public func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    Cost(
      flops: Cost.product(2, inputs[0].elementCount, inputs[1].shape.elementCount(in: 1..<4)),
      bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
  }
}

/// The gradients arriving at the weight and, if asked for, the bias of a ``Conv2D``.
///
/// Inputs: input [N, C, H, W], output gradient [N, O, OH, OW] → [O, C/groups, KH, KW] (, [O]).
public struct Conv2DBackwardWeight: Operation {
  public let window: ConvolutionWindow
  public let weightShape: Shape
  public let hasBias: Bool

  public init(_ window: ConvolutionWindow, weightShape: Shape, hasBias: Bool) {
    self.window = window
    self.weightShape = weightShape
    self.hasBias = hasBias
  }

  public var name: String { "conv2d_backward_weight" }
  public var detail: String { window.detail }

  public func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
    try window.geometry(name, input: inputs[0].shape, weight: weightShape)
  }

  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try expectCount(inputs, 2...2)
    try expectFloat(inputs[0], "input")
    try expectFloat(inputs[1], "output gradient")
    try expectShape(inputs[1], geometry(inputs).outputShape, "output gradient")
    return [TensorType(weightShape)] + (hasBias ? [TensorType([weightShape[0]])] : [])
  }

  public func gradient(_ node: NodeGradient) throws -> [Tensor?] {
    guard let g = node.cotangents[0], !hasBias else {
      throw ShapeError(name, "gradient", expected: "a second derivative without bias", got: "bias")
    }
    let (x, dy) = (node.inputs[0], node.inputs[1])
    return [
      try node.ifNeeded(0) {
        try dy.apply(Conv2DBackwardInput(window, inputShape: x.shape), g)
      },
      try node.ifNeeded(1) { try x.apply(Conv2D(window), g) },
    ]
  }

  public func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    Cost(
      flops: Cost.product(2, inputs[1].elementCount, weightShape.elementCount(in: 1..<4)),
      bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
  }
}

/// The border of zeros around the input of a convolution.
public enum ConvolutionPadding: Hashable, Sendable, ExpressibleByArrayLiteral {
  /// So many on both sides of each axis.
  case symmetric([Int])
  /// As many as leave the extents as they are; where that is an odd number, one more at the end.
  case same

  public init(arrayLiteral amounts: Int...) { self = .symmetric(amounts) }
}

extension Attributes {
  /// `padding`: an integer, one for each of `count` axes, or PyTorch's words "same" and "valid".
  public mutating func padding(count: Int) throws(ShapeError) -> ConvolutionPadding {
    guard isString("padding") else {
      return .symmetric(
        try ints("padding", count: count, default: [Int](repeating: 0, count: count)))
    }
    return try string("padding", oneOf: ["same", "valid"]) == "same"
      ? .same : .symmetric([Int](repeating: 0, count: count))
  }
}

extension Tensor {
  /// input [N, C, H, W], weight [O, C/groups, KH, KW], bias [O] → [N, O, OH, OW].
  public func conv2d(
    weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1],
    padding: ConvolutionPadding = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) throws(ShapeError) -> Tensor {
    var (input, amounts) = (self, [0, 0])
    switch padding {
    case .symmetric(let given): amounts = given
    case .same:
      guard stride == [1, 1], weight.shape.rank == 4 else {
        throw ShapeError(
          "conv2d", "padding", expected: "numbers, for a stride above 1", got: "same")
      }
      let totals = (0..<2).map { dilation[$0] * (weight.shape[2 + $0] - 1) }
      amounts = totals.map { $0 / 2 }
      if totals.contains(where: { $0 % 2 == 1 }) {
        input = try pad([0, totals[1] % 2, 0, totals[0] % 2])
      }
    }
    let window = ConvolutionWindow(
      stride: stride, padding: amounts, dilation: dilation, groups: groups)
    return try builder.apply(Conv2D(window), [input, weight] + (bias.map { [$0] } ?? []))[0]
  }

  /// input [N, C, L], weight [O, C/groups, K], bias [O] → [N, O, OL].
  public func conv1d(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: ConvolutionPadding = [0],
    dilation: Int = 1, groups: Int = 1
  ) throws(ShapeError) -> Tensor {
    guard shape.rank == 3, weight.shape.rank == 3 else {
      throw ShapeError(
        "conv1d", "input", expected: "[N, C, L] and weight [O, C/groups, K]",
        got: "\(shape) and \(weight.shape)")
    }
    let (x, w) = (shape, weight.shape)
    let plane: ConvolutionPadding =
      if case .symmetric(let amounts) = padding { .symmetric([0] + amounts) } else { .same }
    let y = try reshape([x[0], x[1], 1, x[2]]).conv2d(
      weight: weight.reshape([w[0], w[1], 1, w[2]]), bias: bias, stride: [1, stride],
      padding: plane, dilation: [1, dilation], groups: groups)
    return try y.reshape([x[0], w[0], y.shape[3]])
  }

  /// input [N, C, H, W], weight [C, O/groups, KH, KW], bias [O] → [N, O, OH, OW] with
  /// OH = (H − 1)·stride − 2·padding + dilation·(KH − 1) + output_padding + 1.
  public func convTranspose2d(
    weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    outputPadding: [Int] = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) throws(ShapeError) -> Tensor {
    let name = "conv_transpose2d"
    let window = ConvolutionWindow(
      stride: stride, padding: padding, dilation: dilation, groups: groups)
    try window.validate(name)
    let (x, w) = (shape, weight.shape)
    guard x.rank == 4, w.rank == 4, w[0] == x[1], x[1] % groups == 0,
      x.dimensions.allSatisfy({ $0 <= Attributes.largestInteger })
    else {
      throw ShapeError(
        name, "weight", expected: "[C, O/groups, KH, KW] for an input [N, C, H, W]",
        got: "\(w) for \(x)")
    }
    guard
      (0..<2).allSatisfy({
        outputPadding[$0] >= 0
          && outputPadding[$0] < Swift.max(stride[$0], dilation[$0])
      })
    else {
      throw ShapeError(
        name, "output_padding", expected: "less than stride or dilation", got: "\(outputPadding)")
    }
    let extent = { (i: Int) in
      (x[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (w[2 + i] - 1)
        + outputPadding[i] + 1
    }
    guard extent(0) >= 1, extent(1) >= 1 else {
      throw ShapeError(name, "padding", expected: "an output of at least 1×1", got: "\(padding)")
    }
    let y: Tensor
    if (0..<2).contains(where: { outputPadding[$0] >= stride[$0] }) {
      // No convolution leads back there: a part of the whole output, or more than that.
      y = try convTranspose2d(
        weight: weight, stride: stride, dilation: dilation, groups: groups
      )
      .pad([
        0, Swift.max(outputPadding[1] - padding[1], 0), 0,
        Swift.max(outputPadding[0] - padding[0], 0),
      ])
      .narrow(2, start: padding[0], length: extent(0))
      .narrow(3, start: padding[1], length: extent(1))
    } else {
      y = try apply(
        Conv2DBackwardInput(
          window, inputShape: [x[0], w[1] * groups, extent(0), extent(1)]), weight)
    }
    guard let bias else { return y }
    guard bias.shape == [y.shape[1]] else {
      throw ShapeError(name, "bias", expected: "[\(y.shape[1])]", got: "\(bias.shape)")
    }
    return try y + bias.alongAxis(1, rank: 4)
  }
}

extension OperationSpec {
  static let convolution: [OperationSpec] = [
    OperationSpec("conv2d", inputs: ["input", "weight", "bias?"]) { a, x in
      [
        try x.required("input").conv2d(
          weight: x.required("weight"), bias: x.optional("bias"),
          stride: a.ints("stride", count: 2, default: [1, 1]), padding: a.padding(count: 2),
          dilation: a.ints("dilation", count: 2, default: [1, 1]),
          groups: a.int("groups", default: 1))
      ]
    },
    OperationSpec("conv1d", inputs: ["input", "weight", "bias?"]) { a, x in
      [
        try x.required("input").conv1d(
          weight: x.required("weight"), bias: x.optional("bias"),
          stride: a.ints("stride", count: 1, default: [1])[0], padding: a.padding(count: 1),
          dilation: a.ints("dilation", count: 1, default: [1])[0],
          groups: a.int("groups", default: 1))
      ]
    },
    OperationSpec("conv_transpose2d", inputs: ["input", "weight", "bias?"]) { a, x in
      [
        try x.required("input").convTranspose2d(
          weight: x.required("weight"), bias: x.optional("bias"),
          stride: a.ints("stride", count: 2, default: [1, 1]),
          padding: a.ints("padding", count: 2, default: [0, 0]),
          outputPadding: a.ints("output_padding", count: 2, default: [0, 0]),
          dilation: a.ints("dilation", count: 2, default: [1, 1]),
          groups: a.int("groups", default: 1))
      ]
    },
  ]
}

import TernCore

extension Operations {
  /// Cross-correlation: y[n,o,i,j] = b[o] + Σ w[o,c,u,v] · x[n, c, i·s + u·d − p, j·s + v·d − p].
  ///
  /// Inputs: input [N, C, H, W], weight [O, C/groups, KH, KW], optionally bias [O].
  package struct Conv2D: Operation {
    package let window: ConvolutionWindow

    package init(_ window: ConvolutionWindow) { self.window = window }

    package var name: String { "conv2d" }
    package var detail: String { window.detail }

    package func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
      try window.geometry(name, input: inputs[0].shape, weight: inputs[1].shape)
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...3)
      for (type, subject) in zip(inputs, ["input", "weight", "bias"]) {
        try expectFloat(type, subject)
      }
      try expectSameType(inputs[1], inputs[0], "weight")
      let geometry = try geometry(inputs)
      if inputs.count == 3 { try expectShape(inputs[2], [geometry.outChannels], "bias") }
      return [TensorType(geometry.outputShape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let (dy, x, w) = (node.cotangent, node.inputs[0], node.inputs[1])
      let dx = try node.ifNeeded(0) {
        try dy.apply(Conv2DBackwardInput(window, inputShape: x.shape), w)
      }
      let hasBias = node.inputs.count == 3 && node.needed[2]
      guard node.needed[1] || hasBias else {
        return [dx] + node.inputs.dropFirst().map { _ in nil }
      }
      let weights = try x.builder.apply(
        Conv2DBackwardWeight(window, weightShape: w.shape, hasBias: hasBias), [x, dy])
      return [dx, weights[0]] + (node.inputs.count == 3 ? [hasBias ? weights[1] : nil] : [])
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: Cost.product(2, outputs[0].elementCount, inputs[1].shape.elementCount(in: 1..<4)),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }

  /// The gradient arriving at the input of a ``Conv2D``; by itself, a transposed convolution.
  ///
  /// Inputs: output gradient [N, O, OH, OW], weight [O, C/groups, KH, KW] → [N, C, H, W].
  package struct Conv2DBackwardInput: Operation {
    package let window: ConvolutionWindow
    package let inputShape: Shape

    package init(_ window: ConvolutionWindow, inputShape: Shape) {
      self.window = window
      self.inputShape = inputShape
    }

    package var name: String { "conv2d_backward_input" }
    package var detail: String { window.detail }

    package func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
      try window.geometry(name, input: inputShape, weight: inputs[1].shape)
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectFloat(inputs[0], "output gradient")
      try expectFloat(inputs[1], "weight")
      try expectSameType(inputs[1], inputs[0], "weight")
      try expectShape(inputs[0], geometry(inputs).outputShape, "output gradient")
      return [TensorType(inputShape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let (g, dy, w) = (node.cotangent, node.inputs[0], node.inputs[1])
      return [
        try node.ifNeeded(0) { try g.apply(Conv2D(window), w) },
        try node.ifNeeded(1) {
          try g.apply(Conv2DBackwardWeight(window, weightShape: w.shape, hasBias: false), dy)
        },
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: Cost.product(2, inputs[0].elementCount, inputs[1].shape.elementCount(in: 1..<4)),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }

  /// The gradients arriving at the weight and, if asked for, the bias of a ``Conv2D``.
  ///
  /// Inputs: input [N, C, H, W], output gradient [N, O, OH, OW] → [O, C/groups, KH, KW] (, [O]).
  package struct Conv2DBackwardWeight: Operation {
    package let window: ConvolutionWindow
    package let weightShape: Shape
    package let hasBias: Bool

    package init(_ window: ConvolutionWindow, weightShape: Shape, hasBias: Bool) {
      self.window = window
      self.weightShape = weightShape
      self.hasBias = hasBias
    }

    package var name: String { "conv2d_backward_weight" }
    package var detail: String { window.detail }

    package func geometry(_ inputs: [TensorType]) throws(ShapeError) -> Conv2DGeometry {
      try window.geometry(name, input: inputs[0].shape, weight: weightShape)
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectFloat(inputs[0], "input")
      try expectFloat(inputs[1], "output gradient")
      try expectSameType(inputs[1], inputs[0], "output gradient")
      try expectShape(inputs[1], geometry(inputs).outputShape, "output gradient")
      return [TensorType(weightShape)] + (hasBias ? [TensorType([weightShape[0]])] : [])
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let g = node.cotangents[0], !hasBias else {
        throw ShapeError(
          name, "gradient", expected: "a second derivative without bias", got: "bias")
      }
      let (x, dy) = (node.inputs[0], node.inputs[1])
      return [
        try node.ifNeeded(0) {
          try dy.apply(Conv2DBackwardInput(window, inputShape: x.shape), g)
        },
        try node.ifNeeded(1) { try x.apply(Conv2D(window), g) },
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: Cost.product(2, inputs[1].elementCount, weightShape.elementCount(in: 1..<4)),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
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
    return try builder.apply(
      Operations.Conv2D(window), [input, weight] + (bias.map { [$0] } ?? []))[0]
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
        Operations.Conv2DBackwardInput(
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

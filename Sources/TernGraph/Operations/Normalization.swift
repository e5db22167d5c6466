import TernCore

extension Operations {
  /// Batch normalisation by the statistics of the batch.
  ///
  /// Inputs: input [N, C, *], weight [C], bias [C] → output [N, C, *], mean [C], variance [C] (biased).
  ///
  /// Source: Ioffe and Szegedy, 2015.
  package struct BatchNorm: Operation {
    package let epsilon: Float

    package init(epsilon: Float) { self.epsilon = epsilon }

    package var name: String { "batch_norm" }
    package var detail: String { "eps=\(epsilon)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...3)
      try expectFloat(inputs[0], "input")
      let x = inputs[0].shape
      try expect(x.rank >= 2, "input", "shape [N, C, *]", "\(x)")
      try expectShape(inputs[1], [x[1]], "weight")
      try expectShape(inputs[2], [x[1]], "bias")
      try expect(
        x.elementCount > x[1], "input", "more than one value per channel when training", "\(x)")
      return [inputs[0], TensorType([x[1]]), TensorType([x[1]])]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let dy = node.cotangents[0] else { return [nil, nil, nil] }
      return try node.inputs[0].builder.apply(
        BatchNormBackward(epsilon: epsilon),
        [dy, node.inputs[0], node.outputs[1], node.outputs[2], node.inputs[1]])
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(flops: 8 * inputs[0].elementCount, bytes: 3 * inputs[0].byteCount)
    }
  }

  /// Inputs: dy, input [N, C, *], mean, variance, weight [C] → d input, d weight, d bias.
  package struct BatchNormBackward: Operation {
    package let epsilon: Float

    package init(epsilon: Float) { self.epsilon = epsilon }

    package var name: String { "batch_norm_backward" }
    package var detail: String { "eps=\(epsilon)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 5...5)
      return [inputs[1], inputs[4], inputs[4]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(flops: 12 * inputs[1].elementCount, bytes: 5 * inputs[1].byteCount)
    }
  }

  /// Normalisation of each row: input [R, K] → output [R, K], mean [R], rstd [R], without weights.
  ///
  /// Layer norm and group norm are this on a reshaped input. Source: Ba, Kiros, Hinton, 2016.
  package struct NormalizeRows: Operation {
    package let epsilon: Float

    package init(epsilon: Float) { self.epsilon = epsilon }

    package var name: String { "normalize_rows" }
    package var detail: String { "eps=\(epsilon)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      try expectRank(inputs[0], 2, "input", "[R, K]")
      let rows = TensorType([inputs[0].shape[0]])
      return [inputs[0], rows, rows]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let dy = node.cotangents[0] else { return [nil] }
      return try dy.builder.apply(NormalizeRowsBackward(), [dy, node.outputs[0], node.outputs[2]])
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 7)
    }
  }

  /// rstd · (dy − mean(dy) − y · mean(dy·y)), row by row. Inputs: dy, y [R, K], rstd [R].
  package struct NormalizeRowsBackward: Operation {
    package init() {}

    package var name: String { "normalize_rows_backward" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...3)
      return [inputs[0]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 8)
    }
  }
}

private func requirePositive(_ operation: String, _ epsilon: Float) throws(ShapeError) {
  guard epsilon >= 0, epsilon.isFinite else {
    throw ShapeError(operation, "eps", expected: "a number of at least 0", got: "\(epsilon)")
  }
}

extension Tensor {
  /// Batch normalisation by the batch's own statistics (training).
  ///
  /// - Returns: the output, and the running statistics after this step:
  ///   running ← (1 − momentum)·running + momentum·batch, with the unbiased variance.
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func batchNormTraining(
    runningMean: Tensor?, runningVariance: Tensor?, weight: Tensor? = nil, bias: Tensor? = nil,
    momentum: Float = 0.1, epsilon: Float = 1e-5
  ) throws -> (output: Tensor, runningMean: Tensor?, runningVariance: Tensor?) {
    try requirePositive("batch_norm", epsilon)
    let channels = shape.rank >= 2 ? shape[1] : 1
    let outputs = try builder.apply(
      Operations.BatchNorm(epsilon: epsilon),
      [
        self, weight ?? builder.constant(1, [channels]), bias ?? builder.constant(0, [channels]),
      ])
    for (running, subject) in [(runningMean, "running_mean"), (runningVariance, "running_var")] {
      if let running, running.shape != [channels] {
        throw ShapeError("batch_norm", subject, expected: "[\(channels)]", got: "\(running.shape)")
      }
    }
    let count = Float(shape.elementCount / channels)
    func update(_ running: Tensor?, _ batch: Tensor, scale: Float) throws -> Tensor? {
      guard let running else { return nil }
      return try running.affine(scale: 1 - momentum) + batch.affine(scale: momentum * scale)
    }
    return (
      outputs[0], try update(runningMean, outputs[1], scale: 1),
      try update(runningVariance, outputs[2], scale: count / (count - 1))
    )
  }

  /// Batch normalisation by the running statistics (inference).
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func batchNormInference(
    runningMean: Tensor, runningVariance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Float = 1e-5
  ) throws -> Tensor {
    try requirePositive("batch_norm", epsilon)
    guard shape.rank >= 2 else {
      throw ShapeError("batch_norm", "input", expected: "shape [N, C, *]", got: "\(shape)")
    }
    for (tensor, subject) in [
      (runningMean, "running_mean"), (runningVariance, "running_var"),
      (weight ?? runningMean, "weight"),
      (bias ?? runningMean, "bias"),
    ] where tensor.shape != [shape[1]] {
      throw ShapeError("batch_norm", subject, expected: "[\(shape[1])]", got: "\(tensor.shape)")
    }
    let rstd = try runningVariance.affine(scale: 1, shift: epsilon).rsqrt()
    let scale = try weight.map { try $0 * rstd } ?? rstd
    let shift = try bias.map { try $0 - runningMean * scale } ?? -(runningMean * scale)
    return try self * scale.alongAxis(1, rank: shape.rank) + shift.alongAxis(1, rank: shape.rank)
  }

  /// Normalisation over the innermost axes, of extents `normalizedShape`, then weight and bias.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func layerNorm(
    _ normalizedShape: [Int], weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float = 1e-5
  ) throws -> Tensor {
    try requirePositive("layer_norm", epsilon)
    guard !normalizedShape.isEmpty, normalizedShape.count <= shape.rank,
      Array(shape.dimensions.suffix(normalizedShape.count)) == normalizedShape
    else {
      throw ShapeError(
        "layer_norm", "normalized_shape", expected: "the innermost extents of \(shape)",
        got: "\(normalizedShape)")
    }
    let columns = normalizedShape.reduce(1, *)
    var y = try builder.apply(
      Operations.NormalizeRows(epsilon: epsilon),
      [reshape([shape.elementCount / columns, columns])])[0]
      .reshape(shape)
    for (tensor, subject) in [(weight, "weight"), (bias, "bias")] {
      if let tensor, tensor.shape != Shape(normalizedShape) {
        throw ShapeError(
          "layer_norm", subject, expected: "\(normalizedShape)", got: "\(tensor.shape)")
      }
    }
    if let weight { y = try y * weight }
    if let bias { y = try y + bias }
    return y
  }

  /// Normalisation over each of `groups` groups of channels of [N, C, *]. Wu and He, 2018.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func groupNorm(
    groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float = 1e-5
  ) throws -> Tensor {
    try requirePositive("group_norm", epsilon)
    guard shape.rank >= 2, groups >= 1, shape[1] % groups == 0 else {
      throw ShapeError(
        "group_norm", "num_groups", expected: "a divisor of the channels of \(shape)",
        got: "\(groups)")
    }
    let rows = shape[0] * groups
    var y = try builder.apply(
      Operations.NormalizeRows(epsilon: epsilon), [reshape([rows, shape.elementCount / rows])])[0]
      .reshape(shape)
    for (tensor, subject) in [(weight, "weight"), (bias, "bias")] {
      if let tensor, tensor.shape != [shape[1]] {
        throw ShapeError("group_norm", subject, expected: "[\(shape[1])]", got: "\(tensor.shape)")
      }
    }
    if let weight { y = try y * weight.alongAxis(1, rank: shape.rank) }
    if let bias { y = try y + bias.alongAxis(1, rank: shape.rank) }
    return y
  }

  /// x / (k + α/size · Σ x²)^β, the sum over `size` neighbouring channels of [N, C, *].
  ///
  /// Source: Krizhevsky, Sutskever, Hinton, 2012, section 3.3.
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func localResponseNorm(
    size: Int, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1
  ) throws -> Tensor {
    guard shape.rank >= 2, (1...1 << 16).contains(size) else {
      throw ShapeError(
        "local_response_norm", "size", expected: "1 to 65536, on an input [N, C, *]",
        got: "\(size) on \(shape)")
    }
    let channels = shape[1]
    let inner = shape.elementCount(in: 2..<shape.rank)
    // A neighbour further away than there are channels is always zero.
    let (before, after) = (Swift.min(size / 2, channels), Swift.min((size - 1) / 2, channels))
    let squares = try square().reshape([shape[0], channels, inner]).pad([0, 0, before, after])
    var sum = try squares.narrow(1, start: 0, length: channels)
    for offset in stride(from: 1, through: before + after, by: 1) {
      sum = try sum + squares.narrow(1, start: offset, length: channels)
    }
    let scale = try sum.affine(scale: alpha / Float(size), shift: k).pow(-beta).reshape(shape)
    return try self * scale
  }
}

extension OperationSpec {
  static let normalization: [OperationSpec] = [
    OperationSpec(
      "batch_norm", inputs: ["input", "running_mean?", "running_var?", "weight?", "bias?"],
      outputs: ["output", "running_mean", "running_var"]
    ) { a, x in
      let input = try x.required("input")
      let (mean, variance) = (x.optional("running_mean"), x.optional("running_var"))
      let momentum = Float(try a.double("momentum", default: 0.1))
      let epsilon = Float(try a.double("eps", default: 1e-5))
      if try a.bool("training", default: false) {
        let result = try input.batchNormTraining(
          runningMean: mean, runningVariance: variance, weight: x.optional("weight"),
          bias: x.optional("bias"), momentum: momentum, epsilon: epsilon)
        return [result.output, result.runningMean, result.runningVariance].compactMap(\.self)
      }
      let (givenMean, givenVariance) = (
        try x.required("running_mean"), try x.required("running_var")
      )
      return [
        try input.batchNormInference(
          runningMean: givenMean, runningVariance: givenVariance, weight: x.optional("weight"),
          bias: x.optional("bias"), epsilon: epsilon), givenMean, givenVariance,
      ]
    },
    OperationSpec("layer_norm", inputs: ["input", "weight?", "bias?"]) { a, x in
      [
        try x.required("input").layerNorm(
          a.ints("normalized_shape"), weight: x.optional("weight"), bias: x.optional("bias"),
          epsilon: Float(a.double("eps", default: 1e-5)))
      ]
    },
    OperationSpec("group_norm", inputs: ["input", "weight?", "bias?"]) { a, x in
      [
        try x.required("input").groupNorm(
          groups: a.int("num_groups"), weight: x.optional("weight"), bias: x.optional("bias"),
          epsilon: Float(a.double("eps", default: 1e-5)))
      ]
    },
    OperationSpec("local_response_norm") { a, x in
      [
        try x.required("input").localResponseNorm(
          size: a.int("size"), alpha: Float(a.double("alpha", default: 1e-4)),
          beta: Float(a.double("beta", default: 0.75)), k: Float(a.double("k", default: 1)))
      ]
    },
  ]
}

import TernCore

/// How the losses of a batch become one number.
public enum LossReduction: String, Hashable, Sendable {
  /// None: a loss per element. The mean of all of them, or their sum.
  case none, mean, sum
}

extension Operations {
  /// The negative log-likelihood of the target classes.
  ///
  /// Inputs: log-probabilities [N, C, *], target [N, *] (int32), optionally class weights [C].
  /// Outputs: the loss, [] or [N, *] without reduction; and the sum of the weights that count, [].
  ///
  /// With label smoothing ε the target distribution is (1 − ε) on the target and ε/C on every class.
  package struct NLLLoss: Operation {
    package let reduction: LossReduction
    /// Targets of this value count nothing.
    package let ignoreIndex: Int32
    package let labelSmoothing: Float

    package init(
      reduction: LossReduction = .mean, ignoreIndex: Int32 = -100, labelSmoothing: Float = 0
    ) {
      self.reduction = reduction
      self.ignoreIndex = ignoreIndex
      self.labelSmoothing = labelSmoothing
    }

    package var name: String { "nll_loss" }
    package var detail: String {
      "reduction=\(reduction.rawValue)"
        + (labelSmoothing > 0 ? ", label_smoothing=\(labelSmoothing)" : "")
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...3)
      let x = inputs[0].shape
      try expectFloat(inputs[0], "input")
      try expect(x.rank >= 2, "input", "shape [N, C, *]", "\(x)")
      try expectInteger(inputs[1], "target")
      var expected = x.dimensions
      expected.remove(at: 1)
      try expectShape(inputs[1], Shape(expected), "target")
      if inputs.count == 3 { try expectShape(inputs[2], [x[1]], "weight") }
      try expect(
        labelSmoothing >= 0 && labelSmoothing <= 1, "label_smoothing", "0 to 1", "\(labelSmoothing)"
      )
      return [TensorType(reduction == .none ? Shape(expected) : []), TensorType([])]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let dy = node.cotangents[0] else { return node.inputs.map { _ in nil } }
      let weight = node.inputs.count == 3 ? [node.inputs[2]] : []
      let backward = NLLLossBackward(forward: self, inputShape: node.inputs[0].shape)
      let dx = try dy.builder.apply(backward, [dy, node.inputs[1], node.outputs[1]] + weight)[0]
      return [dx, nil] + weight.map { _ in nil }
    }
  }

  /// Inputs: d loss, target, the sum of the weights, optionally class weights → [N, C, *].
  package struct NLLLossBackward: Operation {
    package let forward: NLLLoss
    package let inputShape: Shape

    package init(forward: NLLLoss, inputShape: Shape) {
      self.forward = forward
      self.inputShape = inputShape
    }

    package var name: String { "nll_loss_backward" }
    package var detail: String { forward.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...4)
      return [TensorType(inputShape)]
    }
  }
}

extension Tensor {
  func reduced(_ reduction: LossReduction) throws(ShapeError) -> Tensor {
    switch reduction {
    case .none: self
    case .mean: try mean()
    case .sum: try sum()
    }
  }

  private func expectSameShape(_ operation: String, _ others: Tensor...) throws(ShapeError) {
    for other in others where other.shape != shape {
      throw ShapeError(operation, "target", expected: "shape \(shape)", got: "\(other.shape)")
    }
  }

  /// Log-probabilities [N, C, *] against classes [N, *].
  public func nllLoss(
    _ target: Tensor, weight: Tensor? = nil, reduction: LossReduction = .mean,
    ignoreIndex: Int = -100
  ) throws(ShapeError) -> Tensor {
    try builder.apply(
      Operations.NLLLoss(reduction: reduction, ignoreIndex: Int32(truncatingIfNeeded: ignoreIndex)),
      [self, target] + (weight.map { [$0] } ?? []))[0]
  }

  /// Logits [N, C, *] against classes [N, *]: softmax and negative log-likelihood.
  public func crossEntropy(
    _ target: Tensor, weight: Tensor? = nil, reduction: LossReduction = .mean,
    ignoreIndex: Int = -100, labelSmoothing: Float = 0
  ) throws(ShapeError) -> Tensor {
    guard shape.rank >= 2 else {
      throw ShapeError("cross_entropy", "input", expected: "shape [N, C, *]", got: "\(shape)")
    }
    let loss = Operations.NLLLoss(
      reduction: reduction, ignoreIndex: Int32(truncatingIfNeeded: ignoreIndex),
      labelSmoothing: labelSmoothing)
    do {
      return try builder.apply(
        loss, [logSoftmax(dim: 1), target] + (weight.map { [$0] } ?? []))[0]
    } catch {
      // Under the name the caller knows.
      throw ShapeError(
        "cross_entropy", error.subject, expected: error.expected, got: error.got)
    }
  }

  /// (x − t)²
  public func mseLoss(_ target: Tensor, reduction: LossReduction = .mean) throws(ShapeError)
    -> Tensor
  {
    try expectSameShape("mse_loss", target)
    return try (self - target).square().reduced(reduction)
  }

  /// |x − t|
  public func l1Loss(_ target: Tensor, reduction: LossReduction = .mean) throws(ShapeError)
    -> Tensor
  {
    try expectSameShape("l1_loss", target)
    return try (self - target).abs().reduced(reduction)
  }

  /// ½(x − t)² up to |x − t| = δ, then δ(|x − t| − ½δ). Huber, 1964.
  public func huberLoss(
    _ target: Tensor, delta: Float = 1, reduction: LossReduction = .mean
  ) throws(ShapeError) -> Tensor {
    try expectSameShape("huber_loss", target)
    guard delta > 0 else {
      throw ShapeError("huber_loss", "delta", expected: "a positive number", got: "\(delta)")
    }
    let distance = try (self - target).abs()
    let inner = try distance.clamp(max: delta)
    return try (inner * (distance - inner.affine(scale: 0.5))).reduced(reduction)
  }

  /// −t·log x − (1 − t)·log(1 − x), each logarithm at least −100.
  public func binaryCrossEntropy(
    _ target: Tensor, weight: Tensor? = nil, reduction: LossReduction = .mean
  ) throws(ShapeError) -> Tensor {
    try expectSameShape("binary_cross_entropy", target)
    let positive = try log().clamp(min: -100)
    let negative = try affine(scale: -1, shift: 1).log().clamp(min: -100)
    var loss = try -(target * positive + target.affine(scale: -1, shift: 1) * negative)
    if let weight { loss = try loss * weight }
    return try loss.reduced(reduction)
  }

  /// The binary cross-entropy of sigmoid(x), computed as (1 − t)·x + log(1 + e^−x); positive
  /// targets weighted by `positiveWeight`.
  public func binaryCrossEntropyWithLogits(
    _ target: Tensor, weight: Tensor? = nil, positiveWeight: Tensor? = nil,
    reduction: LossReduction = .mean
  ) throws(ShapeError) -> Tensor {
    try expectSameShape("binary_cross_entropy_with_logits", target)
    // Far beyond PyTorch's threshold of 20, so that the identity sets in without a step.
    var logTerm = try (-self).softplus(threshold: 80)
    if let positiveWeight {
      let excess = try positiveWeight.affine(scale: 1, shift: -1)
      logTerm = try logTerm * (excess * target).affine(scale: 1, shift: 1)
    }
    var loss = try target.affine(scale: -1, shift: 1) * self + logTerm
    if let weight { loss = try loss * weight }
    return try loss.reduced(reduction)
  }

  /// t·(log t − x) for log-probabilities x; `batchMean` divides the sum by the batch.
  public func klDiv(
    _ target: Tensor, reduction: LossReduction = .mean, batchMean: Bool = false,
    logTarget: Bool = false
  ) throws(ShapeError) -> Tensor {
    try expectSameShape("kl_div", target)
    // t·log t → 0 as t → 0: the smallest normal number stands in for 0 inside the logarithm.
    let loss =
      logTarget
      ? try target.exp() * (target - self)
      : try target * (target.clamp(min: .leastNormalMagnitude).log() - self)
    guard batchMean else { return try loss.reduced(reduction) }
    return try loss.sum().affine(scale: 1 / Float(shape.first ?? 1))
  }

  /// max(0, 1 − x·t), t = ±1.
  public func hingeLoss(_ target: Tensor, reduction: LossReduction = .mean) throws(ShapeError)
    -> Tensor
  {
    try expectSameShape("hinge_loss", target)
    return try (self * target).affine(scale: -1, shift: 1).relu().reduced(reduction)
  }

  /// ½·max(0, 1 − x·t)², t = ±1.
  public func squaredHingeLoss(_ target: Tensor, reduction: LossReduction = .mean)
    throws(ShapeError) -> Tensor
  {
    try hingeLoss(target, reduction: .none).square().affine(scale: 0.5).reduced(reduction)
  }

  /// log(1 + e^(−x·t)), t = ±1.
  public func softMarginLoss(_ target: Tensor, reduction: LossReduction = .mean)
    throws(ShapeError) -> Tensor
  {
    try expectSameShape("soft_margin_loss", target)
    return try (-(self * target)).softplus(threshold: 80).reduced(reduction)
  }

  /// ½(log v + (x − t)²/v), v at least `epsilon`; `isFull` adds ½·log 2π.
  public func gaussianNLLLoss(
    _ target: Tensor, variance: Tensor, isFull: Bool = false, epsilon: Float = 1e-6,
    reduction: LossReduction = .mean
  ) throws(ShapeError) -> Tensor {
    try expectSameShape("gaussian_nll_loss", target)
    guard epsilon > 0 else {
      throw ShapeError(
        "gaussian_nll_loss", "eps", expected: "a positive number", got: "\(epsilon)")
    }
    var v = variance
    if v.shape != shape, v.shape.rank == shape.rank - 1 {
      v = try v.reshape(Shape(v.shape.dimensions + [1]))
    }
    v = try v.clamp(min: epsilon)
    let loss = try (v.log() + (self - target).square() / v).affine(
      scale: 0.5, shift: isFull ? 0.918_938_5 : 0)
    return try loss.reduced(reduction)
  }

  /// Σ[t·d² + (1 − t)·max(margin − d, 0)²] / 2N, d the distance of the rows. Hadsell et al., 2006.
  public func contrastiveLoss(_ other: Tensor, target: Tensor, margin: Float) throws(ShapeError)
    -> Tensor
  {
    try expectSameShape("contrastive_loss", other)
    guard shape.rank == 2, target.shape == [shape[0]] else {
      throw ShapeError(
        "contrastive_loss", "target", expected: "[N] for inputs [N, D]",
        got: "\(target.shape) for \(shape)")
    }
    let squared = try (self - other).square().sum([1])
    // Where both are the same, the slope of the root is infinite and that of the loss 0.
    let distance = try squared.clamp(min: 1e-30, max: .infinity).sqrt()
    let apart = try distance.affine(scale: -1, shift: margin).relu().square()
    let loss = try target * squared + target.affine(scale: -1, shift: 1) * apart
    return try loss.sum().affine(scale: 0.5 / Float(shape[0]))
  }
}

extension Attributes {
  mutating func reduction() throws(ShapeError) -> LossReduction {
    LossReduction(
      rawValue: try string("reduction", default: "mean", oneOf: ["none", "mean", "sum"]))!
  }
}

extension OperationSpec {
  private static func pairwise(
    _ name: String,
    _ loss: @escaping @Sendable (Tensor, Tensor, LossReduction) throws -> Tensor
  ) -> OperationSpec {
    OperationSpec(name, inputs: ["input", "target"]) { a, x in
      [try loss(x.required("input"), x.required("target"), a.reduction())]
    }
  }

  /// The losses: what has an input and a target.
  package static let losses: [OperationSpec] = [
    OperationSpec("cross_entropy", inputs: ["input", "target", "weight?"]) { a, x in
      [
        try x.required("input").crossEntropy(
          x.required("target"), weight: x.optional("weight"), reduction: a.reduction(),
          ignoreIndex: a.int("ignore_index", default: -100),
          labelSmoothing: Float(a.double("label_smoothing", default: 0)))
      ]
    },
    OperationSpec("nll_loss", inputs: ["input", "target", "weight?"]) { a, x in
      [
        try x.required("input").nllLoss(
          x.required("target"), weight: x.optional("weight"), reduction: a.reduction(),
          ignoreIndex: a.int("ignore_index", default: -100))
      ]
    },
    pairwise("mse_loss") { try $0.mseLoss($1, reduction: $2) },
    pairwise("l1_loss") { try $0.l1Loss($1, reduction: $2) },
    pairwise("hinge_loss") { try $0.hingeLoss($1, reduction: $2) },
    pairwise("squared_hinge_loss") { try $0.squaredHingeLoss($1, reduction: $2) },
    pairwise("soft_margin_loss") { try $0.softMarginLoss($1, reduction: $2) },
    OperationSpec("huber_loss", inputs: ["input", "target"]) { a, x in
      [
        try x.required("input").huberLoss(
          x.required("target"), delta: Float(a.double("delta", default: 1)),
          reduction: a.reduction())
      ]
    },
    OperationSpec("binary_cross_entropy", inputs: ["input", "target", "weight?"]) { a, x in
      [
        try x.required("input").binaryCrossEntropy(
          x.required("target"), weight: x.optional("weight"), reduction: a.reduction())
      ]
    },
    OperationSpec(
      "binary_cross_entropy_with_logits", inputs: ["input", "target", "weight?", "pos_weight?"]
    ) { a, x in
      [
        try x.required("input").binaryCrossEntropyWithLogits(
          x.required("target"), weight: x.optional("weight"),
          positiveWeight: x.optional("pos_weight"), reduction: a.reduction())
      ]
    },
    OperationSpec("kl_div", inputs: ["input", "target"]) { a, x in
      let reduction = try a.string(
        "reduction", default: "mean", oneOf: ["none", "mean", "sum", "batchmean"])
      return [
        try x.required("input").klDiv(
          x.required("target"), reduction: LossReduction(rawValue: reduction) ?? .sum,
          batchMean: reduction == "batchmean", logTarget: a.bool("log_target", default: false))
      ]
    },
    OperationSpec("gaussian_nll_loss", inputs: ["input", "target", "var"]) { a, x in
      [
        try x.required("input").gaussianNLLLoss(
          x.required("target"), variance: x.required("var"),
          isFull: a.bool("full", default: false), epsilon: Float(a.double("eps", default: 1e-6)),
          reduction: a.reduction())
      ]
    },
    OperationSpec("contrastive_loss", inputs: ["input1", "input2", "target"]) { a, x in
      [
        try x.required("input1").contrastiveLoss(
          x.required("input2"), target: x.required("target"),
          margin: Float(a.double("margin", default: 1)))
      ]
    },
  ]
}

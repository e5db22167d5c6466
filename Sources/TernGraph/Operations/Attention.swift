import TernCore

extension Operations {
  /// softmax(scale · Q Kᵀ) V without storing the scores: the softmax runs along with the sum.
  ///
  /// Inputs: query [B, L, E], key [B, S, E], value [B, S, V] → output [B, L, V] and the logarithm of
  /// each row's normaliser [B, L], from which the backward pass recovers the weights.
  ///
  /// Sources: Vaswani et al., 2017; Dao et al., 2022 (FlashAttention).
  package struct Attention: Operation {
    /// Whether query i sees keys 0...i only.
    package let isCausal: Bool
    package let scale: Float

    package init(isCausal: Bool, scale: Float) {
      self.isCausal = isCausal
      self.scale = scale
    }

    package var name: String { "scaled_dot_product_attention" }
    package var detail: String { "scale=\(scale)" + (isCausal ? ", is_causal" : "") }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...3)
      for (type, subject) in zip(inputs, ["query", "key", "value"]) {
        try expectFloat(type, subject)
        try expectRank(type, 3, subject, "[B, L, E]")
      }
      let (q, k, v) = (inputs[0].shape, inputs[1].shape, inputs[2].shape)
      try expectShape(inputs[1], [q[0], k[1], q[2]], "key")
      try expectShape(inputs[2], [q[0], k[1], v[2]], "value")
      return [
        TensorType([q[0], q[1], v[2]], inputs[0].dataType), TensorType([q[0], q[1]]),
      ]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      guard let dy = node.cotangents[0] else { return [nil, nil, nil] }
      return try dy.builder.apply(
        AttentionBackward(isCausal: isCausal, scale: scale), [dy] + node.inputs + node.outputs)
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      let (q, v) = (inputs[0].shape, inputs[2].shape)
      let products = Cost.product(2, q[0], q[1], v[1], q[2] + v[2])
      return Cost(
        flops: isCausal ? products / 2 : products,
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }

  /// Inputs: d output, query, key, value, output, log-normaliser → d query, d key, d value.
  package struct AttentionBackward: Operation {
    package let isCausal: Bool
    package let scale: Float

    package init(isCausal: Bool, scale: Float) {
      self.isCausal = isCausal
      self.scale = scale
    }

    package var name: String { "scaled_dot_product_attention_backward" }
    package var detail: String { "scale=\(scale)" + (isCausal ? ", is_causal" : "") }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 6...6)
      return [inputs[1], inputs[2], inputs[3]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      let (q, v) = (inputs[1].shape, inputs[3].shape)
      let products = Cost.product(2, q[0], q[1], v[1], 3 * q[2] + 2 * v[2])
      return Cost(
        flops: isCausal ? products / 2 : products,
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }
}

extension Tensor {
  /// Self is the query [*, L, E]; key [*, S, E], value [*, S, V] → [*, L, V].
  ///
  /// - Parameters:
  ///   - mask: added to the scores, broadcast to [*, L, S]; −∞ hides a key. Not with `isCausal`. The
  ///     scores are then held in memory, without a mask they are not.
  ///   - scale: 1/√E where `nil`.
  public func scaledDotProductAttention(
    key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false, scale: Float? = nil
  ) throws(ShapeError) -> Tensor {
    let name = "scaled_dot_product_attention"
    let (q, k, v) = (shape, key.shape, value.shape)
    guard q.rank >= 2, k.rank == q.rank, v.rank == q.rank,
      q.dimensions.dropLast(2) == k.dimensions.dropLast(2),
      q.dimensions.dropLast(2) == v.dimensions.dropLast(2)
    else {
      throw ShapeError(
        name, "key and value", expected: "the batch axes of the query \(q)", got: "\(k) and \(v)")
    }
    let scale = scale ?? 1 / Float(q[q.rank - 1]).squareRoot()
    if let mask {
      guard !isCausal else {
        throw ShapeError(name, "attn_mask", expected: "none where is_causal is set", got: "one")
      }
      let scores = try matmul(key.transpose(-2, -1)) * builder.constant(scale) + mask
      guard scores.shape.dimensions.dropLast() == q.dimensions.dropLast() else {
        throw ShapeError(
          name, "attn_mask", expected: "a shape that broadcasts to the scores",
          got: "\(mask.shape)")
      }
      return try scores.softmax(dim: -1).matmul(value)
    }
    let batch = q.elementCount(in: 0..<q.rank - 2)
    func flat(_ x: Tensor) throws(ShapeError) -> Tensor {
      try x.reshape([batch, x.shape[x.shape.rank - 2], x.shape[x.shape.rank - 1]])
    }
    let attention = Operations.Attention(isCausal: isCausal, scale: scale)
    return try builder.apply(attention, [flat(self), flat(key), flat(value)])[0]
      .reshape(Shape(q.dimensions.dropLast() + [v[v.rank - 1]]))
  }
}

extension OperationSpec {
  static let attention: [OperationSpec] = [
    OperationSpec(
      "scaled_dot_product_attention", inputs: ["query", "key", "value", "attn_mask?"]
    ) { a, x in
      [
        try x.required("query").scaledDotProductAttention(
          key: x.required("key"), value: x.required("value"), mask: x.optional("attn_mask"),
          isCausal: a.bool("is_causal", default: false),
          scale: a.has("scale") ? Float(a.double("scale")) : nil)
      ]
    }
  ]
}

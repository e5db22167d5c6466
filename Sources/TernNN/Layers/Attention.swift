import TernCore
import TernGraph

/// Self-attention with several heads: [N, T, E] → [N, T, E].
///
/// Parameters as PyTorch's `MultiheadAttention` names and packs them: `in_proj_weight` [3E, E] and
/// `in_proj_bias` [3E] for query, key, value; `out_proj.weight` [E, E], `out_proj.bias` [E].
///
/// Source: Vaswani et al., "Attention is all you need", 2017.
public struct MultiheadAttention: Layer {
  package let headCount: Int
  /// Whether a position sees only itself and those before.
  package let isCausal: Bool

  /// Self-attention of so many heads.
  ///
  /// - Parameters:
  ///   - headCount: a divisor of E.
  ///   - isCausal: whether a position sees only itself and those before.
  public init(headCount: Int, isCausal: Bool = false) {
    self.headCount = headCount
    self.isCausal = isCausal
  }

  public var kind: String { "multi_head_attention" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3, headCount >= 1, x.shape[2] % headCount == 0 else {
      throw ShapeError(
        kind, "num_heads", expected: "a divisor of E in an input [N, T, E]",
        got: "\(headCount) of \(x.shape)")
    }
    let (count, length, width) = (x.shape[0], x.shape[1], x.shape[2])
    let packed = try x.linear(
      weight: context.parameter(
        "in_proj_weight", [3 * width, width], .glorot(fanIn: width, fanOut: 3 * width)),
      bias: context.parameter("in_proj_bias", [3 * width], .zeros))
    /// [N, heads, T, E/heads] of query, key or value.
    func heads(_ index: Int) throws -> Tensor {
      try packed.narrow(2, start: index * width, length: width)
        .reshape([count, length, headCount, width / headCount]).permute([0, 2, 1, 3])
    }
    let mixed = try heads(0).scaledDotProductAttention(
      key: heads(1), value: heads(2), isCausal: isCausal)
    return try context.apply(
      AttentionOutput(), named: "out_proj",
      to: [mixed.permute([0, 2, 1, 3]).reshape([count, length, width])])
  }
}

/// Attention whose scores are learnt: query [N, L, E], key [N, S, F] and value [N, S, V] → [N, L, V], the
/// values of each position weighted by the softmax of
///
/// e_ij = v · tanh(W q_i + U k_j)
///
/// or, linear, without the tanh. One input is query, key and value; two are query, and key with value.
/// Parameters: `query.weight` [H, E], `key.weight` [H, F], `score.weight` [1, H].
///
/// Source: Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate",
/// 2015.
public struct AdditiveAttention: Layer {
  package let hiddenSize: Int
  package let isLinear: Bool

  /// Attention with scores from so many units, H, without their tanh where linear.
  public init(hiddenSize: Int, isLinear: Bool = false) {
    self.hiddenSize = hiddenSize
    self.isLinear = isLinear
  }

  public var kind: String { "additive_attention" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let (query, key, value) = (inputs[0], inputs[min(1, inputs.count - 1)], inputs.last!)
    guard (1...3).contains(inputs.count), hiddenSize >= 1,
      [query, key, value].allSatisfy({ $0.shape.rank == 3 }), key.shape[1] == value.shape[1]
    else {
      throw ShapeError(
        kind, "input", expected: "[N, L, E], [N, S, F] and [N, S, V]",
        got: inputs.map { "\($0.shape)" }.joined(separator: ", "))
    }
    let (count, length, keyCount) = (query.shape[0], query.shape[1], key.shape[1])
    func units(_ x: Tensor, _ name: String) throws -> Tensor {
      try context.apply(Linear(hiddenSize, hasBias: false), named: name, to: [x])
    }
    let sums =
      try units(query, "query").reshape([count, length, 1, hiddenSize])
      + units(key, "key").reshape([count, 1, keyCount, hiddenSize])
    let scores = try context.apply(
      Linear(1, hasBias: false), named: "score", to: [isLinear ? sums : sums.tanh()])
    return try scores.reshape([count, length, keyCount]).softmax(dim: 2).matmul(value)
  }
}

/// The linear layer behind the heads, whose bias starts at 0 whatever its weight does.
private struct AttentionOutput: Layer {
  var kind: String { "linear" }

  func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let width = inputs[0].shape[2]
    return try inputs[0].linear(
      weight: context.parameter("weight", [width, width], .inverseSqrt(fanIn: width)),
      bias: context.parameter("bias", [width], .zeros))
  }
}

/// A layer of a Transformer's encoder: self-attention, then two linear layers at every position, each
/// with a sum past it and a normalisation: [N, T, E] → [N, T, E].
///
/// Source: Vaswani et al., 2017; with `normalizesFirst` the order of Xiong et al., 2020, and of ViT.
public struct TransformerEncoderLayer: Layer {
  /// What stands between the two linear layers.
  public enum Activation: String, Hashable, Sendable, CaseIterable { case relu, gelu }

  /// What the parts are called.
  public enum Names: Hashable, Sendable {
    /// `norm1`, `self_attn`, `norm2`, `linear1`, `linear2`.
    case pyTorch
    /// `ln_1`, `self_attention`, `ln_2`, `mlp.0`, `mlp.3`.
    case torchvision
  }

  package let headCount: Int
  /// The width between the two linear layers.
  package let feedForwardSize: Int
  package let dropout: Float
  package let activation: Activation
  package let normalizesFirst: Bool
  package let epsilon: Float
  package let names: Names
  package let isCausal: Bool

  /// An encoder layer.
  ///
  /// - Parameters:
  ///   - headCount: a divisor of E.
  ///   - feedForwardSize: the width between the two linear layers.
  ///   - dropout: the probability with which elements of both parts are dropped.
  ///   - normalizesFirst: whether a part normalises what it reads, or the sum with it.
  ///   - names: what the parts are called.
  ///   - isCausal: whether a position sees only itself and those before.
  public init(
    headCount: Int, feedForwardSize: Int = 2048, dropout: Float = 0.1,
    activation: Activation = .relu, normalizesFirst: Bool = false, epsilon: Float = 1e-5,
    names: Names = .pyTorch, isCausal: Bool = false
  ) {
    self.isCausal = isCausal
    self.headCount = headCount
    self.feedForwardSize = feedForwardSize
    self.dropout = dropout
    self.activation = activation
    self.normalizesFirst = normalizesFirst
    self.epsilon = epsilon
    self.names = names
  }

  public var kind: String { "transformer_encoder_layer" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3 else {
      throw ShapeError(kind, "input", expected: "shape [N, T, E]", got: "\(x.shape)")
    }
    let isPyTorch = names == .pyTorch
    let attended = try block(x, norm: isPyTorch ? "norm1" : "ln_1", in: context) {
      try Sequential {
        MultiheadAttention(headCount: headCount, isCausal: isCausal)
          .named(isPyTorch ? "self_attn" : "self_attention")
        Dropout(dropout).named("dropout1")
      }.forward([$0], in: context)
    }
    return try block(attended, norm: isPyTorch ? "norm2" : "ln_2", in: context) {
      let mlp = Sequential {
        Linear(feedForwardSize, initializer: isPyTorch ? .standard : .glorot)
          .named(isPyTorch ? "linear1" : "0")
        Functional(activation.rawValue).named(isPyTorch ? "activation" : "1")
        Dropout(dropout).named(isPyTorch ? "dropout" : "2")
        Linear(x.shape[2], initializer: isPyTorch ? .standard : .glorot)
          .named(isPyTorch ? "linear2" : "3")
        Dropout(dropout).named(isPyTorch ? "dropout2" : "4")
      }
      return isPyTorch
        ? try mlp.forward([$0], in: context) : try context.apply(mlp, named: "mlp", to: [$0])
    }
  }

  /// x + f(norm(x)), or norm(x + f(x)).
  private func block(
    _ x: Tensor, norm: String, in context: LayerContext, _ body: (Tensor) throws -> Tensor
  ) throws -> Tensor {
    func normalized(_ x: Tensor) throws -> Tensor {
      try context.apply(LayerNorm(epsilon: epsilon), named: norm, to: [x])
    }
    return normalizesFirst ? try x + body(normalized(x)) : try normalized(x + body(x))
  }
}

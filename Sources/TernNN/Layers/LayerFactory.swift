import TernCore
import TernGraph

/// Makes layers from PyTorch's functional names and arguments.
package enum LayerFactory {
  /// Layers with parameters or a state of their own; every other operation is a ``Functional``.
  private static let makers: [String: @Sendable (inout Attributes) throws -> any Layer] = [
    "conv2d": { a in
      Conv2D(
        outChannels: try a.int("out_channels"), kernelSize: try a.ints("kernel_size", count: 2),
        stride: try a.ints("stride", count: 2, default: [1, 1]),
        padding: try a.padding(count: 2),
        dilation: try a.ints("dilation", count: 2, default: [1, 1]),
        groups: try a.int("groups", default: 1), hasBias: try a.bool("bias", default: true),
        initializer: try initializer(&a))
    },
    "conv_transpose2d": { a in
      ConvTranspose2D(
        outChannels: try a.int("out_channels"), kernelSize: try a.ints("kernel_size", count: 2),
        stride: try a.ints("stride", count: 2, default: [1, 1]),
        padding: try a.ints("padding", count: 2, default: [0, 0]),
        outputPadding: try a.ints("output_padding", count: 2, default: [0, 0]),
        dilation: try a.ints("dilation", count: 2, default: [1, 1]),
        groups: try a.int("groups", default: 1), hasBias: try a.bool("bias", default: true),
        initializer: try initializer(&a))
    },
    "linear": { a in
      Linear(
        try a.int("out_features"), hasBias: try a.bool("bias", default: true),
        initializer: try initializer(&a))
    },
    "embedding": { a in
      Embedding(try a.int("num_embeddings"), size: try a.int("embedding_dim"))
    },
    "batch_norm": { a in
      BatchNorm2D(
        epsilon: Float(try a.double("eps", default: 1e-5)),
        momentum: Float(try a.double("momentum", default: 0.1)))
    },
    "conv1d": { a in
      Conv1D(
        try a.int("out_channels"), kernel: try a.ints("kernel_size", count: 1)[0],
        stride: try a.ints("stride", count: 1, default: [1])[0],
        padding: try a.padding(count: 1),
        dilation: try a.ints("dilation", count: 1, default: [1])[0],
        hasBias: try a.bool("bias", default: true), initializer: try initializer(&a))
    },
    "group_norm": { a in
      GroupNorm(
        try a.int("num_groups"), epsilon: Float(try a.double("eps", default: 1e-5)))
    },
    "prelu": { a in
      PReLU(
        try a.int("num_parameters", default: 1), start: Float(try a.double("init", default: 0.25)))
    },
    "layer_norm": { a in
      LayerNorm(
        a.has("normalized_shape") ? try a.ints("normalized_shape") : nil,
        epsilon: Float(try a.double("eps", default: 1e-5)))
    },
    "rnn_tanh": { a in try recurrent(.elman, &a) },
    "lstm": { a in try recurrent(.lstm, &a) },
    "lstm_peephole": { a in try recurrent(.lstmPeephole, &a) },
    "gru": { a in
      try recurrent(.gru(resetsAfter: try a.bool("reset_after", default: true)), &a)
    },
    "multi_head_attention": { a in
      MultiheadAttention(
        headCount: try a.int("num_heads"), isCausal: try a.bool("is_causal", default: false))
    },
    "additive_attention": { a in
      AdditiveAttention(
        hiddenSize: try a.int("hidden_size"), isLinear: try a.bool("linear", default: false))
    },
    "transformer_encoder_layer": { a in
      TransformerEncoderLayer(
        headCount: try a.int("nhead"),
        feedForwardSize: try a.int("dim_feedforward", default: 2048),
        dropout: Float(try a.double("dropout", default: 0.1)),
        activation: .init(
          rawValue: try a.string(
            "activation", default: "relu",
            oneOf: TransformerEncoderLayer.Activation.allCases.map(\.rawValue)))!,
        normalizesFirst: try a.bool("norm_first", default: false),
        epsilon: Float(try a.double("layer_norm_eps", default: 1e-5)),
        isCausal: try a.bool("is_causal", default: false))
    },
    "sequence_pool": { a in
      SequencePool(
        .init(
          rawValue: try a.string(
            "mode", default: "mean", oneOf: SequencePool.Mode.allCases.map(\.rawValue)))!)
    },
    "image_rows": { _ in ImageRows() },
    "image_tokens": { _ in ImageTokens() },
    "class_token": { _ in ClassToken() },
    "position_embedding": { _ in PositionEmbedding() },
    "select_token": { a in SelectToken(try a.int("position", default: 0)) },
    "polynomial_features": { a in PolynomialFeatures(degree: try a.int("degree")) },
    "subsampling": { _ in Subsampling() },
    "scaled_tanh": { _ in ScaledTanh() },
    "dropout": { a in Dropout(Float(try a.double("p", default: 0.5))) },
  ]

  /// Operations that read outputs of layers and nothing else: no weight, target or step number.
  private static let functionals: Set<String> = {
    let readable: Set<String> = ["input", "other", "query", "key", "value", "tensors*"]
    return Set(
      OperationSpec.all.filter { operation in
        operation.inputs.allSatisfy { $0.hasSuffix("?") || readable.contains($0) }
      }.map(\.name)
    ).subtracting(makers.keys)
  }()

  /// The kinds of layers, without the blocks that hold layers themselves.
  package static let kinds: [String] = functionals.union(makers.keys).sorted()

  /// Whether there is such a layer.
  static func isKnown(_ kind: String) -> Bool {
    makers[kind] != nil || functionals.contains(kind)
  }

  /// Whether a layer can read the outputs of several others.
  static func readsSeveral(_ kind: String) -> Bool {
    functionals.contains(kind) || ["sequence_pool", "additive_attention"].contains(kind)
  }

  /// Whether a layer has an argument `init`, a ``WeightInitializer``.
  static func takesInitializer(_ kind: String) -> Bool {
    ["conv1d", "conv2d", "conv_transpose2d", "linear"].contains(kind)
  }

  private static func initializer(_ a: inout Attributes) throws -> WeightInitializer {
    let known = WeightInitializer.allCases.map(\.rawValue)
    let name = try a.string("init", default: WeightInitializer.standard.rawValue, oneOf: known)
    return WeightInitializer(rawValue: name)!
  }

  /// `return_sequences` makes every step the output, not only the last.
  private static func recurrent(_ cell: Recurrent.Cell, _ a: inout Attributes) throws -> Recurrent {
    Recurrent(
      cell, hiddenSize: try a.int("hidden_size"), layerCount: try a.int("num_layers", default: 1),
      hasBias: try a.bool("bias", default: true),
      returnsSequence: try a.bool("return_sequences", default: false))
  }

  /// - Throws: ``ShapeError`` for an unknown layer or argument.
  package static func make(_ kind: String, _ values: [String: AttributeValue]) throws -> any Layer {
    if let maker = makers[kind] {
      var attributes = Attributes(kind, values)
      let layer = try maker(&attributes)
      try attributes.finish()
      return layer
    }
    guard functionals.contains(kind) else {
      let hint = EditDistance.nearest(to: kind, among: kinds).map { ", such as '\($0)'" } ?? ""
      throw ShapeError(kind, "layer", expected: "a known kind\(hint)", got: "'\(kind)'")
    }
    return Functional(kind, values)
  }
}

import TernCore

/// Networks that read tokens of text, [T] int32.
///
/// Language models tell for every position how likely each token of the vocabulary comes next: [T] →
/// [T, V], and see only what stands before. Classifiers read a mask too, 1 for the tokens of a text and 0
/// for what fills it up.
private enum TextNetwork {
  static let settings: [String: AttributeValue] = [
    "optimizer": .string("adam"), "schedule": .string("cosine"), "batch_size": .int(32),
  ]

  static func languageModel(
    _ name: String, source: String, settings: [String: AttributeValue] = [:],
    @LayerBuilder _ make: @escaping @Sendable (_ vocabularyCount: Int) -> [NamedLayer]
  ) -> ZooEntry {
    ZooEntry(
      name, source: source, tokens: 32, vocabularyCount: 10_000, classCount: 10_000,
      task: .languageModel, settings: TextNetwork.settings.merging(settings) { $1 }
    ) { extents in make(extents.vocabularyCount) }
  }

  static func classifier(
    _ name: String, source: String,
    @LayerBuilder _ make: @escaping @Sendable (ZooEntry.Extents) -> [NamedLayer]
  ) -> ZooEntry {
    ZooEntry(
      name, source: source, tokens: 64, vocabularyCount: 10_000, classCount: 2, hasMask: true,
      task: .classification, settings: settings, make)
  }

  /// The neural language model: the vectors of four tokens, one hidden layer, scores of the next; with
  /// `isDirect` the vectors reach the scores past the hidden layer too. Computed for all positions at
  /// once, as a convolution over time.
  @LayerBuilder
  static func neuralLanguageModel(_ vocabularyCount: Int, isDirect: Bool) -> [NamedLayer] {
    let context = 4
    Embedding(vocabularyCount, size: 64).named("embedding", from: Field.tokensName)
    transposed.named("channels")
    Functional("pad", ["pad": .list([.int(context - 1), .int(0)])]).named("before")
    Conv1D(256, kernel: context).named("hidden")
    Functional("tanh").named("tanh")
    transposed.named("steps")
    Linear(vocabularyCount).named("output")
    if isDirect {
      Conv1D(vocabularyCount, kernel: context, hasBias: false).named("direct", from: "before")
      transposed.named("direct_steps")
      Functional("add").named("sum", from: "output", "direct_steps")
    }
  }

  static var transposed: Functional {
    Functional("transpose", ["dim0": .int(1), "dim1": .int(2)])
  }

  @LayerBuilder
  static func recurrent(_ vocabularyCount: Int, _ cell: Recurrent.Cell) -> [NamedLayer] {
    Embedding(vocabularyCount, size: 128).named("embedding", from: Field.tokensName)
    Recurrent(cell, hiddenSize: 256, returnsSequence: true).named("rnn")
    Dropout(0.2).named("dropout")
    Linear(vocabularyCount).named("output")
  }
}

extension ZooEntry {
  /// The words before as vectors, a hidden layer of 256 units, and the next word.
  ///
  /// Source: Bengio, Ducharme, Vincent, Jauvin, "A neural probabilistic language model", 2003.
  static let nnlm = TextNetwork.languageModel(
    "nnlm", source: "Bengio, Ducharme, Vincent, Jauvin, 2003"
  ) { count in TextNetwork.neuralLanguageModel(count, isDirect: false) }

  /// The same with connections from the vectors to the scores.
  static let nnlmDirect = TextNetwork.languageModel(
    "nnlm-direct", source: "Bengio, Ducharme, Vincent, Jauvin, 2003"
  ) { count in TextNetwork.neuralLanguageModel(count, isDirect: true) }

  /// 256 cells. Source: Mikolov et al., 2010; Zaremba, Sutskever, Vinyals, 2014.
  static let lstmLanguageModel = TextNetwork.languageModel(
    "lstm-lm", source: "Zaremba, Sutskever, Vinyals, 2014"
  ) { count in TextNetwork.recurrent(count, .lstm) }

  /// 256 units.
  static let gruLanguageModel = TextNetwork.languageModel("gru-lm", source: "Cho et al., 2014") {
    count in TextNetwork.recurrent(count, .gru(resetsAfter: true))
  }

  /// Two layers of 128 features in which a position sees itself and those before.
  ///
  /// Sources: Vaswani et al., 2017; Radford et al., "Improving language understanding by generative
  /// pre-training", 2018.
  static let transformerLanguageModel = TextNetwork.languageModel(
    "transformer-lm", source: "Radford et al., 2018", settings: ["optimizer": .string("adamw")]
  ) { count in
    Embedding(count, size: 128).named("embedding", from: Field.tokensName)
    PositionEmbedding().named("position")
    Sequential {
      for index in 0..<2 {
        TransformerEncoderLayer(
          headCount: 4, feedForwardSize: 512, activation: .gelu, normalizesFirst: true,
          isCausal: true
        ).named("\(index)")
      }
    }.named("layers")
    LayerNorm().named("norm")
    Linear(count).named("output")
  }

  /// 64 cells over the tokens, the state behind the last classified.
  static let textLSTM = TextNetwork.classifier(
    "text-lstm", source: "Hochreiter, Schmidhuber, 1997"
  ) { extents in
    Embedding(extents.vocabularyCount, size: 64).named("embedding", from: Field.tokensName)
    Recurrent(.lstm, hiddenSize: 64, returnsSequence: true).named("rnn")
    SequencePool(.last).named("last", from: "rnn", Field.maskName)
    Linear(extents.classCount).named("fc")
  }

  /// Convolutions over three, four and five tokens, the largest of each over the text.
  ///
  /// Source: Kim, "Convolutional neural networks for sentence classification", 2014.
  static let textCNN = TextNetwork.classifier("text-cnn", source: "Kim, 2014") { extents in
    Embedding(extents.vocabularyCount, size: 64).named("embedding", from: Field.tokensName)
    // What fills up is 0, as what stands before the text and behind it.
    Functional(
      "reshape", ["shape": .list([.int(-1), .int(extents.inputShape.first ?? 1), .int(1)])]
    ).named("column", from: Field.maskName)
    Functional("mul").named("masked", from: "embedding", "column")
    TextNetwork.transposed.named("channels")
    for size in 3...5 {
      Conv1D(64, kernel: size, padding: .same).named("conv\(size)", from: "channels")
      Functional.relu.named("relu\(size)")
    }
    Functional.cat.named("cat", from: "relu3", "relu4", "relu5")
    TextNetwork.transposed.named("steps")
    SequencePool(.max).named("max", from: "steps", Field.maskName)
    Dropout(0.5).named("dropout")
    Linear(extents.classCount).named("fc")
  }

  /// The mean of the tokens' vectors.
  ///
  /// Source: Joulin, Grave, Bojanowski, Mikolov, "Bag of tricks for efficient text classification", 2016.
  static let textMean = TextNetwork.classifier("text-mean", source: "Joulin et al., 2016") {
    extents in
    Embedding(extents.vocabularyCount, size: 64).named("embedding", from: Field.tokensName)
    SequencePool(.mean).named("mean", from: "embedding", Field.maskName)
    Linear(extents.classCount).named("fc")
  }
}

import TernCore

/// The networks that come with Tern, by name.
public struct ZooEntry: Sendable {
  /// What the network is called: `resnet18`.
  public let name: String
  /// Where the network is from.
  public let source: String
  /// The input it was published for: [C, H, W].
  public let inputShape: Shape
  /// The classes it was published for.
  public let classCount: Int
  /// What it is for.
  public let task: ModelTask
  /// The settings it is trained with unless others are given, under the names of `tern train`'s.
  public let settings: [String: AttributeValue]
  /// The layers whose results are its outputs; the last layer alone where empty.
  private let outputs: [String]
  /// How many tokens it was published for; `nil` where it does not read text.
  public let vocabularyCount: Int?
  /// What it reads besides its first input.
  private let hasMask: Bool
  private let make: @Sendable (Extents) -> [NamedLayer]

  /// What data says of a network.
  struct Extents {
    let inputShape: Shape
    let classCount: Int
    /// How many tokens there are.
    let vocabularyCount: Int
  }

  init(
    _ name: String, source: String, inputShape: Shape, outputs: [String] = [], classCount: Int,
    task: ModelTask = .classification, settings: [String: AttributeValue] = [:],
    @LayerBuilder _ make:
      @escaping @Sendable (_ inputShape: Shape, _ classCount: Int) -> [NamedLayer]
  ) {
    self.name = name
    self.source = source
    self.inputShape = inputShape
    self.outputs = outputs
    self.classCount = classCount
    self.task = task
    self.settings = settings
    (vocabularyCount, hasMask) = (nil, false)
    self.make = { make($0.inputShape, $0.classCount) }
  }

  /// A network that reads tokens of text.
  ///
  /// - Parameters:
  ///   - tokens: T, how many a sample has.
  ///   - hasMask: whether it reads what is filled up, see ``Field/maskName``.
  init(
    _ name: String, source: String, tokens: Int, vocabularyCount: Int, classCount: Int,
    hasMask: Bool = false, task: ModelTask, settings: [String: AttributeValue],
    @LayerBuilder _ make: @escaping @Sendable (Extents) -> [NamedLayer]
  ) {
    self.name = name
    self.source = source
    inputShape = [tokens]
    outputs = []
    self.vocabularyCount = vocabularyCount
    self.hasMask = hasMask
    self.classCount = classCount
    self.task = task
    self.settings = settings
    self.make = make
  }

  /// The network for another input or number of classes, where given.
  ///
  /// - Parameter vocabularyCount: how many tokens the data has; the classes of a language model are its
  ///   tokens.
  public func model(
    inputShape: Shape? = nil, classCount: Int? = nil, vocabularyCount: Int? = nil
  ) -> Model {
    let shape = inputShape ?? self.inputShape
    let classes = classCount ?? self.classCount
    var inputs = [Field(Field.samplesName, shape)]
    if self.vocabularyCount != nil {
      inputs = [Field(Field.tokensName, shape, .int32)]
      if hasMask { inputs.append(Field(Field.maskName, shape)) }
    }
    let tokens =
      vocabularyCount ?? (task == .languageModel ? classes : self.vocabularyCount) ?? 0
    let extents = Extents(inputShape: shape, classCount: classes, vocabularyCount: tokens)
    return Model(
      name: name, inputs: inputs, outputs: outputs, classCount: classes,
      layers: Sequential(make(extents)),
      task: task)
  }

  /// All of them, in the order in which they are listed.
  public static let all: [ZooEntry] = [
    linear, polynomial, mccullochPitts, hebb, perceptron, adaline, mlp,
    lenet5, lenet1998, alexnet, vgg16, googlenet, googlenetWithHeads,
    resnet18, resnet20, resnet34, resnet50, densenet121, mobilenetV2, squeezenet,
    unet, hourglass,
    elman, lstm, lstmPeephole, gru, gruResetBefore, tdnn, transformerEncoder, vit, vitB16,
    nnlm, nnlmDirect, lstmLanguageModel, gruLanguageModel, transformerLanguageModel,
    textMean, textCNN, textLSTM,
    linearAutoencoder, autoencoder, denoisingAutoencoder, convAutoencoder, vae, dcgan,
    hopfield, storkey, bam, boltzmann, rbm, dbn, dbm,
  ]

  /// - Throws: ``TernError`` with the nearest known name.
  public static func named(_ name: String) throws -> ZooEntry {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    let names = all.map(\.name)
    throw TernError(
      .usage,
      "unknown model '\(name)'"
        + (EditDistance.nearest(to: name, among: names).map { "; did you mean '\($0)'?" }
          ?? "; known are \(names.joined(separator: ", "))"))
  }
}

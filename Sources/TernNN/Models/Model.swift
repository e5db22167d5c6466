import TernCore
import TernGraph

/// What a network is for, and with it what it is trained with.
public enum ModelTask: Hashable, Sendable {
  /// A class per sample.
  case classification
  /// A class per sample, by the perceptron rule.
  case perceptron
  /// A class per sample, by Hebb's rule: the class's unit is joined to the inputs that are on with it.
  case hebbian
  /// A class per sample, by least mean squares: an output of 1 for the class, −1 for the others.
  case adaline
  /// A class per pixel.
  case segmentation
  /// Numbers per sample.
  case regression
  /// Labels per sample, of which each holds or does not.
  case multilabel
  /// The token behind each token of a text.
  case languageModel
  /// Its input from a code; from one with Gaussian noise of that deviation, where it is above 0.
  case reconstruction(noise: Float)
  /// A code with a distribution: the parts `encoder` and `decoder`, which ends in logits of pixels.
  case variational
  /// Pictures that a second network takes for real ones: the parts `generator`, which reads noise
  /// [N, Z] from the part `latent`, and `discriminator`, which ends in logits [N, 1].
  case adversarial
  /// The distribution of the data: a restricted Boltzmann machine as the last part.
  case contrastiveDivergence
  /// A class per sample, the restricted Boltzmann machines among the parts trained first, one after
  /// the other.
  case beliefNetwork
  /// The distribution of the data: a Boltzmann machine of few units as the last part.
  case boltzmannMachine
  /// The distribution of the data: a deep Boltzmann machine as the last part, its layers trained first,
  /// one after the other.
  case deepBoltzmannMachine
  /// Patterns that are recalled from damaged ones: a Hopfield network as the last part.
  case association
  /// Pairs of patterns of which each side is recalled from the other: a bidirectional memory as the last
  /// part.
  case pairAssociation
  /// Losses that the network computes itself, of what it reads and, where it asks for them, of labels: classes,
  /// or numbers.
  case ownLosses(ofNumbers: Bool)
  /// Nothing that is learnt: neurons with fixed weights.
  case logic

  /// As tables and model files spell it.
  public var name: String {
    switch self {
    case .classification: "classification"
    case .perceptron: "perceptron"
    case .hebbian: "hebbian"
    case .adaline: "adaline"
    case .segmentation: "segmentation"
    case .regression: "regression"
    case .multilabel: "multilabel"
    case .languageModel: "language-model"
    case .reconstruction: "reconstruction"
    case .variational: "variational"
    case .adversarial: "adversarial"
    case .contrastiveDivergence: "contrastive-divergence"
    case .beliefNetwork: "belief-network"
    case .boltzmannMachine: "boltzmann-machine"
    case .deepBoltzmannMachine: "deep-boltzmann-machine"
    case .association: "association"
    case .pairAssociation: "pair-association"
    case .ownLosses: "own-losses"
    case .logic: "logic"
    }
  }

  /// What any network of one chain of layers can be trained for.
  public static let ofChains: [ModelTask] = [
    .classification, .multilabel, .regression, .segmentation, .reconstruction(noise: 0),
    .languageModel,
  ]

  /// The task that a user names.
  ///
  /// - Throws: ``TernError`` with the nearest known name.
  public static func named(_ name: String) throws -> ModelTask {
    if let task = ofChains.first(where: { $0.name == name }) { return task }
    let names = ofChains.map(\.name)
    throw TernError(
      .usage,
      "task: expected one of \(names.joined(separator: ", ")), got '\(name)'"
        + (EditDistance.nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""))
  }
}

/// A network: named and typed inputs, and named layers, each reading the one before or the ones it
/// names.
public struct Model: Sendable {
  /// What the network is called.
  public let name: String
  /// What the network reads, by name; one input `images` for most.
  public let inputs: [Field]
  /// The layers whose results are the network's outputs; the last layer alone where empty.
  public let outputs: [String]
  /// How many classes there are, or numbers to be predicted.
  public let classCount: Int
  /// Its layers.
  public let layers: Sequential
  /// What it is for.
  public let task: ModelTask
  /// What a user should know of how it was read, a line each.
  package var notes: [String] = []
  /// The batch that it is built for where any will do: that of a file which was written for one.
  package var ownBatchSize = 1

  /// A network with one input, `images`.
  ///
  /// - Parameter inputShape: one sample, such as [C, H, W] or [D].
  public init(
    name: String, inputShape: Shape, classCount: Int, layers: Sequential,
    task: ModelTask = .classification
  ) {
    self.init(
      name: name, inputs: [Field(Field.samplesName, inputShape)], classCount: classCount,
      layers: layers, task: task)
  }

  /// - Parameters:
  ///   - inputs: the names by which layers read them, with the type of one sample.
  ///   - outputs: names of layers; the last layer's result where empty.
  public init(
    name: String, inputs: [Field], outputs: [String] = [], classCount: Int, layers: Sequential,
    task: ModelTask = .classification
  ) {
    precondition(!inputs.isEmpty, "a network reads something")
    self.task = task
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.classCount = classCount
    self.layers = layers
  }

  /// One sample of the first input: [C, H, W] or [D].
  public var inputShape: Shape { inputs[0].type.shape }

  /// How many tokens a network knows that begins with vectors of tokens; `nil` for others.
  public var vocabularyCount: Int? {
    layers.layers.lazy.compactMap { ($0.layer as? Embedding)?.count }.first
  }

  /// Whether its inputs are all that it is held against.
  public var isGenerative: Bool {
    switch task {
    case .classification, .perceptron, .hebbian, .adaline, .segmentation, .regression, .multilabel,
      .languageModel, .beliefNetwork, .pairAssociation, .logic:
      false
    case .reconstruction, .variational, .adversarial, .contrastiveDivergence, .boltzmannMachine,
      .deepBoltzmannMachine, .association, .ownLosses:
      true
    }
  }

  /// The names of the outputs of ``inferenceGraph(batchSize:)``.
  public var outputNames: [String] { outputs.isEmpty ? [Self.logitsName] : outputs }

  /// The output of networks that do not name theirs.
  public static let logitsName = "logits"

  /// The same network for another task.
  ///
  /// - Throws: ``TernError`` of kind `usage` where it is made for its own alone.
  public func trained(for task: ModelTask) throws -> Model {
    if task == self.task { return self }
    guard ModelTask.ofChains.contains(where: { $0.name == self.task.name }) else {
      throw TernError(
        .usage, "task: \(name) is made for \(self.task.name), it cannot be trained for \(task.name)"
      )
    }
    var model = Model(
      name: name, inputs: inputs, outputs: outputs, classCount: classCount, layers: layers,
      task: task)
    (model.notes, model.ownBatchSize) = (notes, ownBatchSize)
    return model
  }

  /// Appends one of the network's outermost layers, which a network of several parts names:
  /// `encoder`, `decoder`.
  ///
  /// - Throws: ``TernError`` where there is no such part, or it does not fit what it reads.
  public func forward(_ part: String, _ x: Tensor, in context: LayerContext) throws -> Tensor {
    do { return try context.apply(self.part(part), named: part, to: [x]) } catch let error
      as LayerError
    { throw TernError(.badData, "model \(name) on inputs \(inputShape): \(error)") }
  }

  /// One of the outermost layers.
  public func part(_ name: String) throws -> any Layer {
    guard let entry = layers.layers.first(where: { $0.name == name }) else {
      throw TernError(.badData, "model \(self.name) has no part '\(name)'")
    }
    return entry.layer
  }

  /// Appends the network to the graph of `x`, and returns its first output, for a classifier
  /// [N, classes].
  ///
  /// - Precondition: the network has one input.
  /// - Throws: ``TernError`` naming the layer that does not fit what it reads.
  public func forward(_ x: Tensor, in context: LayerContext) throws -> Tensor {
    try forward([x], in: context)[0]
  }

  /// Appends the network to the graph of its inputs, and returns its outputs, for a classifier
  /// [N, classes].
  ///
  /// - Parameter tensors: one for each of ``inputs``, [N, …].
  /// - Throws: ``TernError`` naming the layer that does not fit what it reads.
  public func forward(_ tensors: [Tensor], in context: LayerContext) throws -> [Tensor] {
    do { return try build(tensors, in: context) } catch let error as LayerError {
      let shapes = inputs.map { "\($0.type.shape)" }.joined(separator: ", ")
      throw TernError(.badData, "model \(name) on inputs \(shapes): \(error)")
    }
  }

  private func build(_ tensors: [Tensor], in context: LayerContext) throws -> [Tensor] {
    precondition(tensors.count == inputs.count, "a tensor for each input")
    for tensor in tensors { context.beginField(tensor) }
    var named = ["input": tensors[0]]
    for (field, tensor) in zip(inputs, tensors) { named[field.name] = tensor }
    let results = try layers.results([tensors[0]], named: named, in: context)
    guard !outputs.isEmpty else { return [results.last] }
    return try outputs.map { name in
      guard let tensor = results.all[name] else {
        throw TernError(.badData, "model \(self.name): outputs: no layer '\(name)'")
      }
      return tensor
    }
  }

  /// Appends the inputs to a graph under their names.
  public func appendInputs(to builder: GraphBuilder, batchSize: Int) throws -> [Tensor] {
    try inputs.map { try builder.input($0.name, $0.batched(batchSize)) }
  }

  /// Builds the network once, for two samples, so that a layer that only fits one is found.
  ///
  /// - Throws: ``LayerError`` for the first layer that does not fit what it reads.
  func build() throws -> (outputs: [Shape], context: LayerContext) {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let tensors = try appendInputs(to: builder, batchSize: 2)
    return (try build(tensors, in: context).map(\.shape), context)
  }

  /// The network in a graph of its own: ``inputs`` [N, …] and ``outputNames`` under their names.
  public func inferenceGraph(batchSize: Int) throws -> (graph: Graph, context: LayerContext) {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let tensors = try appendInputs(to: builder, batchSize: batchSize)
    for (name, tensor) in zip(outputNames, try forward(tensors, in: context)) {
      builder.output(name, tensor)
    }
    return (builder.graph, context)
  }

  /// The initial values of all parameters and running statistics.
  public func initialValues(seed: UInt64) throws -> [String: HostTensor] {
    let (_, context) = try inferenceGraph(batchSize: ownBatchSize)
    return Dictionary(
      uniqueKeysWithValues: context.parameters.map {
        ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed))
      })
  }
}

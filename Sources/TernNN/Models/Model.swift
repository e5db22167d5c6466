import TernCore
import TernGraph

/// What a network is for, and with it what it is trained with.
public enum ModelTask: Hashable, Sendable {
  /// A class per sample.
  case classification
  /// A class per sample, by the perceptron rule.
  case perceptron
  /// A class per pixel.
  case segmentation
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

  /// As tables and model files spell it.
  public var name: String {
    switch self {
    case .classification: "classification"
    case .perceptron: "perceptron"
    case .segmentation: "segmentation"
    case .reconstruction: "reconstruction"
    case .variational: "variational"
    case .adversarial: "adversarial"
    case .contrastiveDivergence: "contrastive-divergence"
    case .beliefNetwork: "belief-network"
    }
  }
}

/// A network: named layers, each reading the one before or the ones it names.
public struct Model: Sendable {
  public let name: String
  /// One sample: [C, H, W].
  public let inputShape: Shape
  public let classCount: Int
  public let layers: Sequential
  public let task: ModelTask

  public init(
    name: String, inputShape: Shape, classCount: Int, layers: Sequential,
    task: ModelTask = .classification
  ) {
    self.task = task
    self.name = name
    self.inputShape = inputShape
    self.classCount = classCount
    self.layers = layers
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

  /// Appends the network to the graph of `x`, and returns its output, for a classifier [N, classes].
  ///
  /// - Throws: ``TernError`` naming the layer that does not fit what it reads.
  public func forward(_ x: Tensor, in context: LayerContext) throws -> Tensor {
    context.beginField(x)
    do { return try layers.forward([x], in: context) } catch let error as LayerError {
      throw TernError(.badData, "model \(name) on inputs \(inputShape): \(error)")
    }
  }

  /// Builds the network once, for two samples, so that a layer that only fits one is found.
  ///
  /// - Throws: ``LayerError`` for the first layer that does not fit what it reads.
  func build() throws -> (output: Shape, context: LayerContext) {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("images", Shape([2] + inputShape.dimensions))
    return (try layers.forward([x], in: context).shape, context)
  }

  /// The network in a graph of its own, with input `images` [N, C, H, W] and output `logits`.
  public func inferenceGraph(batchSize: Int) throws -> (graph: Graph, context: LayerContext) {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("images", Shape([batchSize] + inputShape.dimensions))
    builder.output("logits", try forward(x, in: context))
    return (builder.graph, context)
  }

  /// The initial values of all parameters and running statistics.
  public func initialValues(seed: UInt64) throws -> [String: HostTensor] {
    let (_, context) = try inferenceGraph(batchSize: 1)
    return Dictionary(
      uniqueKeysWithValues: context.parameters.map {
        ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed))
      })
  }
}

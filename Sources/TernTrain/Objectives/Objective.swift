import TernCore
import TernData
import TernGraph
import TernNN

/// What a network is trained for: the losses that a step minimises, and how the result is judged.
///
/// An objective only appends nodes. ``TrainingGraph`` makes a step of its losses, ``EvaluationGraph``
/// measures it, and the trainer runs both without knowing which objective it is.
public protocol Objective: Sendable {
  /// The losses of a training step in the order in which they are minimised, each by a graph of its
  /// own; one for most.
  var passes: [TrainingPass] { get }

  /// The metric that says which epoch is best: accuracy, loss, …; `nil` where none does.
  var monitoredMetric: Metric? { get }

  /// What can be watched besides.
  var metrics: [Metric] { get }

  /// Gathers what is measured of the network's outputs and their targets together; `nil` where the
  /// means of ``LossTerms/metrics`` say all.
  ///
  /// - Parameter classCount: the classes of the data, or its numbers to be predicted.
  func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)?

  /// The normalisation without which the loss makes no sense, as `--normalize` names it.
  var requiredNormalization: String? { get }

  /// Whether what measures the network draws random numbers. They belong to places in a batch, so such
  /// sets are always cut alike.
  var measuresAtRandom: Bool { get }

  /// Appends the loss of a pass on a batch.
  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms

  /// Appends what measures the network on a batch: unless it says otherwise, the loss of the first pass.
  func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms

  /// Appends a sheet of pictures that shows what the network has learnt; `nil` where there is
  /// nothing to see.
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet?
}

extension Objective {
  public var passes: [TrainingPass] { [.only] }
  public var monitoredMetric: Metric? { .loss }
  public var metrics: [Metric] { [.loss] }
  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    nil
  }
  public var requiredNormalization: String? { nil }
  public var measuresAtRandom: Bool { false }

  /// How many samples are measured at once where a run's batches have `batchSize`: with random numbers
  /// always as many, so that what is measured does not depend on it.
  public func evaluationBatchSize(_ batchSize: Int) -> Int { measuresAtRandom ? 64 : batchSize }

  public func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    try loss(of: passes[0], model, on: samples, in: context)
  }

  public func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? { nil }
}

/// One loss of a training step.
public struct TrainingPass: Hashable, Sendable {
  /// What the names of the parameters start with that the pass updates; the others stay.
  public let parameterPrefix: String

  /// A pass that updates the parameters whose names start so.
  public init(parameterPrefix: String) { self.parameterPrefix = parameterPrefix }

  /// The pass that updates every parameter.
  public static let only = TrainingPass(parameterPrefix: "")
}

/// What an objective says of a batch. All numbers are scalars, means over the batch.
public struct LossTerms {
  /// What is minimised.
  public let loss: Tensor
  /// What is logged beside the loss, by name.
  public let metrics: [(name: String, value: Tensor)]
  /// What is compared with the targets: scores of classes, [N, C] or per pixel [N, C, H, W], of labels
  /// [N, L], or numbers [N, T].
  public let logits: Tensor?
  /// What ``loss`` was divided by, where it is not the number of samples: the weights of the classes
  /// that occur, the pixels that count. Where it is 0 the loss is 0, and so are its gradients.
  public let weight: Tensor?

  /// What a pass computes: its loss, and what is reported besides.
  public init(
    loss: Tensor, metrics: [(name: String, value: Tensor)] = [], logits: Tensor? = nil,
    weight: Tensor? = nil
  ) {
    self.weight = weight
    self.loss = loss
    self.metrics = metrics
    self.logits = logits
  }
}

/// Pictures [N, C, H, W] in the range of the normalised data, to be laid out in rows.
public struct SampleSheet {
  /// Pictures [N, C, H, W].
  public let pictures: Tensor
  /// How many stand in a row.
  public let columns: Int

  /// Pictures [N, C, H, W], so many in a row.
  public init(_ pictures: Tensor, columns: Int) {
    self.pictures = pictures
    self.columns = columns
  }
}

/// The samples a graph reads. Only what an objective asks for becomes an input of the graph.
public final class SampleInputs {
  /// The graph that the inputs belong to.
  public let builder: GraphBuilder
  /// The samples of a batch.
  public let batchSize: Int
  private let fields: [Field]
  private let pixels: PixelTable?
  private var held: [String: Tensor] = [:]

  /// The inputs of a batch for a network.
  ///
  /// - Parameter pixels: what the bytes of its pictures stand for, where a batch has bytes.
  public init(
    _ builder: GraphBuilder, model: Model, batchSize: Int, pixels: PixelTable? = nil
  ) {
    self.builder = builder
    self.batchSize = batchSize
    self.pixels = pixels
    fields = model.inputs
  }

  /// A field of the samples, [N, …], or one that a batch has once, such as ``Field/mixName``.
  public func field(_ name: String, _ type: TensorType) throws -> Tensor {
    if let tensor = held[name] { return tensor }
    let tensor: Tensor
    if let pixels, pixels.field == name {
      let table = HostTensor([pixels.values.count / 256, 256], pixels.values)
      tensor = try builder.input(name, TensorType(type.shape, .uint8))
        .pixelValues(builder.constant(table))
    } else {
      tensor = try builder.input(name, type)
    }
    held[name] = tensor
    return tensor
  }

  /// What the network reads, in the order of ``Model/inputs``, [N, …].
  public func inputs() throws -> [Tensor] {
    try fields.map { try field($0.name, $0.batched(batchSize)) }
  }

  /// The first input, for most networks normalised images [N, C, H, W].
  public func images() throws -> Tensor {
    try field(fields[0].name, fields[0].batched(batchSize))
  }

  /// The targets, [N] class numbers unless another type is asked for.
  public func targets(_ type: TensorType? = nil) throws -> Tensor {
    try field(Field.targetsName, type ?? TensorType([batchSize], .int32))
  }

  /// The second targets [N] of samples that are mixed of two, and how much of a sample is its own,
  /// [].
  public func partners() throws -> (targets: Tensor, mix: Tensor) {
    (
      try field(Field.partnerTargetsName, TensorType([batchSize], .int32)),
      try field(Field.mixName, TensorType([]))
    )
  }
}

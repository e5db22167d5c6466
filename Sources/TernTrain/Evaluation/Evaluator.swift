import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A network for inference with what its objective measures: inputs `images` and `targets` as far as
/// they are read; outputs `loss` [], the mean over the batch, the objective's metrics under their
/// names, for a classifier `logits`, and `weight` [], what the loss is the mean over where that is not
/// the samples.
public struct EvaluationGraph {
  public static let logitsOutput = "logits"
  public static let weightOutput = "weight"

  public let graph: Graph
  /// The names of the outputs that are means over the batch.
  public let metricNames: [String]
  let isWeighted: Bool

  /// - Parameter variablePrefix: what the names of the variables start with that it reads as
  ///   parameters.
  public init(
    model: Model, batchSize: Int, objective: any Objective = Classification(),
    seed: UInt64 = 0, variablePrefix: String = ""
  ) throws {
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: variablePrefix)
    let terms = try objective.evaluation(
      of: model, on: SampleInputs(builder, model: model, batchSize: batchSize), in: context)
    let metrics = [(TrainingGraph.lossOutput, terms.loss)] + terms.metrics
    for (name, value) in metrics { builder.output(name, value) }
    if let logits = terms.logits { builder.output(Self.logitsOutput, logits) }
    if let weight = terms.weight { builder.output(Self.weightOutput, weight) }
    isWeighted = terms.weight != nil
    metricNames = metrics.map(\.0)
    graph = builder.graph
  }
}

extension LayerContext {
  /// A network that is measured. What is drawn at random is drawn as in a step 0, which no training
  /// step is, so that every evaluation sees the same numbers.
  static func evaluation(
    _ builder: GraphBuilder, seed: UInt64, variablePrefix: String
  ) -> LayerContext {
    LayerContext(
      builder: builder, mode: .inference, seed: seed,
      step: builder.constant(HostTensor([], [Int32(0)])), variablePrefix: variablePrefix)
  }
}

/// How well a network does on a set: sums over its batches, divided once, so that no number depends
/// on how the set is cut.
public struct EvaluationResult: Sendable {
  public let sampleCount: Int
  /// The loss and the objective's metrics.
  public let means: [String: Double]
  /// What else is known of a classifier.
  public let classification: ClassificationMetrics?

  public var loss: Double { means[TrainingGraph.lossOutput] ?? .nan }
}

/// Runs a network over whole sets.
public final class Evaluator {
  /// How many samples the batches have that it is given.
  public let batchSize: Int
  private let executables: BatchExecutables
  private let metricNames: [String]
  private let isWeighted: Bool
  private let classCount: Int

  /// - Parameter isWeighted: whether the loss is not the mean over the samples.
  init(
    executables: BatchExecutables, batchSize: Int, metricNames: [String], isWeighted: Bool,
    classCount: Int
  ) {
    self.batchSize = batchSize
    self.executables = executables
    self.metricNames = metricNames
    self.isWeighted = isWeighted
    self.classCount = classCount
  }

  /// - Parameters:
  ///   - session: holds the network's parameters, or will.
  ///   - batchSize: how many samples are measured at once, if the objective leaves that open; see
  ///     ``batchSize``.
  public convenience init(
    session: Session, model: Model, batchSize: Int, sampleCount: Int,
    objective: any Objective = Classification(), seed: UInt64 = 0
  ) throws {
    let batchSize = objective.evaluationBatchSize(batchSize)
    let sizes = BatchExecutables.sizes(sampleCount: sampleCount, batchSize: batchSize)
    let graphs = try sizes.map {
      try EvaluationGraph(model: model, batchSize: $0, objective: objective, seed: seed)
    }
    let compiled = try session.compile(graphs.map(\.graph))
    self.init(
      executables: BatchExecutables(Dictionary(uniqueKeysWithValues: zip(sizes, compiled))),
      batchSize: batchSize, metricNames: graphs.first?.metricNames ?? [],
      isWeighted: graphs.first?.isWeighted ?? false, classCount: model.classCount)
  }

  /// The metrics over all samples that `loader` delivers.
  ///
  /// - Parameter check: called before each batch; what it throws ends the evaluation.
  /// - Throws: ``TernError`` where there is no sample, or nothing of the samples counts.
  public func evaluate(_ loader: BatchLoader, check: () throws -> Void = {}) throws
    -> EvaluationResult
  {
    var sums = [String: Double](uniqueKeysWithValues: metricNames.map { ($0, 0) })
    var sampleCount = 0
    var lossWeights = 0.0
    var metrics: ClassificationMetrics?
    while let batch = try loader.next() {
      try check()
      let executable = executables[batch.count]
      try executable.upload(batch)
      try executable.step()
      let lossWeight =
        isWeighted
        ? Double(try executable.read(EvaluationGraph.weightOutput).floats[0]) : Double(batch.count)
      for name in metricNames {
        let value = Double(try executable.read(name).floats[0])
        let weight = name == TrainingGraph.lossOutput ? lossWeight : Double(batch.count)
        sums[name, default: 0] += value * weight
      }
      sampleCount += batch.count
      lossWeights += lossWeight
      guard executable.hasOutput(EvaluationGraph.logitsOutput) else { continue }
      let logits = try executable.read(EvaluationGraph.logitsOutput)
      let loss = try executable.read(TrainingGraph.lossOutput)
      metrics = metrics ?? ClassificationMetrics(classCount: classCount)
      metrics?.add(
        logits: logits.floats, labels: Array(batch.labels.bindMemory(to: Int32.self)),
        loss: Double(loss.floats[0]), weight: lossWeight, sampleCount: batch.count)
    }
    guard lossWeights > 0 else {
      throw TernError(
        .badData,
        sampleCount == 0
          ? "there is no sample to measure"
          : "nothing counts in the \(sampleCount) samples that are measured: every target is ignored"
      )
    }
    var means = sums.mapValues { $0 / Double(sampleCount) }
    means[TrainingGraph.lossOutput] = sums[TrainingGraph.lossOutput].map { $0 / lossWeights }
    return EvaluationResult(
      sampleCount: sampleCount, means: means, classification: metrics)
  }
}

/// One executable per batch size: the usual one, and that of an epoch's last, smaller batch.
struct BatchExecutables {
  private let bySize: [Int: Executable]

  init(_ bySize: [Int: Executable]) { self.bySize = bySize }

  /// The batch sizes that cutting `sampleCount` samples gives.
  static func sizes(sampleCount: Int, batchSize: Int) -> [Int] {
    let rest = sampleCount % batchSize
    return (sampleCount >= batchSize ? [batchSize] : []) + (rest > 0 ? [rest] : [])
  }

  subscript(size: Int) -> Executable {
    guard let executable = bySize[size] else {
      preconditionFailure("no executable for a batch of \(size)")
    }
    return executable
  }
}

extension Executable {
  /// Hands over what the graph reads of a batch.
  func upload(_ batch: Batch) throws {
    if let input = inputIndex(TrainingGraph.imagesInput) {
      try upload(batch.images, toInput: input)
    }
    if let input = inputIndex(TrainingGraph.targetsInput) {
      try upload(batch.labels, toInput: input)
    }
    if let input = inputIndex(TrainingGraph.partnerTargetsInput) {
      try upload(batch.partnerLabels, toInput: input)
      try upload(batch.mix, toInput: TrainingGraph.mixInput)
    }
  }
}

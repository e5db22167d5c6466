import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A network for inference with what its objective measures: inputs as far as they are read; outputs
/// `loss` [], the mean over the batch, the objective's metrics under their names, where outputs are held
/// against targets `logits`, and `weight` [], what the loss is the mean over where that is not the
/// samples. `summary` [M] holds all of these numbers, so that one reading brings them.
public struct EvaluationGraph {
  /// The output that holds what the network says.
  public static let logitsOutput = "logits"
  /// The output that holds what the loss is the mean over.
  public static let weightOutput = "weight"
  static let summaryOutput = "summary"

  /// The graph of one batch.
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
    let numbers = try (metrics.map(\.1) + [terms.weight].compactMap(\.self)).map {
      try $0.reshape([1])
    }
    builder.output(
      Self.summaryOutput, numbers.count == 1 ? numbers[0] : try Tensor.cat(numbers))
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
  /// The samples measured.
  public let sampleCount: Int
  /// The loss and the objective's metrics.
  public let means: [String: Double]
  /// What is measured of all outputs together, where they are held against targets.
  public let outputs: (any OutputMetrics)?

  /// The mean loss.
  public var loss: Double { means[TrainingGraph.lossOutput] ?? .nan }
  /// Not a number where nothing is classified.
  public var accuracy: Double { outputs?.accuracyOfAll ?? .nan }
  /// What else is known of a classifier.
  public var classification: ClassificationMetrics? { outputs as? ClassificationMetrics }
}

/// Runs a network over whole sets.
public final class Evaluator {
  /// How many samples the batches have that it is given.
  public let batchSize: Int
  private let executables: BatchExecutables
  private let metricNames: [String]
  private let isWeighted: Bool
  private let outputMetrics: (any OutputMetrics)?

  /// - Parameters:
  ///   - isWeighted: whether the loss is not the mean over the samples.
  ///   - outputMetrics: gathers what is measured of all outputs, still empty.
  init(
    executables: BatchExecutables, batchSize: Int, metricNames: [String], isWeighted: Bool,
    outputMetrics: (any OutputMetrics)?
  ) {
    self.batchSize = batchSize
    self.executables = executables
    self.metricNames = metricNames
    self.isWeighted = isWeighted
    self.outputMetrics = outputMetrics
  }

  /// - Parameters:
  ///   - session: holds the network's parameters, or will.
  ///   - batchSize: how many samples are measured at once, if the objective leaves that open; see
  ///     ``batchSize``.
  ///   - targetScale: how numbers to be predicted are scaled for the network.
  public convenience init(
    session: Session, model: Model, batchSize: Int, sampleCount: Int,
    objective: any Objective = Classification(), targetScale: TargetScale? = nil, seed: UInt64 = 0,
    variablePrefix: String = ""
  ) throws {
    let batchSize = objective.evaluationBatchSize(batchSize)
    let sizes = BatchExecutables.sizes(sampleCount: sampleCount, batchSize: batchSize)
    let graphs = try sizes.map {
      try EvaluationGraph(
        model: model, batchSize: $0, objective: objective, seed: seed,
        variablePrefix: variablePrefix)
    }
    let compiled = try session.compile(graphs.map(\.graph))
    self.init(
      executables: BatchExecutables(Dictionary(uniqueKeysWithValues: zip(sizes, compiled))),
      batchSize: batchSize, metricNames: graphs.first?.metricNames ?? [],
      isWeighted: graphs.first?.isWeighted ?? false,
      outputMetrics: objective.outputMetrics(
        classCount: model.classCount, targetScale: targetScale))
  }

  /// Whether a set is cut into batches that it has graphs for.
  func covers(_ set: any Dataset) -> Bool {
    BatchExecutables.sizes(sampleCount: set.count, batchSize: batchSize).allSatisfy(executables.has)
  }

  /// The metrics over all samples that `loader` delivers.
  ///
  /// - Parameter check: called before each batch; what it throws ends the evaluation.
  /// - Throws: ``TernError`` where there is no sample, or nothing of the samples counts.
  public func evaluate(_ loader: BatchLoader, check: () throws -> Void = {}) throws
    -> EvaluationResult
  {
    var sums = metricNames.map { _ in 0.0 }
    var sampleCount = 0
    var lossWeights = 0.0
    var metrics = outputMetrics
    func add(_ measured: MeasuredBatch) throws {
      let summary = try measured.summary.wait().floats.map(Double.init)
      let lossWeight = isWeighted ? summary[metricNames.count] : Double(measured.count)
      for (place, name) in metricNames.enumerated() {
        sums[place] +=
          summary[place] * (name == TrainingGraph.lossOutput ? lossWeight : Double(measured.count))
      }
      sampleCount += measured.count
      lossWeights += lossWeight
      let outputs = try measured.outputs?.wait().floats ?? []
      measured.targets.withUnsafeBytes {
        metrics?.add(
          outputs: outputs, targets: $0, loss: summary[0], weight: lossWeight,
          sampleCount: measured.count)
      }
    }
    // While a batch is on the device, the host counts what the one before gave.
    var pending: MeasuredBatch?
    while let batch = try loader.next() {
      try check()
      let executable = executables[batch.count]
      try executable.upload(batch)
      try executable.step()
      let reads = metrics != nil && executable.hasOutput(EvaluationGraph.logitsOutput)
      let measured = MeasuredBatch(
        count: batch.count, targets: reads ? Array(batch.targets) : [],
        summary: try executable.startReading(EvaluationGraph.summaryOutput),
        outputs: reads ? try executable.startReading(EvaluationGraph.logitsOutput) : nil)
      if let pending { try add(pending) }
      pending = measured
    }
    if let pending { try add(pending) }
    guard lossWeights > 0 else {
      throw TernError(
        .badData,
        sampleCount == 0
          ? "there is no sample to measure"
          : "nothing counts in the \(sampleCount) samples that are measured: every target is ignored"
      )
    }
    var means: [String: Double] = [:]
    for (name, sum) in zip(metricNames, sums) {
      means[name] = sum / (name == TrainingGraph.lossOutput ? lossWeights : Double(sampleCount))
    }
    means.merge(metrics?.values ?? [:]) { _, new in new }
    return EvaluationResult(sampleCount: sampleCount, means: means, outputs: metrics)
  }

  /// What a batch is to give, as it is read from the device.
  private struct MeasuredBatch {
    let count: Int
    let targets: [UInt8]
    let summary: any PendingRead
    let outputs: (any PendingRead)?
  }
}

/// One executable per batch size: the usual one, and that of an epoch's last, smaller batch.
struct BatchExecutables {
  private let bySize: [Int: Executable]

  init(_ bySize: [Int: Executable]) { self.bySize = bySize }

  func has(_ size: Int) -> Bool { bySize[size] != nil }

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
    for (name, bytes) in batch.fields {
      if let input = inputIndex(name) { try upload(bytes, toInput: input) }
    }
  }
}

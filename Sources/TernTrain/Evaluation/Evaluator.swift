import TernCluster
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

  /// - Parameters:
  ///   - variablePrefix: what the names of the variables start with that it reads as parameters.
  ///   - pixels: what the bytes of its pictures stand for, where a batch has bytes.
  public init(
    model: Model, batchSize: Int, objective: any Objective = Classification(),
    seed: UInt64 = 0, variablePrefix: String = "", pixels: PixelTable? = nil
  ) throws {
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: variablePrefix)
    let terms = try objective.evaluation(
      of: model,
      on: SampleInputs(builder, model: model, batchSize: batchSize, pixels: pixels), in: context)
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
  /// Whether it reads pictures as bytes.
  let readsBytes: Bool

  /// - Parameters:
  ///   - isWeighted: whether the loss is not the mean over the samples.
  ///   - outputMetrics: gathers what is measured of all outputs, still empty.
  init(
    executables: BatchExecutables, batchSize: Int, metricNames: [String], isWeighted: Bool,
    outputMetrics: (any OutputMetrics)?, readsBytes: Bool = false
  ) {
    self.readsBytes = readsBytes
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
      && (!readsBytes || set.hasByteSamples)
  }

  /// The metrics over all samples that `loader` delivers.
  ///
  /// - Parameters:
  ///   - group: whose members measure together, each the batches of its own loader.
  ///   - check: called before each batch; what it throws ends the evaluation. Not where there is a group.
  /// - Throws: ``TernError`` where there is no sample, or nothing of the samples counts.
  public func evaluate(
    _ loader: BatchLoader, group: (any ProcessGroup)? = nil, check: () throws -> Void = {}
  ) throws -> EvaluationResult {
    var sums = Sums(metricNames, isWeighted: isWeighted, outputMetrics)
    /// In the order of the batches, so that the sums do not depend on who measured them.
    func add(_ measured: StartedBatch?) throws {
      guard let group else {
        if let measured { sums.add(try measured.wait()) }
        return
      }
      for bytes in try group.allGather(try measured?.wait().encoded ?? []) where !bytes.isEmpty {
        sums.add(MeasuredBatch(encoded: bytes))
      }
    }
    // While a batch is on the device, the host counts what the one before gave.
    var pending: StartedBatch?
    var added = 0
    while let batch = try loader.next() {
      if group == nil { try check() }
      let executable = executables[batch.count]
      try executable.upload(batch)
      try executable.step()
      let reads = outputMetrics != nil && executable.hasOutput(EvaluationGraph.logitsOutput)
      let started = StartedBatch(
        count: batch.count, targets: reads ? Array(batch.targets) : [],
        summary: try executable.startReading(EvaluationGraph.summaryOutput),
        outputs: reads ? try executable.startReading(EvaluationGraph.logitsOutput) : nil)
      if let pending {
        try add(pending)
        added += 1
      }
      pending = started
    }
    // Members with fewer batches take part in every round.
    let rounds =
      group.map { (loader.batchCount + $0.size - 1) / $0.size } ?? (pending == nil ? 0 : 1)
    while added < rounds || pending != nil {
      try add(pending)
      pending = nil
      added += 1
    }
    return try sums.result()
  }

  /// A batch whose measures are being read from the device.
  private struct StartedBatch {
    let count: Int
    let targets: [UInt8]
    let summary: any PendingRead
    let outputs: (any PendingRead)?

    func wait() throws -> MeasuredBatch {
      MeasuredBatch(
        count: count, targets: targets, summary: try summary.wait().floats,
        outputs: try outputs?.wait().floats ?? [])
    }
  }

  /// What a batch gave.
  fileprivate struct MeasuredBatch {
    let count: Int
    let targets: [UInt8]
    /// The metrics, and the weight of the loss where it has its own.
    let summary: [Float]
    let outputs: [Float]

    /// For another member of a group, which has the same processor: the counts, then all numbers.
    var encoded: [UInt8] {
      [Int64(count), Int64(summary.count), Int64(outputs.count)].withUnsafeBytes(Array.init)
        + summary.withUnsafeBytes(Array.init) + outputs.withUnsafeBytes(Array.init) + targets
    }
  }

  /// What is summed over the batches of a set.
  private struct Sums {
    let metricNames: [String]
    let isWeighted: Bool
    var sums: [Double]
    var sampleCount = 0
    var lossWeights = 0.0
    var metrics: (any OutputMetrics)?

    init(_ metricNames: [String], isWeighted: Bool, _ metrics: (any OutputMetrics)?) {
      self.metricNames = metricNames
      self.isWeighted = isWeighted
      self.metrics = metrics
      sums = metricNames.map { _ in 0 }
    }

    mutating func add(_ measured: MeasuredBatch) {
      let summary = measured.summary.map(Double.init)
      let lossWeight = isWeighted ? summary[metricNames.count] : Double(measured.count)
      for (place, name) in metricNames.enumerated() {
        sums[place] +=
          summary[place] * (name == TrainingGraph.lossOutput ? lossWeight : Double(measured.count))
      }
      sampleCount += measured.count
      lossWeights += lossWeight
      measured.targets.withUnsafeBytes {
        metrics?.add(
          outputs: measured.outputs, targets: $0, loss: summary[0], weight: lossWeight,
          sampleCount: measured.count)
      }
    }

    func result() throws -> EvaluationResult {
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
  }
}

extension Evaluator.MeasuredBatch {
  init(encoded bytes: [UInt8]) {
    (count, summary, outputs, targets) = bytes.withUnsafeBytes { bytes in
      let counts = (0..<3).map { Int(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
      var offset = 24
      func floats(_ count: Int) -> [Float] {
        defer { offset += 4 * count }
        return (0..<count).map {
          bytes.loadUnaligned(fromByteOffset: offset + 4 * $0, as: Float.self)
        }
      }
      let (summary, outputs) = (floats(counts[1]), floats(counts[2]))
      return (counts[0], summary, outputs, Array(bytes[offset...]))
    }
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

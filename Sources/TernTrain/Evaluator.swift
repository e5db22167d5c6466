import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A network for inference with its loss: inputs `images` and `targets`, outputs `logits` [N, C]
/// and `loss` [], the mean over the batch.
public struct EvaluationGraph {
  public static let logitsOutput = "logits"

  public let graph: Graph

  /// - Parameter variablePrefix: what the names of the variables start with that it reads as
  ///   parameters.
  public init(
    model: Model, batchSize: Int, loss: LossFunction = LossFunction(), variablePrefix: String = ""
  ) throws {
    let builder = GraphBuilder()
    let images = try builder.input(
      TrainingGraph.imagesInput, Shape([batchSize] + model.inputShape.dimensions))
    let targets = try builder.input(
      TrainingGraph.targetsInput, TensorType([batchSize], .int32))
    let context = LayerContext(
      builder: builder, mode: .inference, variablePrefix: variablePrefix)
    let logits = try model.forward(images, in: context)
    guard logits.shape == [batchSize, model.classCount] else {
      throw TernError(
        .badData,
        "model \(model.name) ends in shape \(logits.shape), not in \(model.classCount) classes")
    }
    builder.output(Self.logitsOutput, logits)
    builder.output(TrainingGraph.lossOutput, try loss.apply(logits, targets))
    graph = builder.graph
  }
}

/// Runs a network over whole sets.
public final class Evaluator {
  private let executables: BatchExecutables
  private let classCount: Int

  init(executables: BatchExecutables, classCount: Int) {
    self.executables = executables
    self.classCount = classCount
  }

  /// - Parameter session: holds the network's parameters, or will.
  public convenience init(
    session: Session, model: Model, batchSize: Int, sampleCount: Int,
    loss: LossFunction = LossFunction()
  ) throws {
    let sizes = BatchExecutables.sizes(sampleCount: sampleCount, batchSize: batchSize)
    let compiled = try session.compile(
      sizes.map { try EvaluationGraph(model: model, batchSize: $0, loss: loss).graph })
    self.init(
      executables: BatchExecutables(Dictionary(uniqueKeysWithValues: zip(sizes, compiled))),
      classCount: model.classCount)
  }

  /// The metrics over all samples that `loader` delivers.
  public func evaluate(_ loader: BatchLoader) throws -> ClassificationMetrics {
    var metrics = ClassificationMetrics(classCount: classCount)
    while let batch = try loader.next() {
      let executable = executables[batch.count]
      try executable.upload(batch.images, toInput: executable.imagesInput)
      try executable.upload(batch.labels, toInput: executable.targetsInput)
      try executable.step()
      let logits = try executable.read(EvaluationGraph.logitsOutput)
      let loss = try executable.read(TrainingGraph.lossOutput)
      metrics.add(
        logits: logits.floats, labels: Array(batch.labels.bindMemory(to: Int32.self)),
        loss: Double(loss.floats[0]))
    }
    return metrics
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
  var imagesInput: Int { inputIndex(TrainingGraph.imagesInput)! }
  var targetsInput: Int { inputIndex(TrainingGraph.targetsInput)! }
}

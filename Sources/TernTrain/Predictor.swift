import TernCore
import TernData
import TernNN
import TernRuntime

/// Computes class probabilities for samples.
public final class Predictor {
  private let executable: Executable
  private let batchSize: Int
  private let classCount: Int

  /// - Parameter session: holds the network's parameters, or will.
  public init(session: Session, model: Model, batchSize: Int) throws {
    executable = try session.compile(model.inferenceGraph(batchSize: batchSize).graph)
    self.batchSize = batchSize
    classCount = model.classCount
  }

  /// The probabilities of the classes, sample by sample.
  ///
  /// - Precondition: `samples` are at least one, at most as many as the batch size, and of the
  ///   model's input shape.
  public func predict(_ samples: any Dataset, normalization: Normalization) throws -> [[Double]] {
    precondition((1...batchSize).contains(samples.count))
    // The network reads whole batches: the last sample fills one up.
    let padded = Subset(samples, (0..<batchSize).map { Int32(min($0, samples.count - 1)) })
    let loader = BatchLoader(padded, batchSize: batchSize, normalization: normalization)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return [] }
    try executable.upload(batch)
    try executable.step()
    let logits = try executable.read(EvaluationGraph.logitsOutput).floats
    return (0..<samples.count).map {
      ClassificationMetrics.softmax(Array(logits[$0 * classCount..<($0 + 1) * classCount]))
    }
  }
}

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
  /// - Precondition: `samples` are as many as the batch size, of the model's input shape.
  public func predict(_ samples: any Dataset, normalization: Normalization) throws -> [[Double]] {
    precondition(samples.count == batchSize)
    let loader = BatchLoader(samples, batchSize: batchSize, normalization: normalization)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return [] }
    try executable.upload(batch)
    try executable.step()
    let logits = try executable.read(EvaluationGraph.logitsOutput).floats
    return (0..<batchSize).map {
      ClassificationMetrics.softmax(Array(logits[$0 * classCount..<($0 + 1) * classCount]))
    }
  }
}

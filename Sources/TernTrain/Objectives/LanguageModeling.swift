import Foundation
import TernCore
import TernData
import TernGraph
import TernNN

/// The next token at every position of a text: scores [N, T, V] against tokens [N, T], by the
/// cross-entropy; what is measured besides is the perplexity.
///
/// Source: Bengio, Ducharme, Vincent, Jauvin, "A neural probabilistic language model", 2003.
public struct LanguageModeling: Objective {
  /// What is minimised: a loss of classes.
  public let lossFunction: LossFunction

  /// The next token, by a loss of classes.
  public init(_ loss: LossFunction = LossFunction()) { lossFunction = loss }

  public var metrics: [Metric] { [.loss, .perplexity] }

  public func outputMetrics(classCount: Int, targetScale: TargetScale?) -> (any OutputMetrics)? {
    PerplexityMetrics()
  }

  public func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let scores = try model.forward(samples.inputs(), in: context)[0]
    guard scores.shape.rank == 3, scores.shape[2] == model.classCount else {
      throw TernError(
        .badData,
        "model \(model.name) ends in shape \(scores.shape), not in scores [N, T, \(model.classCount)] "
          + "of the next token at every position")
    }
    let (count, length) = (scores.shape[0], scores.shape[1])
    let targets = try samples.targets(TensorType([count, length], .int32))
    // Measured is what the network says of each token, however it is taught.
    let function = context.mode == .training ? lossFunction : lossFunction.plain
    let loss = try context.builder.scope("loss") {
      try function.apply(
        [scores.reshape([count * length, model.classCount])], targets.reshape([count * length]))
    }
    return LossTerms(loss: loss)
  }
}

/// e to the mean loss of a token: among how many tokens as likely as one another the network hesitates.
struct PerplexityMetrics: OutputMetrics {
  private var lossSum = 0.0
  private var weightSum = 0.0

  mutating func add(
    outputs: [Float], targets: UnsafeRawBufferPointer, loss: Double, weight: Double,
    sampleCount: Int
  ) {
    lossSum += loss * weight
    weightSum += weight
  }

  var accuracyOfAll: Double? { nil }
  var values: [String: Double] { [Metric.perplexity.name: exp(lossSum / weightSum)] }
}

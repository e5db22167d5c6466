import TernCore
import TernGraph
import TernNN

/// A generator against a discriminator, in turns: first the discriminator learns to tell real
/// pictures from generated ones, then the generator to make pictures that it takes for real. Each
/// has a graph and optimizer state of its own.
///
/// Sources: Goodfellow et al., "Generative adversarial networks", 2014 (with the loss for the
/// generator that does not saturate); Radford, Metz, Chintala, 2015.
struct Adversarial: Objective {
  private static let discriminator = TrainingPass(parameterPrefix: "discriminator.")
  private static let generator = TrainingPass(parameterPrefix: "generator.")

  var passes: [TrainingPass] { [Self.discriminator, Self.generator] }
  /// Two losses that pull against each other say nothing about the pictures.
  var monitoredMetric: Metric? { nil }
  var requiredNormalization: String? { "0.5,0.5" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    if pass == Self.generator {
      // The same noise as in the discriminator's turn, for it is drawn for the same step.
      let loss = try negativeLogProbability(
        score(pictures(model, samples.batchSize, in: context), model, in: context))
      return LossTerms(loss: loss, metrics: [("generator_loss", loss)])
    }
    return try discriminatorTerms(model, samples, in: context)
  }

  func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    try discriminatorTerms(model, samples, in: context)
  }

  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    SampleSheet(
      try pictures(model, SampleSheet.width * SampleSheet.width, in: context),
      columns: SampleSheet.width)
  }

  private func discriminatorTerms(
    _ model: Model, _ samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let real = try score(samples.images(), model, in: context)
    let fake = try score(pictures(model, samples.batchSize, in: context), model, in: context)
    let loss = try negativeLogProbability(real) + negativeLogProbability(-fake)
    return LossTerms(
      loss: loss,
      metrics: [
        ("real_score", try real.sigmoid().mean()), ("fake_score", try fake.sigmoid().mean()),
      ])
  }

  /// The mean of −log σ(s).
  private func negativeLogProbability(_ scores: Tensor) throws -> Tensor {
    try (-scores).softplus().mean()
  }

  private func score(_ pictures: Tensor, _ model: Model, in context: LayerContext) throws -> Tensor
  {
    try model.forward("discriminator", pictures, in: context)
  }

  private func pictures(
    _ model: Model, _ count: Int, in context: LayerContext
  ) throws -> Tensor {
    // The layer asks its input only how many rows to draw.
    let rows = context.builder.constant(0, [count, 1])
    let noise = try model.forward("latent", rows, in: context)
    let pictures = try model.forward("generator", noise, in: context)
    guard pictures.shape.dimensions.dropFirst() == model.inputShape.dimensions[...] else {
      throw TernError(
        .badData,
        "model \(model.name) makes pictures \(Shape(Array(pictures.shape.dropFirst()))), not "
          + "\(model.inputShape)")
    }
    return pictures
  }
}

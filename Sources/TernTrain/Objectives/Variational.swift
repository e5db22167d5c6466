import TernCore
import TernData
import TernGraph
import TernNN

/// A variational autoencoder: the negative evidence lower bound, per sample the cross-entropy of the
/// pixels (nats, summed) plus the divergence of the code's distribution from N(0, 1).
///
/// Source: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
struct Variational: Objective {
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let images = try samples.images()
    let (mean, logVariance) = try GaussianSampling.parts(
      model.forward("encoder", images, in: context))
    let code = try GaussianSampling.draw(mean, logVariance, in: context)
    let logits = try model.forward("decoder", code, in: context).reshape(images.shape)
    let scale = 1 / Float(samples.batchSize)
    let reconstruction = try logits.binaryCrossEntropyWithLogits(images, reduction: .sum)
      .affine(scale: scale)
    // −½ Σ (1 + log σ² − μ² − σ²)
    let divergence = try (mean.square() + logVariance.exp() - logVariance)
      .affine(scale: 1, shift: -1).sum().affine(scale: scale / 2)
    let loss = try reconstruction + divergence
    return LossTerms(
      loss: loss,
      metrics: [("elbo", try -loss), ("kl", divergence), ("reconstruction", reconstruction)])
  }

  /// Pictures that the decoder makes of codes from N(0, 1).
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    // A network is sampled with codes as long as its own, which a picture shows.
    let width = try model.codeWidth()
    let code = try context.randomNormal([SampleSheet.width * SampleSheet.width, width])
    let pictures = try model.forward("decoder", code, in: context).sigmoid()
    return SampleSheet(
      try pictures.reshape(Shape([code.shape[0]] + model.inputShape.dimensions)),
      columns: SampleSheet.width)
  }
}

extension Model {
  /// The length Z of the code that the part `encoder` describes by 2Z numbers.
  fileprivate func codeWidth() throws -> Int {
    let builder = GraphBuilder()
    let image = try builder.input("image", Shape([1] + inputShape.dimensions))
    let context = LayerContext(builder: builder, mode: .inference)
    return try GaussianSampling.parts(forward("encoder", image, in: context)).mean.shape[1]
  }
}

import TernCore
import TernGraph
import TernNN

/// A restricted Boltzmann machine learns the distribution of what the parts below it make of the
/// data, by contrastive divergence.
///
/// Source: Hinton, "Training products of experts by minimizing contrastive divergence", 2002.
struct ContrastiveDivergence: Objective {
  /// The machine's part of the network.
  let part: String
  /// The steps of the Gibbs chain.
  let steps: Int

  var passes: [TrainingPass] { [TrainingPass(parameterPrefix: part + ".")] }
  var monitoredMetric: Metric? { .reconstructionError }
  var metrics: [Metric] { [.reconstructionError, .loss] }
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (data, chain) = try chain(model, samples, in: context)
    return LossTerms(
      loss: try (chain.dataEnergy - chain.modelEnergy).mean(),
      metrics: [
        ("free_energy", try chain.dataEnergy.mean()),
        // Per unit, so that machines of any size compare.
        ("reconstruction_error", try chain.reconstruction.mseLoss(data)),
      ])
  }

  /// Pictures, each above its reconstruction, where the machine sees pictures.
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    let images = try samples.images()
    let (data, chain) = try chain(model, samples, in: context)
    guard data.shape.elementCount == images.shape.elementCount else { return nil }
    return try .rows([images, chain.reconstruction.reshape(images.shape)])
  }

  private func chain(
    _ model: Model, _ samples: SampleInputs, in context: LayerContext
  ) throws -> (data: Tensor, chain: RestrictedBoltzmannMachine.Chain) {
    guard let machine = try model.part(part) as? RestrictedBoltzmannMachine else {
      throw TernError(
        .badData, "model \(model.name): part \(part) is not a restricted Boltzmann machine")
    }
    let data = try model.inputs(of: part, samples.images(), in: context)
    let chain = try model.within(part, in: context) {
      try machine.chain(from: data, steps: steps, in: context)
    }
    return (data, chain)
  }
}

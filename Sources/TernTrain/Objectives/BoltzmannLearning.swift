import TernCore
import TernGraph
import TernNN

/// A Boltzmann machine learns the distribution of the data: units that are on together in the data are
/// joined more, those that are in the machine's own states less. Its own states are chains of Gibbs
/// sampling that go on from step to step.
///
/// What is measured is exact, for the machine is small: the loss is the mean of −log P(v), in nats.
///
/// Sources: Ackley, Hinton, Sejnowski, "A learning algorithm for Boltzmann machines", 1985; chains that go
/// on: Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient",
/// 2008.
package struct BoltzmannLearning: Objective {
  let part: String
  /// The sweeps of Gibbs sampling in a step.
  let sweeps: Int

  /// The learning of a part, with so many sweeps of Gibbs sampling in a step.
  package init(part: String, sweeps: Int) { (self.part, self.sweeps) = (part, sweeps) }

  package var metrics: [Metric] { [.loss] }
  package var requiredNormalization: String? { "none" }

  /// The machine's own states.
  private static let chainCount = 2048

  package func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (machine, visible) = try machine(model, samples, in: context)
    return try model.within(part, in: context) {
      let units = try machine.units(visible, in: context)
      var data = visible
      if machine.hiddenCount > 0 {
        let start = context.builder.constant(0.5, [visible.shape[0], machine.hiddenCount])
        data = try BoltzmannMachine.sampling(
          Tensor.cat([visible, context.bernoulli(start)], dim: 1), units, from: visible.shape[1],
          sweeps: sweeps, in: context)
      }
      let chains = try context.builder.variable(
        "chains.\(part)", [Self.chainCount, units.count])
      let own = try BoltzmannMachine.sampling(chains, units, sweeps: sweeps, in: context)
      context.builder.assign(chains, own)
      return LossTerms(
        loss: try BoltzmannMachine.energy(data, units).mean()
          - BoltzmannMachine.energy(own, units).mean(),
        metrics: [("nll", try negativeLogLikelihood(machine, visible, in: context))])
    }
  }

  package func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (machine, visible) = try machine(model, samples, in: context)
    return try model.within(part, in: context) {
      LossTerms(loss: try negativeLogLikelihood(machine, visible, in: context))
    }
  }

  private func negativeLogLikelihood(
    _ machine: BoltzmannMachine, _ visible: Tensor, in context: LayerContext
  ) throws -> Tensor { try -machine.forward([visible], in: context).mean() }

  private func machine(
    _ model: Model, _ samples: SampleInputs, in context: LayerContext
  ) throws -> (BoltzmannMachine, visible: Tensor) {
    guard let machine = try model.part(part) as? BoltzmannMachine else {
      throw TernError(.badData, "model \(model.name): part \(part) is not a Boltzmann machine")
    }
    return (machine, try model.inputs(of: part, samples.images(), in: context))
  }
}

/// A layer of a deep Boltzmann machine is trained by itself, by contrastive divergence on what the
/// layers below make of the data. What will come from the layers above or below is made up for by
/// counting its own twice.
///
/// Source: Salakhutdinov and Hinton, "Deep Boltzmann machines", 2009.
struct LayerwisePretraining: Objective {
  let part: String
  /// The layer, counted from 0.
  let level: Int
  let steps: Int

  var passes: [TrainingPass] {
    [TrainingPass(parameterPrefix: level == 0 ? part + "." : "\(part).\(level + 1).")]
  }
  var monitoredMetric: Metric? { .reconstructionError }
  var metrics: [Metric] { [.reconstructionError, .loss] }
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (machine, visible) = try model.deepMachine(part, samples, in: context)
    return try model.within(part, in: context) {
      let units = try machine.units(visible, levels: level + 1, in: context)
      let top = machine.hiddenCounts.count - 1
      var data = visible
      for below in 0..<level {
        let field = try data.linear(weight: units.weights[below]).affine(scale: 2)
        data = try (field + units.hiddenBiases[below]).sigmoid()
      }
      let weight = units.weights[level]
      let hiddenBias = units.hiddenBiases[level]
      let visibleBias = level == 0 ? units.visibleBias : units.hiddenBiases[level - 1]
      // A layer that will have one above it reads twice what is below; one with a layer below it is
      // seen twice from there.
      let (up, down): (Float, Float) = (level < top ? 2 : 1, level > 0 ? 2 : 1)
      func freeEnergy(_ v: Tensor) throws -> Tensor {
        let field = try v.linear(weight: weight).affine(scale: up) + hiddenBias
        return try
          -((v * visibleBias).sum([1]).affine(scale: up)
          + field.softplus().sum([1]).affine(scale: down))
      }
      var (state, reconstruction) = (data, data)
      for step in 0..<max(steps, 1) {
        let hidden = try context.bernoulli(
          (state.linear(weight: weight).affine(scale: up) + hiddenBias).sigmoid())
        let probabilities = try (hidden.matmul(weight).affine(scale: down) + visibleBias).sigmoid()
        if step == 0 { reconstruction = probabilities }
        state = try context.bernoulli(probabilities)
      }
      return LossTerms(
        loss: try (freeEnergy(data) - freeEnergy(state)).mean(),
        metrics: [("reconstruction_error", try reconstruction.mseLoss(data))])
    }
  }
}

/// All layers of a deep Boltzmann machine together: the data's side by the mean field, the machine's by
/// chains of Gibbs sampling that go on from step to step.
///
/// Source: Salakhutdinov and Hinton, "Deep Boltzmann machines", 2009.
struct DeepBoltzmannLearning: Objective {
  let part: String
  let steps: Int

  var passes: [TrainingPass] { [TrainingPass(parameterPrefix: part + ".")] }
  var monitoredMetric: Metric? { .reconstructionError }
  var metrics: [Metric] { [.reconstructionError, .loss] }
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  /// The machine's own states.
  private static let chainCount = 100

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (machine, visible) = try model.deepMachine(part, samples, in: context)
    return try model.within(part, in: context) {
      let units = try machine.units(visible, levels: machine.hiddenCounts.count, in: context)
      let means = try machine.meanField(of: visible, units)
      // Drawn from the mean field, so that no gradient flows through it.
      let data = try [visible] + means.map { try context.bernoulli($0) }
      let widths = [visible.shape[1]] + machine.hiddenCounts
      var own: [Tensor]
      if context.mode == .training {
        let chains = try widths.enumerated().map {
          try context.builder.variable("chains.\(part).\($0)", [Self.chainCount, $1])
        }
        own = try machine.sampling(chains, units, steps: steps, in: context)
        for (chain, next) in zip(chains, own) { context.builder.assign(chain, next) }
      } else {
        own = try machine.sampling(data, units, steps: steps, in: context)
      }
      let reconstruction = try machine.visible(means[0], units)
      return LossTerms(
        loss: try machine.energy(data, units).mean() - machine.energy(own, units).mean(),
        metrics: [("reconstruction_error", try reconstruction.mseLoss(visible))])
    }
  }

  /// Pictures, each above its reconstruction.
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    let images = try samples.images()
    let (machine, visible) = try model.deepMachine(part, samples, in: context)
    guard visible.shape.elementCount == images.shape.elementCount else { return nil }
    return try model.within(part, in: context) {
      let units = try machine.units(visible, levels: machine.hiddenCounts.count, in: context)
      let means = try machine.meanField(of: visible, units)
      return try .rows([images, machine.visible(means[0], units).reshape(images.shape)])
    }
  }
}

extension Model {
  fileprivate func deepMachine(
    _ part: String, _ samples: SampleInputs, in context: LayerContext
  ) throws -> (DeepBoltzmannMachine, visible: Tensor) {
    guard let machine = try self.part(part) as? DeepBoltzmannMachine else {
      throw TernError(.badData, "model \(name): part \(part) is not a deep Boltzmann machine")
    }
    return (machine, try inputs(of: part, samples.images(), in: context))
  }
}

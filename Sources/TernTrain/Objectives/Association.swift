import TernCore
import TernGraph
import TernNN

/// A Hopfield network stores every pattern it is given by its rule. It is measured by what it recalls of
/// patterns of which a part of the units was turned round. A state s has an overlap of s·x/F with its
/// pattern x: `recalled` is the part of the patterns that come back with 0.95 or more of it, `exact` the
/// part that come back whole. The loss is the energy at the end, `energy_damaged` that at the start.
///
/// Many patterns stored by Hebb's rule disturb one another, so that single units of what is recalled are
/// wrong: Amit, Gutfreund, Sompolinsky, "Storing infinite numbers of patterns in a spin-glass model of neural networks", 1985.
struct Association: Objective {
  /// The network's part.
  let part: String
  /// The part of the units that are turned round.
  let damage: Double

  var monitoredMetric: Metric? { .recalled }
  var metrics: [Metric] { [.recalled, .loss] }
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (network, patterns) = try network(model, samples, in: context)
    return try model.within(part, in: context) {
      let weight = try network.storing(patterns, in: context)
      context.builder.assign(try network.weight(for: patterns, in: context), weight)
      return LossTerms(loss: try HopfieldNetwork.energy(patterns, weight).mean())
    }
  }

  func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (network, patterns) = try network(model, samples, in: context)
    return try model.within(part, in: context) {
      let damaged = try context.damaged(patterns, by: damage)
      let states = try network.recall(from: damaged, in: context).states
      let weight = try network.weight(for: patterns, in: context)
      return LossTerms(
        loss: try HopfieldNetwork.energy(states, weight).mean(),
        metrics: [
          ("recalled", try states.agreement(with: patterns, overlap: 0.95)),
          ("exact", try states.agreement(with: patterns)),
          ("overlap", try (states * patterns).mean()),
          ("energy_damaged", try HopfieldNetwork.energy(damaged, weight).mean()),
        ])
    }
  }

  /// Rows of patterns, what is left of them, and what is recalled.
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    let images = try samples.images()
    guard images.shape.rank == 4 else { return nil }
    let (network, patterns) = try network(model, samples, in: context)
    return try model.within(part, in: context) {
      let damaged = try context.damaged(patterns, by: damage)
      let states = try network.recall(from: damaged, in: context).states
      return try .rows(
        [patterns, damaged, states].map {
          try $0.affine(scale: 0.5, shift: 0.5).reshape(images.shape)
        })
    }
  }

  private func network(
    _ model: Model, _ samples: SampleInputs, in context: LayerContext
  ) throws -> (HopfieldNetwork, patterns: Tensor) {
    guard let network = try model.part(part) as? HopfieldNetwork else {
      throw TernError(.badData, "model \(model.name): part \(part) is not a Hopfield network")
    }
    return (network, try model.inputs(of: part, samples.images(), in: context).bipolar())
  }
}

/// A bidirectional memory stores every pair of inputs and targets that it is given, and is measured by
/// what each side recalls when the other is damaged: `forward` and `backward` are the parts of the
/// pairs of which the other side comes back whole.
struct PairAssociation: Objective {
  let part: String
  let damage: Double

  var monitoredMetric: Metric? { .recalled }
  var metrics: [Metric] { [.recalled, .loss] }
  var requiredNormalization: String? { "none" }
  var measuresAtRandom: Bool { true }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (memory, inputs, targets) = try pairs(model, samples, in: context)
    return try model.within(part, in: context) {
      let weight = try memory.storing(inputs, targets, in: context)
      let old = try context.parameter("weight", weight.shape, .zeros, isTrainable: false)
      context.builder.assign(old, weight)
      return LossTerms(loss: try -(inputs.linear(weight: weight) * targets).sum([1]).mean())
    }
  }

  func evaluation(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let (memory, inputs, targets) = try pairs(model, samples, in: context)
    return try model.within(part, in: context) {
      let forward = try memory.recall(
        fromInputs: context.damaged(inputs, by: damage), in: context)
      let backward = try memory.recall(
        fromOutputs: context.damaged(targets, by: damage), inputCount: inputs.shape[1],
        in: context)
      let parts = try (
        forward.outputs.agreement(with: targets), backward.inputs.agreement(with: inputs)
      )
      return LossTerms(
        loss: try memory.energy(forward.inputs, forward.outputs, in: context).mean(),
        metrics: [
          ("forward", parts.0), ("backward", parts.1),
          ("recalled", try (parts.0 + parts.1).affine(scale: 0.5)),
        ])
    }
  }

  private func pairs(
    _ model: Model, _ samples: SampleInputs, in context: LayerContext
  ) throws -> (BidirectionalMemory, inputs: Tensor, targets: Tensor) {
    guard let memory = try model.part(part) as? BidirectionalMemory else {
      throw TernError(.badData, "model \(model.name): part \(part) is not a bidirectional memory")
    }
    let inputs = try model.inputs(of: part, samples.images(), in: context).bipolar()
    let targets = try samples.targets(TensorType([samples.batchSize, memory.outputCount]))
    return (memory, inputs, try targets.bipolar())
  }
}

extension LayerContext {
  /// Units [N, F] of 1 and −1, of which each is turned round with a probability.
  func damaged(_ units: Tensor, by damage: Double) throws -> Tensor {
    guard damage > 0 else { return units }
    let flips = try bernoulli(units.affine(scale: 0, shift: Float(damage)))
    return try units * flips.affine(scale: -2, shift: 1)
  }
}

extension Tensor {
  /// The part of the rows [N, F] of 1 and −1 that overlap with the other's so much, [].
  fileprivate func agreement(with other: Tensor, overlap: Float = 1) throws -> Tensor {
    // Overlaps are multiples of 2/F: half a step of the largest F keeps roundings out of it.
    try (self * other).mean([1]).affine(scale: 1, shift: 1e-4 - overlap).sign()
      .affine(scale: 0.5, shift: 0.5).mean()
  }
}

extension Model {
  /// What a part reads of samples [N, …].
  func inputs(of part: String, _ samples: Tensor, in context: LayerContext) throws -> Tensor {
    try layers.layers.prefix { $0.name != part }.reduce(samples) { x, layer in
      try forward(layer.name ?? "", x, in: context)
    }
  }

  /// Appends what an objective computes with the parameters of a part.
  ///
  /// - Throws: ``TernError`` naming the part where something does not fit.
  func within<R>(_ part: String, in context: LayerContext, _ body: () throws -> R) throws -> R {
    do { return try context.within(part, body) } catch let error as LayerError {
      throw TernError(.badData, "model \(name) on inputs \(inputShape): \(error)")
    }
  }

  /// The name of the first outermost layer of a kind.
  func partName<Kind: Layer>(_: Kind.Type) throws -> String {
    guard let entry = layers.layers.first(where: { $0.layer is Kind }), let name = entry.name else {
      throw TernError(.badData, "model \(self.name) has no part that \(task.name) is about")
    }
    return name
  }
}

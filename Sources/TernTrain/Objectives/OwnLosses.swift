import TernCore
import TernData
import TernGraph
import TernNN

/// A network that computes its losses itself, such as a net of Caffe's with several: their sum, each with its
/// weight. A loss without a weight is measured, and not trained.
struct OwnLosses: Objective {
  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    context.labels = { try samples.targets() }
    _ = try model.forward(samples.inputs(), in: context)
    let weighted = try context.losses.filter { $0.weight != 0 }.map {
      $0.weight == 1 ? $0.value : try $0.value.affine(scale: $0.weight)
    }
    guard let first = weighted.first else {
      throw TernError(.badData, "model \(model.name) has no loss of a weight above 0")
    }
    let loss = try weighted.dropFirst().reduce(first) { try $0 + $1 }
    return LossTerms(
      loss: loss,
      metrics: context.losses.count == 1
        ? [] : context.losses.map { (name: $0.name, value: $0.value) })
  }
}

import TernCore
import TernData
import TernGraph
import TernNN

/// A network that computes its losses itself, such as a net of Caffe's with several: their sum, each with its
/// weight. A loss without a weight is measured, and not trained.
struct OwnLosses: Objective {
  /// Whether it is held against numbers, as many as it has outputs, not against classes.
  var takesNumbers = false

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let type = takesNumbers ? TensorType([samples.batchSize, model.classCount]) : nil
    context.labels = { try samples.targets(type) }
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

import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// The graphs of a part of a run, compiled.
struct CompiledStage {
  let objective: any Objective
  /// The first epoch after it; `nil` for the last stage.
  let endEpoch: Int?
  /// What each form of a batch runs: the passes of the objective.
  let steps: [BatchSchedule.Form: [Executable]]
  /// The names of what is summed over an epoch.
  let metricNames: [String]
  let evaluator: Evaluator
  let sheet: SheetExecutable?
  /// The graphs of the first batch's passes.
  let firstGraphs: [TrainingGraph]
  /// The gradients of the passes, where their distributions are asked for.
  let gradients: [Executable]

  /// The passes of a full training step.
  var fullStep: [Executable] { steps.max { $0.key.size < $1.key.size }?.value ?? [] }
}

/// Builds the graphs of all stages and compiles them together, for their arenas share memory.
struct StageCompiler {
  let model: Model
  let configuration: TrainingConfiguration
  let data: TrainingData
  let batches: BatchSchedule

  /// - Returns: the stages, and every parameter and running statistic of the network.
  func compile(in session: Session) throws -> (stages: [CompiledStage], parameters: [Parameter]) {
    let update = try configuration.makeUpdate()
    let stages = try model.stages(configuration.makeObjectiveSettings(for: data.training))
    try check(stages)
    let frozen = FrozenParameters(configuration.freeze ?? "")
    let prefix = update.keepsAverage ? ParameterUpdate.averagePrefix : ""
    let evaluationSizes = Set(
      [data.test, data.validation].compactMap(\.self).flatMap {
        BatchExecutables.sizes(sampleCount: $0.count, batchSize: configuration.batchSize)
      }
    ).sorted(by: >)
    // An update's last batch first: its graph has every variable, so it chooses their layouts.
    let forms = batches.forms.sorted { $0.position.isEnd && !$1.position.isEnd }

    let firstForm = batches.form(ofBatch: 0)
    let firstIndex = forms.firstIndex(of: firstForm) ?? 0
    let built = try stages.map { stage in
      let objective = stage.objective
      return (
        training: try forms.map { form in
          try objective.passes.map {
            try TrainingGraph(
              model: model, objective: objective, pass: $0, batchSize: form.size, update: update,
              seed: configuration.seed, position: form.position, frozen: frozen)
          }
        },
        evaluation: try evaluationSizes.map {
          try EvaluationGraph(
            model: model, batchSize: $0, objective: objective, seed: configuration.seed,
            variablePrefix: prefix)
        },
        sheet: try SheetGraph(
          model: model, objective: objective, seed: configuration.seed, variablePrefix: prefix,
          availableCount: data.test.count)
      )
    }
    let graphs = built.flatMap { stage in
      var graphs = stage.training.flatMap { $0.map(\.graph) } + stage.evaluation.map(\.graph)
      if let sheet = stage.sheet { graphs.append(sheet.graph) }
      if configuration.histograms { graphs += stage.training[firstIndex].map(\.gradientGraph) }
      return graphs
    }
    var compiled = try session.compile(graphs)[...]
    var parameters: [Parameter] = []
    for graph in built.flatMap({ $0.training.flatMap(\.self) }) {
      for parameter in graph.parameters
      where !parameters.contains(where: { $0.name == parameter.name }) {
        parameters.append(parameter)
      }
    }
    try frozen.check(parameters)
    var endEpoch = 0
    let result = zip(stages, built).map { stage, built in
      endEpoch += stage.epochCount ?? 0
      let steps = zip(forms, built.training).map { form, passes in
        (form, passes.map { _ in compiled.removeFirst() })
      }
      let evaluations = evaluationSizes.map { ($0, compiled.removeFirst()) }
      return CompiledStage(
        objective: stage.objective, endEpoch: stage.epochCount == nil ? nil : endEpoch,
        steps: Dictionary(uniqueKeysWithValues: steps),
        metricNames: built.training[0].flatMap(\.metricNames),
        evaluator: Evaluator(
          executables: BatchExecutables(Dictionary(uniqueKeysWithValues: evaluations)),
          metricNames: built.evaluation[0].metricNames, classCount: model.classCount),
        sheet: built.sheet.map { SheetExecutable($0, compiled.removeFirst()) },
        firstGraphs: built.training[firstIndex],
        gradients: configuration.histograms
          ? built.training[firstIndex].map { _ in compiled.removeFirst() } : [])
    }
    return (result, parameters)
  }

  /// Whether data and epochs are what the objectives need.
  private func check(_ stages: [TrainingStage]) throws {
    let before = stages.compactMap(\.epochCount).reduce(0, +)
    guard configuration.epochs > before else {
      throw TernError(
        .usage,
        "epochs: \(model.name) is pre-trained for \(before) epochs; give more than that, got "
          + "\(configuration.epochs)")
    }
    try data.check(model)
    let classSettings = [
      ("class-weights", configuration.classWeights != nil),
      ("label-smoothing", configuration.labelSmoothing > 0),
    ]
    for (name, isGiven) in classSettings
    where isGiven && !stages.contains(where: { $0.objective is Classification }) {
      throw TernError(.usage, "\(name): it is for classifiers, which \(model.name) is not")
    }
    guard
      try Augmentation(configuration.augment).mixup == nil
        || stages.allSatisfy({ $0.objective is Classification })
    else {
      throw TernError(.usage, "augment: mixup is for classifiers, which \(model.name) is not")
    }
    for needed in stages.compactMap(\.objective.requiredNormalization) {
      let wanted = try Normalization(needed, statisticsOf: data.training)
      guard data.normalization == wanted else {
        throw TernError(.usage, "normalize: \(model.name) is trained with \(needed) only")
      }
    }
  }
}

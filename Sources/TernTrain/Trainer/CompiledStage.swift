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
  /// Whether the loss is summed with weights of its own, see ``TrainingGraph/weightSum``.
  let isWeighted: Bool
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
  private var plansOnly = false

  init(
    model: Model, configuration: TrainingConfiguration, data: TrainingData, batches: BatchSchedule
  ) {
    self.model = model
    self.configuration = configuration
    self.data = data
    self.batches = batches
  }

  /// Whether all graphs of a run fit a device; nothing is allocated.
  func fits(_ device: any Device) -> Bool {
    var trial = self
    trial.plansOnly = true
    return (try? trial.compile(in: Session(device: device))) != nil
  }

  /// - Returns: the stages, and every parameter and running statistic of the network.
  func compile(in session: Session) throws -> (stages: [CompiledStage], parameters: [Parameter]) {
    let update = try configuration.makeUpdate()
    let stages = try model.stages(configuration.makeObjectiveSettings(for: data.training))
    try check(stages)
    let frozen = FrozenParameters(configuration.freeze ?? "")
    let prefix = update.keepsAverage ? ParameterUpdate.averagePrefix : ""
    func evaluationSizes(_ objective: any Objective) -> [Int] {
      Set(
        [data.test, data.validation].compactMap(\.self).flatMap {
          BatchExecutables.sizes(
            sampleCount: $0.count,
            batchSize: objective.evaluationBatchSize(configuration.batchSize))
        }
      ).sorted(by: >)
    }
    // An update's last batch first: its graph has every variable, so it chooses their layouts.
    let forms = batches.forms.sorted { $0.position.isEnd && !$1.position.isEnd }

    let firstForm = batches.form(ofBatch: 0)
    let firstIndex = forms.firstIndex(of: firstForm) ?? 0
    func training(_ objective: any Objective, _ form: BatchSchedule.Form) throws -> [TrainingGraph]
    {
      try objective.passes.map {
        try TrainingGraph(
          model: model, objective: objective, pass: $0, batchSize: form.size, update: update,
          seed: configuration.seed, position: form.position, frozen: frozen)
      }
    }
    try checkLastBatches { form in for stage in stages { _ = try training(stage.objective, form) } }
    let built = try stages.map { stage in
      let objective = stage.objective
      return (
        training: try forms.map { try training(objective, $0) },
        evaluation: try evaluationSizes(objective).map {
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
    if plansOnly {
      try session.check(graphs)
      return ([], [])
    }
    var compiled = try session.compile(graphs)[...]
    var parameters: [Parameter] = []
    for graph in built.flatMap({ $0.training.flatMap(\.self) }) {
      for parameter in graph.parameters
      where !parameters.contains(where: { $0.name == parameter.name }) {
        parameters.append(parameter)
      }
    }
    if configuration.freeze != nil { try frozen.check(parameters) }
    var endEpoch = 0
    let result = zip(stages, built).map { stage, built in
      endEpoch += stage.epochCount ?? 0
      let steps = zip(forms, built.training).map { form, passes in
        (form, passes.map { _ in compiled.removeFirst() })
      }
      let evaluations = evaluationSizes(stage.objective).map { ($0, compiled.removeFirst()) }
      return CompiledStage(
        objective: stage.objective, endEpoch: stage.epochCount == nil ? nil : endEpoch,
        steps: Dictionary(uniqueKeysWithValues: steps),
        metricNames: built.training[0].flatMap(\.metricNames),
        isWeighted: built.training[0].contains(where: \.isWeighted),
        evaluator: Evaluator(
          executables: BatchExecutables(Dictionary(uniqueKeysWithValues: evaluations)),
          batchSize: stage.objective.evaluationBatchSize(configuration.batchSize),
          metricNames: built.evaluation[0].metricNames, isWeighted: built.evaluation[0].isWeighted,
          classCount: model.classCount),
        sheet: built.sheet.map { SheetExecutable($0, compiled.removeFirst()) },
        firstGraphs: built.training[firstIndex],
        gradients: configuration.histograms
          ? built.training[firstIndex].map { _ in compiled.removeFirst() } : [])
    }
    return (result, parameters)
  }

  /// Whether an epoch's last, smaller batch can be trained on, in every fold of a cross-validation: a
  /// batch of one sample has no variance that batch normalisation could divide by.
  ///
  /// - Parameter build: builds the graphs for a batch.
  /// - Throws: ``TernError`` that names the batch and sizes that do.
  private func checkLastBatches(_ build: (BatchSchedule.Form) throws -> Void) throws {
    let ownCount = data.training.count
    var counts: [(sampleCount: Int, name: String)] = [(ownCount, "the training set's")]
    if configuration.folds > 1, let held = data.validation?.count {
      counts = (0..<configuration.folds).map { fold in
        let all = ownCount + held
        let range = Subset.heldRange(ofFold: fold, of: configuration.folds, sampleCount: all)
        return (all - range.count, "fold \(fold + 1)'s")
      }
    }
    func rest(_ sampleCount: Int, _ batchSize: Int) -> Int {
      let rest = sampleCount % batchSize
      return rest == 0 ? min(batchSize, sampleCount) : rest
    }
    let batchSize = configuration.batchSize
    for (sampleCount, name) in counts where rest(sampleCount, batchSize) == 1 {
      do { try build(.init(size: 1, position: .only)) } catch {
        // A network that no batch fits has another fault.
        guard (try? build(.init(size: 2, position: .only))) != nil else { throw error }
        let others = (1..<max(sampleCount, 2)).lazy.flatMap { [batchSize + $0, batchSize - $0] }
          .filter { size in size > 1 && counts.allSatisfy { rest($0.sampleCount, size) > 1 } }
        let hint = others.first.map { "; --batch-size \($0) leaves none alone" } ?? ""
        throw TernError(
          .usage,
          "batch-size \(batchSize): the last batch of \(name) \(sampleCount) samples holds one "
            + "sample, which \(model.name) cannot train on (\(error))\(hint)")
      }
    }
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

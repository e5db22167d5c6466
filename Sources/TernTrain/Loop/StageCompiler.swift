import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// Builds the graphs of all stages and compiles them together, for their arenas share memory.
struct StageCompiler {
  let model: Model
  let stages: [TrainingStage]
  let options: TrainingLoop.Options
  let data: TrainingData
  private var plansOnly = false

  init(
    model: Model, stages: [TrainingStage], options: TrainingLoop.Options, data: TrainingData
  ) {
    self.model = model
    self.stages = stages
    self.options = options
    self.data = data
  }

  private var batches: BatchSchedule { options.batches(of: data.training.count) }

  /// Whether all graphs of a run fit a device; nothing is allocated.
  func fits(_ device: any Device) -> Bool {
    var trial = self
    trial.plansOnly = true
    return (try? trial.compile(in: Session(device: device, memoryLimit: options.memoryLimit)))
      != nil
  }

  /// - Returns: the stages, and every parameter and running statistic of the network.
  func compile(in session: Session) throws -> (stages: [CompiledStage], parameters: [Parameter]) {
    let update = options.update
    let frozen = options.frozen
    let prefix = update.keepsAverage ? ParameterUpdate.averagePrefix : ""
    let pixels = (
      training: data.trainingPixels(options), evaluation: data.evaluationPixels(options)
    )
    func evaluationSizes(_ objective: any Objective) -> [Int] {
      Set(
        [data.test, data.validation].compactMap(\.self).flatMap {
          BatchExecutables.sizes(
            sampleCount: $0.count,
            batchSize: objective.evaluationBatchSize(options.batchSize))
        }
      ).sorted(by: >)
    }
    let batches = batches
    // An update's last batch first: its graph has every variable, so it chooses their layouts. The update of
    // sums that others have computed too has no layers to choose for.
    let forms = batches.forms.sorted { $0.order < $1.order }

    let firstForm = batches.form(ofBatch: batches.ownBatches(from: 0).first ?? 0)
    let firstIndex = forms.firstIndex(of: firstForm) ?? 0
    func training(_ objective: any Objective, _ form: BatchSchedule.Form) throws -> [TrainingGraph]
    {
      try objective.passes.map {
        try TrainingGraph(
          model: model, objective: objective, pass: $0, batchSize: form.size, update: update,
          seed: options.seed, position: form.position, averagesStatistics: options.shards > 1,
          frozen: frozen, exchange: options.statisticsExchange,
          bucketByteCount: options.bucketByteCount,
          scalesLoss: options.scalesLoss ?? session.device.precision.scalesLoss,
          pixels: pixels.training)
      }
    }
    try checkLastBatches { form in for stage in stages { _ = try training(stage.objective, form) } }
    let built = try stages.map { stage in
      let objective = stage.objective
      return (
        training: try forms.map { try training(objective, $0) },
        evaluation: try evaluationSizes(objective).map {
          try EvaluationGraph(
            model: model, batchSize: $0, objective: objective, seed: options.seed,
            variablePrefix: prefix, pixels: pixels.evaluation)
        },
        sheet: try SheetGraph(
          model: model, objective: objective, seed: options.seed, variablePrefix: prefix,
          availableCount: data.test.count)
      )
    }
    let graphs = built.flatMap { stage in
      var graphs = stage.training.flatMap { $0.map(\.graph) } + stage.evaluation.map(\.graph)
      if let sheet = stage.sheet { graphs.append(sheet.graph) }
      if options.keepsGradients { graphs += stage.training[firstIndex].map(\.gradientGraph) }
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
    if !frozen.names.isEmpty { try frozen.check(parameters) }
    try ParameterGroup.check(
      update.groups, parameters: parameters.filter(\.isTrainable).map(\.name))
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
          batchSize: stage.objective.evaluationBatchSize(options.batchSize),
          metricNames: built.evaluation[0].metricNames, isWeighted: built.evaluation[0].isWeighted,
          outputMetrics: stage.objective.outputMetrics(
            classCount: model.classCount, targetScale: data.targetScale),
          readsBytes: pixels.evaluation != nil),
        sheet: built.sheet.map { SheetExecutable($0, compiled.removeFirst()) },
        firstGraphs: built.training[firstIndex],
        gradients: options.keepsGradients
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
    if options.folds > 1, let held = data.validation?.count {
      counts = (0..<options.folds).map { fold in
        let all = ownCount + held
        let range = Subset.heldRange(ofFold: fold, of: options.folds, sampleCount: all)
        return (all - range.count, "fold \(fold + 1)'s")
      }
    }
    func rest(_ sampleCount: Int, _ batchSize: Int) -> Int {
      let rest = sampleCount % batchSize
      return rest == 0 ? min(batchSize, sampleCount) : rest
    }
    let batchSize = options.shardSize
    for (sampleCount, name) in counts where rest(sampleCount, batchSize) == 1 {
      do { try build(.init(size: 1, position: .only)) } catch {
        // A network that no batch fits has another fault.
        guard (try? build(.init(size: 2, position: .only))) != nil else { throw error }
        let others = (1..<max(sampleCount, 2)).lazy.flatMap { [batchSize + $0, batchSize - $0] }
          .filter { size in size > 1 && counts.allSatisfy { rest($0.sampleCount, size) > 1 } }
        let hint = others.first.map { "; \(options.batchSizeWords($0)) leaves none alone" } ?? ""
        throw TernError(
          .usage,
          "batch-size \(batchSize): the last batch of \(name) \(sampleCount) samples holds one "
            + "sample, which \(model.name) cannot train on (\(error))\(hint)")
      }
    }
  }
}

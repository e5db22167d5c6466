import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim

/// One training step as a graph: forward, loss, backward and the update of the parameters. An
/// objective with several passes has one such graph for each.
///
/// Inputs: the network's own, such as `images` [N, C, H, W], and `targets`, where the loss reads them,
/// `partner_targets` and `mix` [] where samples are mixed of two, `step` [], `batch` [] (what
/// random numbers are drawn from, where it is not the step), and where the parameters are updated
/// `learning_rate` []. The loss is an output. It and the objective's metrics are also summed on the
/// device, each times what it is the mean over, so that an epoch's means need no reading per step.
public struct TrainingGraph {
  /// The output that holds the loss of the batch.
  public static let lossOutput = "loss"
  /// What the names of the variables start with that sum a metric, times what it is the mean over.
  public static let metricPrefix = "metrics."
  /// The variable that sums what the loss is the mean over, where that is not the samples.
  public static let weightSum = metricPrefix + "weight"

  /// The step as nodes.
  public let graph: Graph
  /// The parameters and running statistics that the graph reads, in the order of the layers.
  public let parameters: [Parameter]
  /// The gradients of the loss, by the names of their parameters.
  private let gradients: [(name: String, value: ValueID)]
  /// The names of the metrics that are summed; the loss of the first pass among them.
  public let metricNames: [String]
  /// Whether the loss is not the mean over the samples, but over ``weightSum``.
  let isWeighted: Bool

  /// How many bytes the sums of a batch that are handed over have each by default.
  public static let usualBucketByteCount = 4 << 20

  /// The number of the batch in the run, counted from 1: read in place of the step number where an
  /// update has several batches.
  public static let batchInput = "batch"

  /// A classifier's step.
  ///
  /// - Parameter targetType: the type of the targets, where they are not class numbers.
  public init(
    model: Model, batchSize: Int, update: ParameterUpdate, seed: UInt64,
    loss: LossFunction = LossFunction(), targetType: TensorType? = nil,
    position: BatchPosition = .only
  ) throws {
    try self.init(
      model: model, objective: Classification(loss, targetType: targetType), pass: .only,
      batchSize: batchSize, update: update, seed: seed, position: position)
  }

  /// - Parameters:
  ///   - position: where the batch stands among those of one update.
  ///   - averagesStatistics: whether the batches of an update start from the same running statistics, and leave
  ///     their mean; each goes on from those of the batch before where not.
  ///   - frozen: the parameters that the step leaves as they are.
  ///   - exchange: adds up the statistics of batch norm over the members that compute a batch together; `nil` where
  ///     those of what is computed here count.
  ///   - bucketByteCount: how many bytes the sums of a batch that are handed over may have each.
  ///   - scalesLoss: whether the loss is multiplied so that small gradients are numbers of float16; see
  ///     Micikevicius et al., "Mixed precision training", 2018.
  ///   - pixels: what the bytes of its pictures stand for, where a batch has bytes.
  public init(
    model: Model, objective: any Objective, pass: TrainingPass, batchSize: Int,
    update: ParameterUpdate, seed: UInt64, position: BatchPosition = .only,
    averagesStatistics: Bool = false, frozen: FrozenParameters = FrozenParameters(""),
    exchange: (any SumExchange)? = nil, bucketByteCount: Int = TrainingGraph.usualBucketByteCount,
    scalesLoss: Bool = false, pixels: PixelTable? = nil
  ) throws {
    let builder = GraphBuilder()
    let samples = SampleInputs(builder, model: model, batchSize: batchSize, pixels: pixels)
    let step = try builder.input(Optimizer.stepInput, TensorType([], .int32))
    let batch =
      position == .only ? step : try builder.input(Self.batchInput, TensorType([], .int32))
    let context = LayerContext(
      builder: builder, mode: .training, seed: seed, step: batch, isFrozen: frozen.contains)
    context.statisticsExchange = exchange
    let terms = try objective.loss(of: pass, model, on: samples, in: context)
    let isFirst = pass == objective.passes[0]
    let metrics = (isFirst ? [(Self.lossOutput, terms.loss)] : []) + terms.metrics
    metricNames = metrics.map(\.0)
    isWeighted = terms.weight != nil && isFirst
    var measured = try Self.sums(metrics, terms.weight, batchSize: batchSize, in: builder)
    if position == .only { try Self.add(measured, in: builder) }

    let owned = context.parameters.filter { $0.name.hasPrefix(pass.parameterPrefix) }
    let trainable = owned.filter { $0.isTrainable && !frozen.contains($0.name) }
    let areGradientsSums =
      exchange != nil
      || BatchSums.takesGradientsOfSums(
        position, batchSize: batchSize, isWeighted: terms.weight != nil, scalesLoss: scalesLoss)
    let differentiated =
      areGradientsSums
      ? try terms.weight.map { try terms.loss * $0 } ?? terms.loss.affine(scale: Float(batchSize))
      : terms.loss
    let scaling = scalesLoss && !trainable.isEmpty ? try LossScaling(builder) : nil
    let gradients = try builder.gradients(
      of: scaling?.scaled(differentiated) ?? differentiated, withRespectTo: trainable.map(\.tensor))
    guard !trainable.isEmpty || !owned.contains(where: \.isTrainable) else {
      throw TernError(.usage, "freeze: nothing is left to train")
    }
    let gradientsEnd = builder.graph.nodes.count
    var updates: [ParameterUpdate.Update] = []
    for (parameter, gradient) in zip(trainable, gradients) {
      guard let gradient else {
        throw TernError(.badData, "no gradient reaches parameter \(parameter.name)")
      }
      updates.append((parameter.tensor, try scaling?.unscaled(gradient) ?? gradient))
    }
    // Whoever looks inside sees those of the mean.
    let meanScale = areGradientsSums && exchange == nil ? 1 / Float(batchSize) : nil
    self.gradients = try updates.map { parameter, gradient in
      (
        builder.graph[parameter.id].name,
        try meanScale.map { try gradient.affine(scale: $0) }?.id ?? gradient.id
      )
    }
    updates = try update.moving(updates)
    parameters = context.parameters
    var loss = terms.loss
    if position != .only {
      let statistics =
        averagesStatistics ? Self.takingStatistics(of: owned, in: builder) : []
      if averagesStatistics {
        try Self.checkShards(model, objective, learns: !trainable.isEmpty, builder.graph)
      }
      let sums = BatchSums(
        gradients: updates, areGradientsSums: areGradientsSums, measured: measured,
        statistics: statistics, weight: terms.weight, bucketByteCount: bucketByteCount,
        isElementwise: update.isElementwise && scaling == nil)
      guard let total = try sums.append(position, batchSize: batchSize, in: builder) else {
        builder.output(Self.lossOutput, terms.loss)
        // Sums that are handed over go on their way while other gradients are computed.
        graph =
          position.result == .handedOver
          ? builder.graph.runningAtOnce(from: gradientsEnd) : builder.graph
        return
      }
      (updates, measured) = (total.gradients, total.measured)
      for (statistic, value) in total.statistics { builder.assign(statistic, value) }
      try Self.add(measured, in: builder)
      if isFirst { loss = try measured[0].value * total.scale }
    }
    builder.output(Self.lossOutput, loss)
    try update.append(
      updates, parameters: owned, scaling: scaling, in: builder,
      learningRate: try builder.input(Optimizer.learningRateInput, []), step: step)
    graph = builder.graph
  }

  /// What is measured of a batch as sums: each mean times what it is the mean over.
  private static func sums(
    _ metrics: [(String, Tensor)], _ weight: Tensor?, batchSize: Int, in builder: GraphBuilder
  ) throws -> [BatchSums.Item] {
    try builder.scope("metrics") {
      var sums: [BatchSums.Item] = []
      for (name, value) in metrics {
        if name == lossOutput, let weight {
          sums.append((metricPrefix + name, try value * weight))
          sums.append((weightSum, weight))
        } else {
          sums.append((metricPrefix + name, try value.affine(scale: Float(batchSize))))
        }
      }
      return sums
    }
  }

  /// Adds what was measured to the sums of the epoch.
  private static func add(_ measured: [BatchSums.Item], in builder: GraphBuilder) throws {
    try builder.scope("metrics") {
      for (name, value) in measured {
        let sum = try builder.variable(name, [])
        builder.assign(sum, try sum + value)
      }
    }
  }

  /// - Throws: ``TernError`` of kind `usage` where the shards of a batch cannot be computed one by one.
  private static func checkShards(
    _ model: Model, _ objective: any Objective, learns: Bool, _ graph: Graph
  ) throws {
    let reason =
      objective.passes.count > 1
      ? "trains its parts in turn"
      : !learns
        ? "learns without gradients"
        : !graph.assignments.isEmpty ? "keeps a state of its own from batch to batch" : nil
    if let reason { throw TernError(.usage, "shards: \(model.name) \(reason); give 1") }
  }

  /// Takes back what a batch would make of running statistics.
  private static func takingStatistics(of parameters: [Parameter], in builder: GraphBuilder)
    -> [ParameterUpdate.Update]
  {
    parameters.filter { !$0.isTrainable }.compactMap { parameter in
      builder.removeAssignment(of: parameter.tensor).map { (parameter.tensor, $0) }
    }
  }

  /// All graphs that a step of a network's training runs, stage by stage; none where nothing is learnt.
  public static func all(
    of model: Model, batchSize: Int, update: ParameterUpdate, seed: UInt64 = 0
  ) throws -> [TrainingGraph] {
    if model.task == .logic { return [] }
    return try model.stages().flatMap { stage in
      try stage.objective.passes.map {
        try TrainingGraph(
          model: model, objective: stage.objective, pass: $0, batchSize: batchSize, update: update,
          seed: seed)
      }
    }
  }
}

// MARK: - Looking inside

extension TrainingGraph {
  /// The gradients alone, as outputs by the names of their parameters; a step changes nothing.
  var gradientGraph: Graph {
    var result = graph
    result.assignments = []
    result.outputs = gradients.map { ($0.name, $0.value) }
    return result
  }

  /// The loss, and the sum of the squares of all gradients as `gradient_square`; a step changes
  /// nothing.
  func probeGraph() throws -> Graph {
    let builder = GraphBuilder(graph)
    let squares = try gradients.map { try builder.tensor($0.value).square().sum() }
    let sum = try squares.dropFirst().reduce(squares[0]) { try $0 + $1 }
    var result = builder.graph
    result.assignments = []
    result.outputs = [
      (Self.lossOutput, graph.output(named: Self.lossOutput)!), (Self.gradientSquareOutput, sum.id),
    ]
    return result
  }

  static let gradientSquareOutput = "gradient_square"

  /// Every value before the update, in the order of computation, and how a message names it; a step
  /// changes nothing.
  var inspectionGraph: (graph: Graph, names: [String]) {
    let parameterOf = Dictionary(gradients.map { ($0.value, $0.name) }) { first, _ in first }
    var result = graph
    result.assignments = []
    result.outputs = []
    var names: [String] = []
    for node in graph.nodes where !(node.operation is Operations.OptimizerUpdate) {
      for id in node.outputs where graph.type(id).dataType == .float32 {
        result.outputs.append(("\(names.count)", id))
        names.append(
          parameterOf[id].map { "the gradient of \($0)" } ?? "the result of \(node.label)")
      }
    }
    return (result, names)
  }
}

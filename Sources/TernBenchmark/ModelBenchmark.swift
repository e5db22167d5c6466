import Tern
import TernRuntime

/// Times whole training steps of a network on synthetic data: upload, forward, backward, update.
package struct ModelBenchmark {
  package struct Result: Sendable {
    package let name: String
    package let batchSize: Int
    /// The time of whole steps.
    package let timing: StepTimer.Timing
    package let planByteCount: Int
    /// What is computed again, in words; `nil` where all is kept.
    package let recomputation: String?
    package let peakRSSByteCount: Int
    /// From the start of planning to the end of the first step: compiling and choosing included, in
    /// seconds.
    package let setupSeconds: Double
    /// What a step hands to the device, and what the device merged.
    package let plan: PlanSummary
    /// The time of a step that the host spends outside nodes, in seconds: starting the work where a
    /// device works by itself, else what is left of a step without its nodes.
    package let hostOverheadSeconds: Double
    /// What the device reaches at best, measured after the steps; `nil` where it was not asked for.
    package let peak: DevicePeak?
    /// The nodes by operation; empty without a peak.
    package let operations: [Executable.OperationProfile]
    /// Every node of a step, in Chrome's trace format; empty without a peak.
    package let trace: [JSON]

    package var imagesPerSecond: Double { Double(batchSize) / timing.median }
  }

  package let model: Model
  package let batchSize: Int
  /// The bytes that a step may take, where that is less than the device has.
  package let memoryLimit: Int?
  /// What becomes of the gradients.
  package let update: ParameterUpdate

  package init(
    model: Model, batchSize: Int, memoryLimit: Int? = nil, update: ParameterUpdate = .benchmarked
  ) {
    self.model = model
    self.batchSize = batchSize
    self.memoryLimit = memoryLimit
    self.update = update
  }

  /// - Parameters:
  ///   - seconds: how long to measure, after a warm-up.
  ///   - measuresNodes: whether nodes are to be held against what the device reaches at best.
  package func run(
    on device: any Device, seconds: Double = 3, measuresNodes: Bool = false
  ) throws -> Result {
    let clock = ContinuousClock()
    let start = clock.now
    let objective = try model.objective()
    let graphs = try objective.passes.map {
      try TrainingGraph(
        model: model, objective: objective, pass: $0, batchSize: batchSize,
        update: update, seed: 0, scalesLoss: device.precision.scalesLoss)
    }
    let session = Session(device: device, memoryLimit: memoryLimit)
    let passes = try session.compile(graphs.map(\.graph))
    for parameter in graphs.flatMap(\.parameters).largestFirst {
      let value = parameter.initializer.value(parameter.shape, name: parameter.name, seed: 0)
      try session.write([parameter.name: value])
    }
    let generator = Philox(seed: 0, stream: .data)
    let fields = Set(model.inputs.map(\.name) + [Field.targetsName])
    func syntheticInputs(_ executable: Executable) -> [(Int, HostTensor)] {
      executable.plan.graph.inputs.enumerated().compactMap { index, id in
        let info = executable.plan.graph[id]
        let (shape, count) = (info.type.shape, info.type.elementCount)
        guard fields.contains(info.name) else { return nil }
        switch (info.type.dataType, info.name) {
        case (.float32, _), (.float16, _), (.bfloat16, _):
          return (index, HostTensor(shape, generator.normals(count)).cast(to: info.type.dataType))
        case (.uint8, _):
          let values = generator.uniforms(count, 1).map { UInt8($0 * 255) }
          return (index, HostTensor(shape, values))
        case (.int32, Field.targetsName):
          let classes = generator.uniforms(count, 1).map { Int32($0 * Float(model.classCount)) }
          return (index, HostTensor(shape, classes))
        // Every table has a first row.
        case (.int32, _): return (index, HostTensor(shape, [Int32](repeating: 0, count: count)))
        }
      }
    }
    let inputs = passes.map(syntheticInputs)

    func step() throws {
      for (executable, inputs) in zip(passes, inputs) {
        for (index, value) in inputs { try executable.upload(value, toInput: index) }
        // So small that nothing diverges, however long it runs.
        try executable.uploadIfRead(Float(1e-6), toInput: Optimizer.learningRateInput)
        try executable.uploadIfRead(Int32(1), toInput: Optimizer.stepInput)
        try executable.uploadIfRead(Float(1e-3), toInput: ParameterUpdate.averageRateInput)
        try executable.step()
      }
    }
    try step()
    try session.synchronize()
    let setupSeconds = (clock.now - start) / .seconds(1)
    let timing = try StepTimer(seconds: seconds, groupSeconds: 0.05)
      .measure(step, synchronize: session.synchronize)
    // The least of several: nodes by themselves are short.
    var profiles: [[Double]] = []
    var nodeSeconds = Double.infinity
    var (attempts, spent) = (0, 0.0)
    while attempts < 5 || spent < 0.5 && attempts < 1000 {
      let attempt = try passes.map { try $0.profile() }
      let seconds = Self.sum(attempt)
      (attempts, spent) = (attempts + 1, spent + seconds)
      if seconds < nodeSeconds { (profiles, nodeSeconds) = (attempt, seconds) }
    }
    var operations: [Executable.OperationProfile] = []
    var trace: [JSON] = []
    let peakRSSByteCount = Trainer.peakRSSByteCount
    let peak = measuresNodes ? try device.measurePeak() : nil
    if let peak {
      let pairs = zip(passes, profiles).map { (executable: $0.0, seconds: $0.1) }
      operations = Executable.byOperation(pairs, peak: peak)
      trace = Self.trace(passes, profiles, peak)
    }
    // The least step beside the least nodes: a median step has the neighbours' share in it.
    let overhead =
      device.isAsynchronous
      ? try startingSeconds(step, session) : max(0, timing.samples[0] - nodeSeconds)
    return Result(
      name: update.benchmarkName(of: model), batchSize: batchSize, timing: timing,
      planByteCount: passes.map(\.plan.peakByteCount).max() ?? 0,
      recomputation: passes.lazy.compactMap(\.plan.recomputation?.description).first,
      peakRSSByteCount: peakRSSByteCount, setupSeconds: setupSeconds,
      plan: PlanSummary(
        graphs.map(\.graph), passes.map(\.plan),
        launchCount: passes.reduce(0) { $0 + $1.launchCount }), hostOverheadSeconds: overhead,
      peak: peak, operations: operations, trace: trace)
  }

  private static func sum(_ profiles: [[Double]]) -> Double {
    profiles.reduce(0.0) { $0 + $1.reduce(0, +) }
  }

  /// The time until a step has been handed over, in seconds; the median of several.
  private func startingSeconds(_ step: () throws -> Void, _ session: Session) throws -> Double {
    var samples: [Double] = []
    for _ in 0..<21 {
      try session.synchronize()
      samples.append(try StepTimer.each(1, step).least)
    }
    try session.synchronize()
    return StepTimer.Timing(samples: samples, iterations: samples.count).median
  }

  /// The passes of a step one after the other.
  private static func trace(
    _ passes: [Executable], _ profiles: [[Double]], _ peak: DevicePeak
  ) -> [JSON] {
    var start = 0.0
    var events: [JSON] = []
    for (executable, seconds) in zip(passes, profiles) {
      events += executable.traceEvents(seconds, peak: peak, start: start)
      start += seconds.reduce(0, +)
    }
    return events
  }
}

extension ParameterUpdate {
  /// As steps are measured where nothing else is asked for.
  package static var benchmarked: ParameterUpdate { ParameterUpdate(.sgd(momentum: 0.9)) }

  /// A network's name, and behind it what is done otherwise than in other measurements.
  package func benchmarkName(of model: Model) -> String {
    let differences = [
      optimizer == Self.benchmarked.optimizer ? nil : optimizer.name,
      clipNorm.map { "clip-grad \($0)" }, keepsAverage ? "ema" : nil,
    ].compactMap(\.self)
    return model.name + (differences.isEmpty ? "" : " (\(differences.joined(separator: ", ")))")
  }
}

import TernCore
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// Times whole training steps of a network on synthetic data: upload, forward, backward, update.
public struct ModelBenchmark {
  public struct Result: Sendable {
    public let name: String
    public let batchSize: Int
    /// Per step, ascending, in seconds.
    public let stepSeconds: [Double]
    public let planByteCount: Int
    public let peakRSSByteCount: Int
    /// The part of a step that is not spent in nodes, in seconds.
    public let hostOverheadSeconds: Double

    public var medianSeconds: Double { stepSeconds[stepSeconds.count / 2] }
    public var imagesPerSecond: Double { Double(batchSize) / medianSeconds }
    /// The time that 95 of 100 steps stay below.
    public var percentile95Seconds: Double {
      stepSeconds[min(stepSeconds.count - 1, stepSeconds.count * 95 / 100)]
    }
  }

  public let model: Model
  public let batchSize: Int

  public init(model: Model, batchSize: Int) {
    self.model = model
    self.batchSize = batchSize
  }

  /// Steps are timed in groups of at least this many seconds, and the work is waited for once per
  /// group: a step by itself would measure the waiting.
  private static let groupSeconds = 0.05

  /// - Parameter seconds: how long to measure, after a warm-up.
  public func run(on device: any Device, seconds: Double = 3) throws -> Result {
    let objective = try model.objective()
    let graphs = try objective.passes.map {
      try TrainingGraph(
        model: model, objective: objective, pass: $0, batchSize: batchSize,
        update: .init(.sgd(momentum: 0.9)), seed: 0)
    }
    let session = Session(device: device)
    let passes = try session.compile(graphs.map(\.graph))
    for parameter in graphs.flatMap(\.parameters).largestFirst {
      let value = parameter.initializer.value(parameter.shape, name: parameter.name, seed: 0)
      try session.write([parameter.name: value])
    }
    let generator = Philox(seed: 0, stream: .data)
    func syntheticInputs(_ executable: Executable) -> [(Int, HostTensor)] {
      executable.plan.graph.inputs.enumerated().compactMap { index, id in
        let info = executable.plan.graph[id]
        let (shape, count) = (info.type.shape, info.type.elementCount)
        return switch info.name {
        case TrainingGraph.imagesInput: (index, HostTensor(shape, generator.normals(count)))
        case TrainingGraph.targetsInput:
          (
            index,
            HostTensor(
              shape, generator.uniforms(count, 1).map { Int32($0 * Float(model.classCount)) })
          )
        default: nil
        }
      }
    }
    let inputs = passes.map(syntheticInputs)

    func step() throws {
      for (executable, inputs) in zip(passes, inputs) {
        for (index, value) in inputs { try executable.upload(value, toInput: index) }
        // So small that nothing diverges, however long it runs.
        try executable.upload(Float(1e-6), toInput: Optimizer.learningRateInput)
        try executable.upload(Int32(1), toInput: Optimizer.stepInput)
        try executable.step()
      }
    }
    let clock = ContinuousClock()
    func time(_ count: Int) throws -> Double {
      let start = clock.now
      for _ in 0..<count { try step() }
      try session.synchronize()
      return (clock.now - start) / .seconds(1)
    }
    _ = try time(2)
    let groupSize = max(1, Int((Self.groupSeconds / (try time(1))).rounded(.up)))
    _ = try time(groupSize)

    var steps: [Double] = []
    let start = clock.now
    while (clock.now - start) / .seconds(1) < seconds || steps.count < 5 {
      steps.append(try time(groupSize) / Double(groupSize))
    }
    steps.sort()
    let nodeSeconds = try (0..<5).map { _ in
      try passes.reduce(0) { try $0 + $1.profile().reduce(0, +) }
    }.min()!
    return Result(
      name: model.name, batchSize: batchSize, stepSeconds: steps,
      planByteCount: passes.map(\.plan.peakByteCount).max() ?? 0,
      peakRSSByteCount: Trainer.peakRSSByteCount,
      hostOverheadSeconds: max(0, steps[steps.count / 2] - nodeSeconds))
  }
}

import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

/// Linear classification of eight points with the squared hinge loss, from w = 0: the results were
/// worked out independently.
@Suite struct OptimizerUpdateTests {
  /// A row per sample.
  let points: [[Float]] = [
    [-0.5, 0.25, -0.8, -1], [-1, -0.1, -0.1, -1], [0.5, 0, 0.25, 0.1], [-0.2, -0.3, 0.2, 0],
    [-0.8, 0, -0.8, -1], [-0.15, -0.5, 0.05, -0.25], [-1, 0, -1, -1], [0, -0.25, 0.25, 0.1],
  ]
  let labels: [Float] = [1, 1, -1, -1, 1, -1, 1, -1]

  /// The weights after some steps on all samples at once, or on one after the other.
  private func train(
    _ rule: OptimizerUpdate.Rule, learningRate: Float, steps: Int, samplesPerStep: Int
  ) throws -> [Float] {
    let builder = GraphBuilder()
    let x = try builder.input("x", [samplesPerStep, 4])
    let y = try builder.input("y", [samplesPerStep, 1])
    let step = try builder.input("step", TensorType([], .int32))
    let w = try builder.variable("w", [1, 4])
    let loss = try x.linear(weight: w).squaredHingeLoss(y)
    let update = OptimizerUpdate(rule)
    let state = try update.stateNames.map { try builder.variable($0, [1, 4]) }
    let updated = try builder.apply(
      update,
      [w, gradient(of: loss, withRespectTo: w), builder.constant(learningRate), step] + state)
    for (variable, value) in zip([w] + state, updated) { builder.assign(variable, value) }

    let session = Session(device: ReferenceDevice())
    let executable = try session.compile(builder.graph)
    for k in 0..<steps {
      let samples = (0..<samplesPerStep).map { (k * samplesPerStep + $0) % points.count }
      _ = try executable.run([
        "x": HostTensor([samplesPerStep, 4], samples.flatMap { points[$0] }),
        "y": HostTensor([samplesPerStep, 1], samples.map { labels[$0] }),
        "step": HostTensor([], [Int32(k + 1)]),
      ])
    }
    return try session.read("w").floats
  }

  @Test func gradientDescent() throws {
    let w = try train(
      .sgd(momentum: 0, isNesterov: false, weightDecay: 0), learningRate: 0.5, steps: 25,
      samplesPerStep: 8)
    #expect(areClose(w, [-0.52732, 1.21960, -1.04707, -0.44505], tolerance: 1e-5))
  }

  @Test func stochasticGradientDescent() throws {
    let w = try train(
      .sgd(momentum: 0, isNesterov: false, weightDecay: 0), learningRate: 0.1, steps: 80,
      samplesPerStep: 1)
    #expect(areClose(w, [-0.46886, 0.88978, -0.79942, -0.44879], tolerance: 1e-5))
  }

  @Test func classicalMomentum() throws {
    let w = try train(
      .sgd(momentum: 0.5, isNesterov: false, weightDecay: 0), learningRate: 0.5, steps: 25,
      samplesPerStep: 8)
    #expect(areClose(w, [-0.59835, 1.82855, -1.55736, -0.50198], tolerance: 1e-5))
  }

  @Test func adagrad() throws {
    let w = try train(
      .adagrad(epsilon: 1e-6, weightDecay: 0), learningRate: 0.1, steps: 80, samplesPerStep: 1)
    #expect(areClose(w, [-0.47770, 0.84910, -0.72154, -0.38020], tolerance: 1e-5))
  }

  /// The first step of Adam is η in the direction of the gradient's sign, whatever its size.
  @Test func adamStartsWithTheSignOfTheGradient() throws {
    let w = try train(
      .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: 0, isDecoupled: false),
      learningRate: 0.1, steps: 1, samplesPerStep: 8)
    #expect(areClose(w, [-0.1, 0.1, -0.1, -0.1], tolerance: 1e-6))
  }
}

import TernCore
import TernGraph
import TernRuntime
import TernTestSupport
import Testing

@Suite struct FusionTests {
  @Test func reluRunsAfterMaxPooling() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, 3, 6, 8])
    let y = try x.relu().maxPool2d(PoolingWindow(kernel: [2, 2]))
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x])
    #expect(
      try experiment.operations(on: "cpu") == [
        "max_pool2d", "relu", "relu_backward", "max_pool2d_backward",
      ])
    try experiment.expectAgreement(tolerance: 0)
  }

  @Test func reluStaysWhereItsOutputIsRead() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, 3, 6, 8])
    let rectified = try x.relu()
    let y = try rectified.maxPool2d(PoolingWindow(kernel: [2, 2]))
    experiment.builder.output("y", y)
    experiment.builder.output("rectified", rectified)
    try experiment.differentiate(y, by: ["x": x])
    #expect(try experiment.operations(on: "cpu").first == "relu")
    try experiment.expectAgreement(tolerance: 0)
  }

  @Test func reluJoinsTheOperationBefore() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, 16, 6, 6])
    let w = try experiment.input("w", [16, 16, 3, 3])
    let weight = try experiment.input("weight", [16])
    let bias = try experiment.input("bias", [16])
    let convolved = try x.conv2d(weight: w, padding: [1, 1]).relu()
    let normalized = try convolved.batchNormTraining(
      runningMean: nil, runningVariance: nil, weight: weight, bias: bias
    ).output.relu()
    let y = try (normalized + convolved).relu()
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x, "w": w, "weight": weight, "bias": bias])
    let operations = try experiment.operations(on: "cpu")
    for name in [
      "conv2d_relu", "batch_norm_relu", "add_relu", "batch_norm_backward_relu",
      "add_relu_backward",
    ] {
      #expect(operations.contains(name), "\(name)")
    }
    #expect(!operations.contains("relu"))
    try experiment.expectAgreement(tolerance: 1e-4)
  }

  @Test func crossEntropyIsOneTraversal() throws {
    for (reduction, smoothing) in [(LossReduction.mean, Float(0)), (.sum, 0.1), (.none, 0)] {
      var experiment = Experiment()
      let x = try experiment.input("x", [37, 11])
      // Every fourth target counts nothing.
      let classes = (0..<37).map { Int32($0 % 4 == 3 ? -100 : $0 % 11) }
      let target = try experiment.input("target", HostTensor([37], classes))
      let weight = try experiment.input("weight", [11])
      let loss = try x.crossEntropy(
        target, weight: weight, reduction: reduction, labelSmoothing: smoothing)
      experiment.builder.output("loss", loss)
      try experiment.differentiate(loss, by: ["x": x])
      #expect(try experiment.operations(on: "cpu") == ["cross_entropy", "cross_entropy_backward"])
      try experiment.expectAgreement()
    }
  }

  /// More elements than a block, and no multiple of one.
  @Test func elementwiseOperationsAreChained() throws {
    var experiment = Experiment()
    let (a, b) = (try experiment.input("a", [7, 331]), try experiment.input("b", [7, 331]))
    let y = try (a * b + a.square()).abs() - b
    experiment.builder.output("y", y)
    #expect(try experiment.operations(on: "cpu") == ["elementwise"])
    try experiment.differentiate(y, by: ["a": a, "b": b])
    try experiment.expectAgreement()
  }

  @Test func chainsEndWhereOthersRead() throws {
    var experiment = Experiment()
    let (a, b) = (try experiment.input("a", [3, 5]), try experiment.input("b", [3, 5]))
    let product = try a * b
    experiment.builder.output("product", product)
    experiment.builder.output("y", try product.square().affine(scale: 2, shift: 1))
    // A scalar has another shape.
    experiment.builder.output("z", try (a - b).tanh() * experiment.builder.constant(3))
    #expect(
      try experiment.operations(on: "cpu").sorted() == ["elementwise", "elementwise", "mul", "mul"])
    try experiment.expectAgreement()
  }

  /// A learning rate and the number of the step.
  private func clock(_ experiment: inout Experiment) throws -> [Tensor] {
    [
      try experiment.input("rate", HostTensor([], [Float(0.1)])),
      try experiment.input("step", HostTensor([], [Int32(3)])),
    ]
  }

  /// Adds the update of a new variable by a gradient.
  private func update(
    _ experiment: inout Experiment, _ name: String, _ gradient: Tensor,
    _ rule: Operations.OptimizerUpdate,
    _ clock: [Tensor]
  ) throws {
    let parameter = try experiment.variable(name, gradient.shape)
    let state = try rule.stateNames.map {
      try experiment.variable("\(name).\($0)", gradient.shape, scale: 0)
    }
    let results = try experiment.builder.apply(
      rule, [parameter, gradient] + clock + state)
    for (variable, result) in zip([parameter] + state, results) {
      experiment.builder.assign(variable, result)
    }
  }

  @Test func gradientOfALargeMatrixIsNeverStored() throws {
    var experiment = Experiment()
    // Larger than what the estimate takes for cached on any processor, and a number of rows that the tiles
    // do not divide.
    let rows = 2 * HostCache.secondLevelByteCount / 4 / 1021 + 101
    let a = try experiment.input("a", [5, rows])
    let b = try experiment.input("b", [5, 1021])
    let rule = Operations.OptimizerUpdate(.sgd(momentum: 0.9, isNesterov: true, weightDecay: 0.01))
    let clock = try clock(&experiment)
    try update(
      &experiment, "w",
      experiment.builder.apply(Operations.MatMul(transposesA: true), [a, b])[0], rule, clock)
    #expect(try experiment.operations(on: "cpu") == ["matmul_sgd"])
    try experiment.expectAgreement(steps: 2)
  }

  /// Rows that blocks do not divide; with two threads more than a block for each.
  @Test func gradientsAreScaledWhereTheyAreUsed() throws {
    for rule in [
      Operations.OptimizerUpdate.Rule.sgd(momentum: 0.9, isNesterov: false, weightDecay: 0.01),
      .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, isDecoupled: true),
    ] {
      var experiment = Experiment()
      let gradient = try experiment.input("gradient", [257, 301])
      let scale = try experiment.input("scale", HostTensor([], [Float(0.25)]))
      let clock = try clock(&experiment)
      let update = Operations.OptimizerUpdate(rule)
      try self.update(&experiment, "w", gradient * scale, update, clock)
      #expect(try experiment.operations(on: "cpu") == ["scaled_" + update.name])
      try experiment.expectAgreement(steps: 2)
      let device = try TestDevices.open("cpu")
      #expect(
        try experiment.run(on: device, steps: 2)
          == experiment.run(on: device, steps: 2, fuses: false))
    }
  }

  @Test func smallParametersAreUpdatedTogether() throws {
    for rule in [
      Operations.OptimizerUpdate.Rule.sgd(momentum: 0, isNesterov: false, weightDecay: 0),
      .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, isDecoupled: true),
    ] {
      var experiment = Experiment()
      let clock = try clock(&experiment)
      // Together enough for several threads.
      for (index, count) in [1, 17, 20_000, 300].enumerated() {
        let gradient = try experiment.input("g\(index)", [count])
        try update(&experiment, "p\(index)", gradient, Operations.OptimizerUpdate(rule), clock)
      }
      #expect(try experiment.operations(on: "cpu").count == 1)
      try experiment.expectAgreement(steps: 2)
    }
  }
}

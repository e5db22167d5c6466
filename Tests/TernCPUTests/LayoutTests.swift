import TernCore
import TernGraph
import TernRuntime
import TernTestSupport
import Testing

@Suite struct LayoutTests {
  /// One number per channel beside a tensor in blocks: what batch normalisation is in inference.
  @Test(arguments: [8, 16, 32]) func numbersPerChannelKeepBlocks(channels: Int) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [3, 16, 13, 11])
    let w = try experiment.input("w", [channels, 16, 3, 3])
    let convolved = try x.conv2d(weight: w, padding: [1, 1])
    let numbers = try (0..<4).map { try experiment.input("v\($0)", [channels]) }
    let normalized = try convolved.batchNormInference(
      runningMean: numbers[0], runningVariance: numbers[1].square(), weight: numbers[2],
      bias: numbers[3], epsilon: 1
    ).relu()
    let reversed = try numbers[3].reshape([1, channels, 1, 1]) - normalized
    experiment.builder.output(
      "y", try reversed.conv2d(weight: experiment.input("v", [4, channels, 1, 1])))
    let plan = try Session(device: cpu()).plan(experiment.builder.graph)
    let reorders = plan.order.filter { plan.graph.nodes[$0].operation is Operations.Reorder }
    // The images on their way in, the weights, and the result on its way out.
    #expect(reorders.count <= 4)
    try experiment.expectAgreement(tolerance: 1e-4)
  }

  /// A network with everything that carries layouts from node to node: shared parameters' layouts,
  /// a branch, normalisation, pooling, concatenation.
  static func network(
    channels: Int, rule: Operations.OptimizerUpdate.Rule, _ experiment: inout Experiment
  ) throws {
    let x = try experiment.input("x", [2, 3, 16, 16])
    var parameters: [Tensor] = []
    func parameter(_ name: String, _ shape: Shape, scale: Float) throws -> Tensor {
      let tensor = try experiment.variable(name, shape, scale: scale)
      parameters.append(tensor)
      return tensor
    }
    func convolution(_ name: String, _ x: Tensor, _ outputs: Int, stride: Int = 1) throws -> Tensor
    {
      let inputs = x.shape[1]
      let w = try parameter(
        name, [outputs, inputs, 3, 3], scale: 1 / Float(9 * inputs).squareRoot())
      return try x.conv2d(weight: w, stride: [stride, stride], padding: [1, 1])
    }
    func normalization(_ name: String, _ x: Tensor) throws -> Tensor {
      try x.batchNormTraining(
        runningMean: nil, runningVariance: nil,
        weight: parameter("\(name).weight", [x.shape[1]], scale: 1),
        bias: parameter("\(name).bias", [x.shape[1]], scale: 1)
      ).output
    }
    let stem = try normalization("bn0", convolution("conv0", x, channels)).relu()
      .maxPool2d(PoolingWindow(kernel: [3, 3], stride: [2, 2], padding: [1, 1]))
    let branch = try normalization("bn1", convolution("conv1", stem, channels)).relu()
    let sum = try (normalization("bn2", convolution("conv2", branch, channels)) + stem).relu()
    let joined = try Tensor.cat(
      [sum, convolution("conv3", sum, channels).relu()], dim: 1)
    let pooled = try convolution("conv4", joined, channels, stride: 2).relu()
      .maxPool2d(PoolingWindow(kernel: [2, 2])).adaptiveAvgPool2d(1, 1).flatten()
    let weight = try parameter("fc", [5, channels], scale: 0.5)
    let loss = try pooled.linear(weight: weight).square().mean()
    experiment.builder.output("loss", loss)
    let gradients = try experiment.builder.gradients(of: loss, withRespectTo: parameters)
    let rate = try experiment.input("rate", HostTensor([], [0.05] as [Float]))
    let step = try experiment.input("step", HostTensor([], [3] as [Int32]))
    let update = Operations.OptimizerUpdate(rule)
    for (parameter, gradient) in zip(parameters, gradients) {
      let name = experiment.builder.graph[parameter.id].name
      let state = try update.stateNames.map {
        try experiment.builder.variable("\($0).\(name)", parameter.type)
      }
      let updated = try experiment.builder.apply(
        update, [parameter, #require(gradient), rate, step] + state)
      for (variable, value) in zip([parameter] + state, updated) {
        experiment.builder.assign(variable, value)
      }
    }
  }

  @Test(arguments: [16, 24, 6]) func trainingAgreesWithTheReference(channels: Int) throws {
    var experiment = Experiment()
    try Self.network(
      channels: channels, rule: .sgd(momentum: 0.9, isNesterov: true, weightDecay: 0.01),
      &experiment)
    try experiment.expectAgreement(steps: 3, tolerance: 5e-4)
  }

  @Test(arguments: [
    Operations.OptimizerUpdate.Rule.adagrad(epsilon: 1e-10, weightDecay: 0),
    .rmsprop(alpha: 0.99, epsilon: 1e-8, momentum: 0.9, isCentered: true, weightDecay: 0),
    .adadelta(rho: 0.9, epsilon: 1e-6, weightDecay: 0.01), .momentumEMA(rho: 0.9),
  ]) func everyOptimizerLeavesPaddingAlone(rule: Operations.OptimizerUpdate.Rule) throws {
    var experiment = Experiment()
    try Self.network(channels: 24, rule: rule, &experiment)
    try experiment.expectAgreement(steps: 2, tolerance: 2e-3)
  }

  @Test func activationsAreNotReordered() throws {
    var experiment = Experiment()
    try Self.network(
      channels: 16, rule: .sgd(momentum: 0, isNesterov: false, weightDecay: 0), &experiment)
    let plan = try Session(device: cpu()).plan(experiment.builder.graph)
    let reordered = plan.graph.nodes.filter { $0.operation.name == "reorder" }
      .map { plan.graph.type($0.inputs[0]).shape }
    // Only weights, for the gradients of inputs.
    #expect(reordered.allSatisfy { Array($0.suffix(2)) == [3, 3] })
    #expect(reordered.count <= 4)
  }

  @Test func graphsOfOneSessionShareLayouts() throws {
    func graph(batch: Int) throws -> Graph {
      let builder = GraphBuilder()
      let x = try builder.input("x", [batch, 16, 8, 8])
      let w = try builder.variable("w", [32, 16, 3, 3])
      builder.output("y", try x.conv2d(weight: w, padding: [1, 1]))
      return builder.graph
    }
    let session = Session(device: try cpu())
    let executables = try session.compile([graph(batch: 4), graph(batch: 1)])
    let later = try session.compile(graph(batch: 2))
    let weights = Experiment.draw("w", [32, 16, 3, 3])
    try session.write(["w": weights])
    #expect(try session.read("w") == weights)
    let image = Experiment.draw("x", [1, 16, 8, 8])
    func result(_ executable: Executable, _ batch: Int) throws -> [Float] {
      let images = [[Float]](repeating: image.floats, count: batch).flatMap(\.self)
      let y = try executable.run(["x": HostTensor([batch, 16, 8, 8], images)])["y"]!
      return Array(y.floats.prefix(32 * 8 * 8))
    }
    let first = try result(executables[0], 4)
    for (executable, batch) in [(executables[1], 1), (later, 2)] {
      let other = try result(executable, batch)
      #expect(zip(first, other).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }
}

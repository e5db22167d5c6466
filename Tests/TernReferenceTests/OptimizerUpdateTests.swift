import TernCore
import TernGraph
import TernReference
import TernRuntime
import TernTestSupport
import Testing

@Suite struct OptimizerUpdateTests {
  /// What a parameter that starts at 0 holds after each step with the same gradient.
  private func train(
    _ rule: Operations.OptimizerUpdate.Rule, gradient: [Float], learningRate: Float, steps: Int
  ) throws -> [[Float]] {
    let builder = GraphBuilder()
    let shape: Shape = [gradient.count]
    let update = Operations.OptimizerUpdate(rule)
    let step = try builder.input("step", TensorType([], .int32))
    let variables = try (["parameter"] + update.stateNames).map { try builder.variable($0, shape) }
    let updated = try builder.apply(
      update,
      [
        variables[0], builder.constant(HostTensor(shape, gradient)),
        builder.constant(learningRate), step,
      ] + variables.dropFirst())
    for (variable, value) in zip(variables, updated) { builder.assign(variable, value) }

    let session = Session(device: ReferenceDevice())
    let executable = try session.compile(builder.graph)
    return try (1...steps).map { k in
      _ = try executable.run(["step": HostTensor([], [Int32(k)])])
      return try session.read("parameter").floats
    }
  }

  /// m = 2, 3, 3.5 with momentum ½; with Nesterov the step is g + m/2 = 3, 3.5, 3.75.
  @Test func momentumGathersPastGradients() throws {
    let plain = Operations.OptimizerUpdate.Rule.sgd(
      momentum: 0.5, isNesterov: false, weightDecay: 0)
    let nesterov = Operations.OptimizerUpdate.Rule.sgd(
      momentum: 0.5, isNesterov: true, weightDecay: 0)
    #expect(
      try train(plain, gradient: [2], learningRate: 1, steps: 3) == [[-2], [-5], [-8.5]])
    #expect(
      try train(nesterov, gradient: [2], learningRate: 1, steps: 3) == [[-3], [-6.5], [-10.25]])
  }

  /// A constant gradient moves Adam by η in the direction of its sign, whatever its size.
  @Test func adamFollowsTheSignOfAConstantGradient() throws {
    let rule = Operations.OptimizerUpdate.Rule.adam(
      beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: 0, isDecoupled: false)
    let trace = try train(rule, gradient: [1e-3, -700], learningRate: 0.25, steps: 4)
    for (k, parameter) in trace.enumerated() {
      let distance = 0.25 * Float(k + 1)
      #expect(areClose(parameter, [-distance, distance], tolerance: 1e-4))
    }
  }
}

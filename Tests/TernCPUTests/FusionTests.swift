import TernCore
import TernGraph
import TernRuntime
import Testing

@Suite struct FusionTests {
  private func operations(_ experiment: Experiment) throws -> [String] {
    let plan = try Session(device: cpu()).plan(experiment.builder.graph)
    return plan.order.map { plan.graph.nodes[$0].operation.name }
  }

  @Test func reluRunsAfterMaxPooling() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, 3, 6, 8])
    let y = try x.relu().maxPool2d(PoolingWindow(kernel: [2, 2]))
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x])
    #expect(
      try operations(experiment) == [
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
    #expect(try operations(experiment).first == "relu")
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
    let operations = try operations(experiment)
    for name in [
      "conv2d_relu", "batch_norm_relu", "add_relu", "batch_norm_backward_relu",
      "add_relu_backward",
    ] {
      #expect(operations.contains(name), "\(name)")
    }
    #expect(!operations.contains("relu"))
    try experiment.expectAgreement(tolerance: 1e-4)
  }
}

import Foundation
import Tern
import TernTestSupport
import Testing

/// A rule of one's own, with state.
private struct Sign: OptimizerRule {
  var name: String { "sign" }
  var stateNames: [String] { ["average"] }

  func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    let average = try p.state[0].affine(scale: 0.9) + p.gradient.affine(scale: 0.1)
    return .init(parameter: try p.parameter - average.sign() * p.learningRate, state: [average])
  }
}

/// The scaling of the loss in float16, by one body on every device that has float16.
@Suite struct LossScalingTests {
  private static let devices = ["reference"] + TestDevices.openCL
  private static let scale = "loss_scale.scale"
  private static let cleanSteps = "loss_scale.clean_steps"

  /// Points (a, b) with 2a − b + 1.
  ///
  /// - Parameter poisoned: a point that no number of 16 bits stands for.
  private static func samples(_ count: Int, poisoned: Int? = nil) -> ValueDataset {
    var values: [Float] = Philox(seed: 5, stream: .data).uniforms(2 * count).map { 2 * $0 - 1 }
    let numbers = stride(from: 0, to: 2 * count, by: 2).map { index -> Float in
      let (a, b) = (values[index], values[index + 1])
      return 2 * a - b + 1
    }
    if let poisoned { values[2 * poisoned] = 1e30 }
    return ValueDataset(values: values, numbers: numbers, sampleShape: [2], targetNames: ["y"])
  }

  /// - Parameter factor: of the loss; the learning rate is divided by it.
  private static func loop(
    _ device: String, _ data: ValueDataset, factor: Float = 1, optimizer: Optimizer = .sgd(),
    rate: Double = 0.1, scalesLoss: Bool? = nil
  ) throws -> TrainingLoop {
    let model = try Model.named("linear", inputShape: [2], classCount: 1, task: .regression)
    var options = TrainingLoop.Options(
      batchSize: 128, optimizer: optimizer, learningRate: rate / Double(factor))
    options.shuffles = false
    options.scalesLoss = scalesLoss
    return try TrainingLoop(
      model,
      objective: Supervised { outputs, targets in
        try (outputs[0] - targets).square().mean().affine(scale: factor)
      }, data: TrainingData(data),
      on: DeviceCatalog.standard.open(device, options: DeviceOptions(precision: .fp16)),
      options: options)
  }

  /// Gradients of 1e-9 are zeros in float16: the weights stay what they were, for which a float32 bias does not
  /// make up. Scaled they are numbers.
  @Test(arguments: devices) func whatUnderflowsTrainsWithIt(device: String) throws {
    let data = Self.samples(512)
    let without = try Self.loop(device, data, factor: 0x1p-24, scalesLoss: false)
    let before = try without.weights()["fc.weight"]
    for _ in 0..<3 { try without.trainEpoch() }
    #expect(try without.weights()["fc.weight"] == before)

    let with = try Self.loop(device, data, factor: 0x1p-24)
    for _ in 0..<60 { try with.trainEpoch() }
    let weights = try with.weights()
    let found = weights["fc.weight"]!.floats + weights["fc.bias"]!.floats
    for (value, expected) in zip(found, [2, -1, 1]) {
      #expect(abs(value - Float(expected)) < 5e-3, "\(device): \(found)")
    }
  }

  /// A step whose gradients overflow changes nothing but the scale, whatever the optimizer; the next one goes on.
  @Test(arguments: devices) func anOverflowIsSkipped(device: String) throws {
    let optimizers = [
      Optimizer.sgd(momentum: 0.9), .adam(), .adamW(weightDecay: 0.1), Optimizer(Sign()),
    ]
    for optimizer in optimizers {
      let loop = try Self.loop(
        device, Self.samples(384, poisoned: 200), optimizer: optimizer, rate: 0.01)
      func variables() throws -> [String: HostTensor] {
        let names = loop.session.variableNames.filter {
          !$0.hasPrefix("loss_scale.") && !$0.hasPrefix(TrainingGraph.metricPrefix)
        }
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try loop.session.read($0)) })
      }
      let batches = loop.epochBatches()
      var states = [try variables()]
      var scales: [Float] = []
      while let batch = try batches.next() {
        try loop.train(on: batch)
        states.append(try variables())
        scales.append(try loop.session.read(Self.scale).floats[0])
      }
      #expect(states.count == 4)
      #expect(states[1] != states[0], "\(device) \(optimizer.name)")
      #expect(states[2] == states[1], "\(device) \(optimizer.name)")
      #expect(states[3] != states[2], "\(device) \(optimizer.name)")
      #expect(states[3].values.allSatisfy { $0.floats.allSatisfy(\.isFinite) })
      #expect(scales == [0x1p16, 0x1p15, 0x1p15])
      #expect(try loop.session.read(Self.cleanSteps).floats == [1])
    }
  }

  @Test(arguments: devices) func theScaleGrowsAfter2000CleanSteps(device: String) throws {
    let loop = try Self.loop(device, Self.samples(384))
    let batches = loop.epochBatches()
    try loop.session.write([Self.cleanSteps: HostTensor([], [Float(1998)])])
    var scales: [Float] = []
    while let batch = try batches.next() {
      try loop.train(on: batch)
      scales.append(try loop.session.read(Self.scale).floats[0])
    }
    #expect(scales == [0x1p16, 0x1p17, 0x1p17])
    #expect(try loop.session.read(Self.cleanSteps).floats == [1])
  }

  /// It costs no digit: scales are powers of two.
  @Test func inFloat32NothingChanges() throws {
    let model = try Model.named("linear", inputShape: [2], classCount: 1, task: .regression)
    var results: [[String: HostTensor]] = []
    for scalesLoss in [false, true] {
      var options = TrainingLoop.Options(
        batchSize: 128, optimizer: .adamW(weightDecay: 0.1), learningRate: 0.01)
      options.scalesLoss = scalesLoss
      let loop = try TrainingLoop(
        model, data: TrainingData(Self.samples(384)), on: DeviceCatalog.standard.open("reference"),
        options: options)
      for _ in 0..<3 { try loop.trainEpoch() }
      results.append(try loop.weights())
    }
    #expect(results[0] == results[1])
  }
}

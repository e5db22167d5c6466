import Foundation
import Tern
import TernTestSupport
import Testing

/// What becomes of the gradients, by one body on every device.
@Suite struct ParameterUpdateTests {
  private static let devices = TestDevices.ids

  private func model() -> Model {
    Model(
      name: "small", inputShape: [1, 6, 6], classCount: 3,
      layers: Sequential {
        Conv2D(4, kernel: 3).named("conv")
        Functional.relu.named("relu")
        Functional.flatten.named("flatten")
        Linear(3).named("fc")
      })
  }

  private func samples(_ range: Range<Int>) -> (images: HostTensor, labels: HostTensor) {
    let generator = Philox(seed: 5, stream: .data)
    return (
      HostTensor([range.count, 1, 6, 6], range.flatMap { generator.normals(36, UInt32($0)) }),
      HostTensor([range.count], range.map { Int32($0 % 3) })
    )
  }

  private func inputs(_ range: Range<Int>, step: Int, averageRate: Float = 1) -> [String:
    HostTensor]
  {
    let (images, labels) = samples(range)
    return [
      "images": images, "targets": labels, "learning_rate": HostTensor([], [Float(0.1)]),
      "step": HostTensor([], [Int32(step)]), "batch": HostTensor([], [Int32(1)]),
      "gradient_scale": HostTensor([], [Float(1) / 10]),
      "average_rate": HostTensor([], [averageRate]),
    ]
  }

  private func session(
    _ device: String, _ update: ParameterUpdate, batchSize: Int, loss: LossFunction = LossFunction()
  ) throws -> (Session, Executable) {
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let graph = try TrainingGraph(
      model: model(), batchSize: batchSize, update: update, seed: 0, loss: loss)
    let executable = try session.compile(graph.graph)
    try session.write(try model().initialValues(seed: 1))
    return (session, executable)
  }

  private func expectClose(_ got: [Float], _ expected: [Float], _ what: String) {
    #expect(got.count == expected.count)
    for (a, b) in zip(got, expected) {
      #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "\(what)")
    }
  }

  /// Batches of 4, 4 and 2 that share an update do what one batch of 10 does, also where classes
  /// count differently.
  @Test(arguments: devices, [[], [1, 0.25, 3]] as [[Float]])
  func sharedUpdateEqualsTheWholeBatch(device: String, classWeights: [Float]) throws {
    let update = ParameterUpdate(.sgd(momentum: 0.9), clipNorm: 1)
    let loss = LossFunction(labelSmoothing: 0.1, classWeights: classWeights)
    let (whole, wholeStep) = try session(device, update, batchSize: 10, loss: loss)
    let parts = Session(device: try DeviceCatalog.standard.open(device))
    let forms = [(8..<10, 2), (0..<4, 0), (4..<8, 1)].map {
      ($0.0, BatchPosition($0.1, of: 3))
    }
    let compiled = try parts.compile(
      forms.map {
        try TrainingGraph(
          model: model(), batchSize: $0.0.count, update: update, seed: 0, loss: loss,
          position: $0.1
        ).graph
      })
    try parts.write(try model().initialValues(seed: 1))
    for step in 1...3 {
      _ = try wholeStep.run(inputs(0..<10, step: step))
      for index in [1, 2, 0] { _ = try compiled[index].run(inputs(forms[index].0, step: step)) }
    }
    for name in whole.variableNames where !name.hasPrefix("metrics.") {
      expectClose(try parts.read(name).floats, try whole.read(name).floats, name)
    }
  }

  /// The average moves by 1 − decay towards the parameters as they are after the step.
  @Test(arguments: devices) func averageFollowsTheParameters(device: String) throws {
    var update = ParameterUpdate(.adam())
    update.keepsAverage = true
    let (session, step) = try session(device, update, batchSize: 10)
    let name = "fc.weight"
    try session.write(["ema.\(name)": try session.read(name)])
    var average = try session.read(name).floats
    for number in 1...3 {
      _ = try step.run(inputs(0..<10, step: number, averageRate: 0.25))
      let value = try session.read(name).floats
      average = zip(average, value).map { $0 + ($1 - $0) * 0.25 }
      expectClose(try session.read("ema.\(name)").floats, average, "step \(number)")
    }
  }

  @Test func averageForgetsTheStart() {
    #expect(ParameterUpdate.averageRate(step: 1, decay: 0.999) == 1 - 2.0 / 11)
    #expect(ParameterUpdate.averageRate(step: 1 << 20, decay: 0.999) == 1 - 0.999)
  }

  /// Penalties and decay change the plain step of SGD by what their formulas say.
  @Test(arguments: devices) func penaltiesAndDecay(device: String) throws {
    func step(_ change: (inout ParameterUpdate) -> Void) throws -> [String: [Float]] {
      var update = ParameterUpdate(.sgd())
      change(&update)
      let (session, step) = try session(device, update, batchSize: 10)
      _ = try step.run(inputs(0..<10, step: 1))
      return Dictionary(
        uniqueKeysWithValues: try ["conv.weight", "conv.bias"].map {
          ($0, try session.read($0).floats)
        })
    }
    let start = try model().initialValues(seed: 1).mapValues(\.floats)
    let plain = try step { _ in }
    let elastic = try step {
      $0.l1 = 0.01
      $0.l2 = 0.1
    }
    let decayed = try step { $0.decoupledDecay = 0.5 }
    let w = "conv.weight"
    expectClose(
      elastic[w]!,
      zip(plain[w]!, start[w]!).map { $0 - 0.1 * (0.01 * ($1 > 0 ? 1 : -1) + 0.1 * $1) }, "l1, l2")
    expectClose(elastic["conv.bias"]!, plain["conv.bias"]!, "biases are left alone")
    expectClose(decayed[w]!, zip(plain[w]!, start[w]!).map { $0 - 0.05 * $1 }, "decoupled")
  }

  /// Groups reach penalties and decay. Parameters that do not learn have no part in the norm that
  /// gradients are clipped to.
  @Test(arguments: devices) func groupsReachPenaltiesAndClipping(device: String) throws {
    func step(_ change: (inout ParameterUpdate) -> Void) throws -> [String: [Float]] {
      var update = ParameterUpdate(.sgd())
      change(&update)
      let (session, step) = try session(device, update, batchSize: 10)
      _ = try step.run(inputs(0..<10, step: 1))
      return Dictionary(
        uniqueKeysWithValues: try ["conv.weight", "conv.bias", "fc.weight", "fc.bias"].map {
          ($0, try session.read($0).floats)
        })
    }
    let start = try model().initialValues(seed: 1).mapValues(\.floats)
    let plain = try step { _ in }
    let penalized = try step {
      $0.l1 = 0.01
      $0.l2 = 0.1
      $0.groups = [ParameterGroup("conv", decayFactor: 0.5), ParameterGroup("fc", decayFactor: 0)]
    }
    let w = "conv.weight"
    expectClose(
      penalized[w]!,
      zip(plain[w]!, start[w]!).map { $0 - 0.05 * (0.01 * ($1 > 0 ? 1 : -1) + 0.1 * $1) },
      "half of l1, l2")
    expectClose(penalized["fc.weight"]!, plain["fc.weight"]!, "no penalty")

    let norm: Float = 0.01
    let clipped = try step {
      $0.clipNorm = Double(norm)
      $0.groups = [ParameterGroup("fc", rateFactor: 0)]
    }
    #expect(clipped["fc.weight"] == start["fc.weight"])
    #expect(clipped["fc.bias"] == start["fc.bias"])
    // The step is as long as the learning rate times the norm, all of it in the convolution.
    let moved = [w, "conv.bias"].flatMap { zip(clipped[$0]!, start[$0]!).map { $0 - $1 } }
    let length = moved.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(length - 0.1 * norm) < 1e-3 * 0.1 * norm)
  }

  @Test func aRateOfZeroForAllIsAMistake() throws {
    var update = ParameterUpdate(.sgd())
    update.groups = [ParameterGroup("*", rateFactor: 0)]
    #expect(throws: TernError.self) { try session("reference", update, batchSize: 10) }
  }
}

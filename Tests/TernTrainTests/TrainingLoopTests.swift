import Foundation
import Tern
import TernTestSupport
import Testing

/// The loop as a library: typed values, no files, weights at hand.
@Suite struct TrainingLoopTests {
  /// y = 2a − b + 1 at 50 points, so that a batch of 16 leaves a rest of 2.
  private static let samples: ValueDataset = {
    let values = Philox(seed: 5, stream: .data).uniforms(100).map { 2 * $0 - 1 }
    let numbers = stride(from: 0, to: 100, by: 2).map { 2 * values[$0] - values[$0 + 1] + 1 }
    return ValueDataset(values: values, numbers: numbers, sampleShape: [2], targetNames: ["y"])
  }()

  private func loop(
    _ device: String, objective: (any Objective)? = nil, batchSize: Int = 16
  ) throws -> TrainingLoop {
    let model = try Model.named("linear", inputShape: [2], classCount: 1, task: .regression)
    let options = TrainingLoop.Options(batchSize: batchSize, learningRate: 0.1)
    return try TrainingLoop(
      model, objective: objective, data: TrainingData(Self.samples),
      on: DeviceCatalog.standard.open(device), options: options)
  }

  @Test(arguments: TestDevices.ids) func aPlaneIsFound(device: String) throws {
    let loop = try loop(device)
    let before = try loop.evaluate()
    for _ in 0..<40 { try loop.trainEpoch() }
    let weights = try loop.weights()
    let found = weights["fc.weight"]!.floats + weights["fc.bias"]!.floats
    for (value, expected) in zip(found, [2, -1, 1]) { #expect(abs(value - Float(expected)) < 1e-3) }
    let after = try loop.evaluate()
    #expect(try #require(after.means["r2"]) > 0.9999)
    #expect(try #require(before.means["mse"]) > 100 * #require(after.means["mse"]))
    #expect(loop.progress.step == 40 * 4, "three batches of 16 and one of 2")
  }

  /// A loss of one's own is the same as the built-in one that it repeats.
  @Test(arguments: TestDevices.ids) func ownLossIsLikeTheBuiltIn(device: String) throws {
    let own = try loop(
      device,
      objective: Supervised { outputs, targets in try (outputs[0] - targets).square().mean() })
    let builtIn = try loop(device)
    for _ in 0..<3 {
      let (a, b) = (try own.trainEpoch(), try builtIn.trainEpoch())
      #expect(a["loss"] == b["loss"])
    }
    #expect(try own.weights() == builtIn.weights())
  }

  /// Batch by batch is the same as by epochs.
  @Test func ownLoopIsLikeTheBuiltIn() throws {
    let (own, builtIn) = (try loop("cpu"), try loop("cpu"))
    for _ in 0..<2 {
      let batches = own.epochBatches()
      while let batch = try batches.next() { try own.train(on: batch) }
      #expect(try own.endEpoch() == builtIn.trainEpoch())
    }
    #expect(try own.weights() == builtIn.weights())
  }

  @Test func weightsGoOutAndIn() throws {
    let trained = try loop("cpu")
    for _ in 0..<5 { try trained.trainEpoch() }
    let path = NSTemporaryDirectory() + "tern-loop-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try trained.saveWeights(to: path)
    let other = try loop("cpu")
    try other.setWeights(trained.weights())
    #expect(try other.evaluate().loss == trained.evaluate().loss)
    let device = try DeviceCatalog.standard.open("cpu")
    let network = try TrainedNetwork(trained.model, weights: path, on: device)
    for count in [1, 3] {
      let inputs = HostTensor([count, 2], [Float](repeating: 0.5, count: 2 * count))
      let outputs = try network(inputs)[0]
      #expect(outputs.shape == [count, 1])
      #expect(outputs.floats.allSatisfy { abs($0 - outputs.floats[0]) < 1e-6 })
    }
    let wrong = #expect(throws: TernError.self) {
      try other.setWeights(["fc.wieght": HostTensor(repeating: 1, [1, 2])])
    }
    #expect(wrong?.message.contains("did you mean 'fc.weight'?") ?? false)
    #expect(throws: TernError.self) { try network(HostTensor(repeating: 1, [1, 3])) }
  }

  /// Sets that were not known at the beginning may be cut otherwise.
  @Test func anySetIsMeasured() throws {
    let loop = try loop("cpu")
    let whole = try loop.evaluate()
    let parts = [Subset(Self.samples, Array(0..<21)), Subset(Self.samples, Array(21..<50))]
    let sum = try parts.reduce(0.0) { try $0 + loop.evaluate($1).loss * Double($1.count) }
    #expect(abs(sum / 50 - whole.loss) < 1e-6)
  }

  @Test func optionsAreChecked() throws {
    let error = #expect(throws: TernError.self) { try loop("cpu", batchSize: 0) }
    #expect(error?.message == "batchSize: expected at least 1, got 0")
    let classes = ValueDataset(
      values: [1, 2], labels: [0, 1], sampleShape: [1], classNames: ["a", "b"])
    let model = try Model.named("linear", inputShape: [1], classCount: 1, task: .regression)
    let other = #expect(throws: TernError.self) {
      try TrainingLoop(
        model, data: TrainingData(classes), on: DeviceCatalog.standard.open("cpu"))
    }
    #expect(other?.message.contains("the data has classes") ?? false)
  }

  /// A scalar under a wrong name is not taken for one that is not needed.
  @Test func misspeltInputsAreErrors() throws {
    let builder = GraphBuilder()
    let rate = try builder.input("rate", [])
    builder.output("double", try rate.affine(scale: 2))
    let executable = try Session(device: DeviceCatalog.standard.open("cpu")).compile(builder.graph)
    try executable.upload(Float(1), toInput: "rate")
    let error = #expect(throws: TernError.self) { try executable.upload(Float(1), toInput: "rat") }
    #expect(error?.message.contains("did you mean 'rate'?") ?? false)
  }

  private struct Squares: TernGraph.Operation {
    var name: String { "squares" }
    func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] { [inputs[0]] }
    func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? { [try inputs[0] * inputs[1]] }
  }

  /// An operation from outside runs everywhere, and its gradient is that of its decomposition: also where
  /// one of its inputs depends on the other, each gets its own part.
  @Test(arguments: TestDevices.ids) func operationsFromOutsideRun(device: String) throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [3])
    let y = try builder.apply(Squares(), [x, x.affine(scale: 3)])[0]
    builder.output("y", y)
    builder.output("gradient", try builder.gradients(of: y.sum(), withRespectTo: [x])[0]!)
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let values = HostTensor([3], [Float(-1), 2, 0.5])
    let outputs = try session.compile(builder.graph).run(["x": values])
    #expect(outputs["y"]?.floats == [3, 12, 0.75])
    #expect(outputs["gradient"]?.floats == [-6, 12, 3])
  }
}

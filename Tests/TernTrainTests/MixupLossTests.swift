import Foundation
import Tern
import TernTestSupport
import TernTrain
import Testing

/// A network trained on mixed samples.
@Suite struct MixupLossTests {
  private let model = Model(
    name: "small", inputShape: [4], classCount: 3, layers: Sequential { Linear(3).named("fc") })

  /// The loss of a batch of two, its weights given.
  private func loss(_ mix: Float, device: String) throws -> Float {
    let graph = try TrainingGraph(
      model: model, objective: Classification(LossFunction(labelSmoothing: 0.1), isMixed: true),
      pass: .only, batchSize: 2,
      update: ParameterUpdate(TrainingConfiguration().makeOptimizer(), clipNorm: nil), seed: 0)
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let step = try session.compile(graph.graph)
    for parameter in graph.parameters {
      let count = parameter.shape.elementCount
      try session.write([
        parameter.name: HostTensor(parameter.shape, (0..<count).map { Float($0 % 5) / 4 - 0.4 })
      ])
    }
    try step.upload(
      HostTensor([2, 4], [Float](arrayLiteral: 1, 2, 3, 4, -1, 0, 2, 1)),
      toInput: step.inputIndex("images")!)
    try step.upload(
      HostTensor([2], [Int32(0), 2]), toInput: step.inputIndex(TrainingGraph.targetsInput)!)
    try step.upload(
      HostTensor([2], [Int32(2), 0]), toInput: step.inputIndex(TrainingGraph.partnerTargetsInput)!)
    try step.upload(mix, toInput: TrainingGraph.mixInput)
    try step.upload(Float(0), toInput: Optimizer.learningRateInput)
    try step.upload(Int32(1), toInput: Optimizer.stepInput)
    try step.step()
    return try step.read(TrainingGraph.lossOutput).floats[0]
  }

  /// λ·L(a) + (1 − λ)·L(b), on every kind of device.
  @Test(arguments: TestDevices.ids) func isMixedAsTheSamplesAre(device: String)
    throws
  {
    let (own, other) = (try loss(1, device: device), try loss(0, device: device))
    #expect(abs(own - other) > 0.1)
    #expect(abs(try loss(0.25, device: device) - (0.25 * own + 0.75 * other)) < 1e-5)
  }

  @Test func generativeNetworksRefuseIt() throws {
    let set = InMemoryDataset(
      pixels: [UInt8](repeating: 9, count: 784 * 4), labels: [0, 1, 0, 1],
      sampleShape: [1, 28, 28],
      classNames: ["a", "b"])
    let error = #expect(throws: TernError.self) {
      _ = try Trainer(
        configuration: TrainingConfiguration(["augment": .string("mixup")]),
        model: ZooEntry.named("linear-autoencoder").model(),
        data: TrainingData(
          training: set, test: set, normalization: Normalization(means: [0], deviations: [1])),
        device: DeviceCatalog.standard.open("cpu"), deviceReason: "test"
      ) { _ in }
    }
    #expect(error?.message.contains("mixup") == true)
  }
}

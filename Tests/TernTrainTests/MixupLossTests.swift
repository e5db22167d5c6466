import Foundation
import Tern
import TernTestSupport
import TernTrain
import Testing

/// A network trained on mixed samples.
@Suite struct MixupLossTests {
  private let model = Model(
    name: "small", inputShape: [4], classCount: 3, layers: Sequential { Linear(3).named("fc") })

  private static let images: [Float] = [1, 2, 3, 4, -1, 0, 2, 1]

  private static func parameter(_ count: Int) -> [Float] {
    (0..<count).map { Float($0 % 5) / 4 - 0.4 }
  }

  /// The loss of a batch of two, its weights given.
  private func loss(
    _ mix: Float, device: String, function: LossFunction = LossFunction(labelSmoothing: 0.1)
  ) throws -> Float {
    let graph = try TrainingGraph(
      model: model, objective: Classification(function, isMixed: true),
      pass: .only, batchSize: 2,
      update: ParameterUpdate(TrainingConfiguration().makeOptimizer(), clipNorm: nil), seed: 0)
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let step = try session.compile(graph.graph)
    for parameter in graph.parameters {
      let count = parameter.shape.elementCount
      try session.write([parameter.name: HostTensor(parameter.shape, Self.parameter(count))])
    }
    try step.upload(
      HostTensor([2, 4], Self.images),
      toInput: step.inputIndex("images")!)
    try step.upload(
      HostTensor([2], [Int32(0), 2]), toInput: step.inputIndex(Field.targetsName)!)
    try step.upload(
      HostTensor([2], [Int32(2), 0]), toInput: step.inputIndex(Field.partnerTargetsName)!)
    try step.upload(mix, toInput: Field.mixName)
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

  /// −1/N Σ_n Σ_c w_c y_nc log p_nc, as torch.nn.functional.cross_entropy computes of probabilities.
  @Test(arguments: TestDevices.ids)
  func classWeightsAreThoseOfTheMixedTargets(device: String) throws {
    let (weights, smoothing) = ([0.5, 1, 3] as [Float], 0.1 as Double)
    let (targets, partners) = ([0, 2], [2, 0])
    func expected(_ mix: Double) -> Double {
      let (w, b) = (Self.parameter(12).map(Double.init), Self.parameter(3).map(Double.init))
      let images = Self.images.map(Double.init)
      return (0..<2).reduce(0.0) { sum, n in
        let scores = (0..<3).map { c in
          (0..<4).reduce(b[c]) { $0 + w[4 * c + $1] * images[4 * n + $1] }
        }
        let logSum = log(scores.reduce(0) { $0 + exp($1) })
        return sum
          - (0..<3).reduce(0.0) { total, c in
            let mixed = (targets[n] == c ? mix : 0) + (partners[n] == c ? 1 - mix : 0)
            let target = (1 - smoothing) * mixed + smoothing / 3
            return total + Double(weights[c]) * target * (scores[c] - logSum)
          } / 2
      }
    }
    let function = LossFunction(labelSmoothing: smoothing, classWeights: weights)
    for mix in [0, 0.25, 0.7, 1] as [Float] {
      let got = try loss(mix, device: device, function: function)
      #expect(abs(Double(got) - expected(Double(mix))) < 1e-5, "\(mix): \(got)")
    }
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

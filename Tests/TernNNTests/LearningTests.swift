import Foundation
import Tern
import TernTestSupport
import Testing

/// What networks of this module can and cannot learn, and that devices agree on it.
@Suite struct LearningTests {
  /// Trains on one batch, full steps of gradient descent, and returns the losses and what is left.
  private func train(
    _ model: Model, on images: HostTensor, _ labels: [Int32], steps: Int, rate: Float,
    device: String, frozen: FrozenParameters = FrozenParameters("")
  ) throws -> (losses: [Float], weights: [String: HostTensor], logits: HostTensor) {
    let count = images.shape[0]
    let graph = try TrainingGraph(
      model: model, objective: try model.objective(), pass: .only, batchSize: count,
      update: .init(.sgd(momentum: 0.9)), seed: 1, frozen: frozen)
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let compiled = try session.compile([
      graph.graph, try model.inferenceGraph(batchSize: count).graph,
    ])
    for parameter in graph.parameters {
      try session.write([
        parameter.name: parameter.initializer.value(parameter.shape, name: parameter.name, seed: 1)
      ])
    }
    var losses: [Float] = []
    for step in 1...steps {
      let outputs = try compiled[0].run([
        "images": images, "targets": HostTensor([labels.count], labels),
        "learning_rate": HostTensor([], [rate]), "step": HostTensor([], [Int32(step)]),
      ])
      losses.append(outputs["loss"]!.floats[0])
    }
    let logits = try compiled[1].run(["images": images])["logits"]!
    let weights = Dictionary(
      uniqueKeysWithValues: try graph.parameters.map { ($0.name, try session.read($0.name)) })
    return (losses, weights, logits)
  }

  private static let corners = HostTensor([4, 2], [0, 0, 0, 1, 1, 0, 1, 1] as [Float])

  private func accuracy(_ layers: Sequential, task: ModelTask, on labels: [Int32]) throws -> Int {
    let model = Model(
      name: "xor", inputShape: [2], classCount: 2, layers: layers, task: task)
    let logits = try train(
      model, on: Self.corners, labels, steps: 300, rate: 0.1, device: "reference"
    ).logits.floats
    return (0..<4).count { (logits[2 * $0 + 1] > logits[2 * $0]) == (labels[$0] == 1) }
  }

  /// No line parts the corners of XOR; a hidden layer bends it.
  @Test func xorNeedsAHiddenLayer() throws {
    let perceptron = Sequential { Linear(2).named("fc") }
    #expect(try accuracy(perceptron, task: .perceptron, on: [0, 0, 0, 1]) == 4)
    #expect(try accuracy(perceptron, task: .perceptron, on: [0, 1, 1, 0]) < 4)
    let multilayer = Sequential {
      Linear(8).named("fc1")
      Functional("tanh").named("tanh")
      Linear(2).named("fc2")
    }
    #expect(try accuracy(multilayer, task: .classification, on: [0, 1, 1, 0]) == 4)
  }

  /// Skips, branches and a repeated block.
  private func smallModel() throws -> Model {
    let path = NSTemporaryDirectory() + "tern-\(UUID().uuidString).yaml"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try """
    input: [1, 8, 8]
    classes: 3
    init: he
    layers:
      - conv2d: {name: stem, out_channels: 4, kernel_size: 3, padding: 1}
      - relu
      - residual:
          name: stage
          repeat: 2
          layers:
            - conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}
            - batch_norm
      - max_pool2d: {name: left, kernel_size: 2}
      - avg_pool2d: {name: right, kernel_size: 2, from: stage}
      - cat: {dim: 1, from: [left, right]}
      - flatten
      - linear: {name: head, out_features: 3}
    """.write(toFile: path, atomically: true, encoding: .utf8)
    return try ModelFile.read(path)
  }

  private static let images = HostTensor(
    [6, 1, 8, 8], Philox(seed: 3, stream: .data).normals(6 * 64))
  private static let labels: [Int32] = [0, 1, 2, 0, 1, 2]

  @Test func aFileTrainsTheSameOnCPUAndOpenCL() throws {
    let model = try smallModel()
    let cpu = try train(
      model, on: Self.images, Self.labels, steps: 10, rate: 0.01, device: "cpu"
    ).losses
    #expect(cpu.last! < cpu.first!)
    for device in TestDevices.openCL {
      let losses = try train(
        model, on: Self.images, Self.labels, steps: 10, rate: 0.01, device: device
      ).losses
      for (a, b) in zip(cpu, losses) { #expect(abs(a - b) <= 1e-4 * abs(a), "\(device)") }
    }
  }

  @Test func frozenLayersKeepTheirValues() throws {
    let model = try smallModel()
    let frozen = FrozenParameters("stem, stage")
    let (losses, weights, _) = try train(
      model, on: Self.images, Self.labels, steps: 5, rate: 0.01, device: "cpu", frozen: frozen)
    #expect(losses.last! < losses.first!)
    let initial = try model.initialValues(seed: 1)
    #expect(weights.keys.contains { $0.contains("running_mean") })
    for (name, value) in weights {
      #expect((value.floats == initial[name]!.floats) == !name.hasPrefix("head"), "\(name)")
    }
    // No gradient of a frozen convolution is computed.
    let graph = try TrainingGraph(
      model: model, objective: try model.objective(), pass: .only, batchSize: 6,
      update: .init(.sgd()), seed: 1, frozen: frozen
    ).graph
    let plan = try Session(device: DeviceCatalog.standard.open("reference")).plan(graph)
    #expect(!plan.graph.nodes.contains { $0.operation.name.hasPrefix("conv2d_backward") })
  }

  @Test func auxiliaryHeadsAddTheirLoss() throws {
    func model(_ weight: Float?) -> Model {
      Model(
        name: "m", inputShape: [2], classCount: 2,
        layers: Sequential {
          if let weight {
            AuxiliaryHead(weight: weight) { Linear(2, initializer: .zeros).named("fc") }
              .named("aux")
          }
          Linear(2, initializer: .zeros).named("fc")
        })
    }
    func firstLoss(_ model: Model) throws -> Float {
      try train(model, on: Self.corners, [0, 1, 1, 0], steps: 1, rate: 0.1, device: "reference")
        .losses[0]
    }
    // Zero weights: every head's loss is log 2.
    let logarithm: Float = 0.693_147_2
    let (plain, headed) = (try firstLoss(model(nil)), try firstLoss(model(0.3)))
    #expect(abs(plain - logarithm) < 1e-6)
    #expect(abs(headed - 1.3 * logarithm) < 1e-6)
  }

  @Test func weightsFitByNameAndShape() throws {
    let parameters = try smallModel().inferenceGraph(batchSize: 1).context.parameters
    let match = WeightMatch(
      [
        "stem.weight": HostTensor(repeating: 1, [4, 1, 3, 3]),
        "stem.bias": HostTensor(repeating: 1, [5]), "fc.weight": HostTensor(repeating: 1, [2]),
        "stage.0.bn.num_batches_tracked": HostTensor([], [Int32(1)]),
      ], to: parameters)
    #expect(match.values.keys.sorted() == ["stem.weight"])
    #expect(match.missing.first == "stem.bias is float32[5] in the file, float32[4] in the model")
    #expect(match.missing.contains("head.bias [3] is not in the file"))
    #expect(match.unused == ["fc.weight is not in the model"])
    #expect(throws: TernError.self) {
      try WeightMatch(["a": HostTensor(repeating: 1, [1])], to: parameters).requireAny(path: "w")
    }
  }
}

import Foundation
import Tern
import TernTestSupport
import Testing

/// Layers over sequences, as model files make them, against what PyTorch computed in double
/// precision (`Tests/LayerCases`: the layer in the metadata, PyTorch's parameter names).
@Suite struct SequenceLayerTests {
  private static let cases = [
    "rnn_tanh", "lstm", "gru", "encoder_layer_post", "encoder_layer_pre", "attention_causal",
    "layer_norm", "conv1d",
  ]

  private static func file(_ name: String) throws -> Safetensors {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("LayerCases")
    return try Safetensors(contentsOf: folder.appendingPathComponent("\(name).safetensors").path)
  }

  @Test(arguments: cases, TestDevices.ids)
  func layerComputesWhatPyTorchDoes(name: String, device: String) throws {
    let file = try Self.file(name)
    let text = try #require(file.metadata["layer"])
    guard case .map(let map) = try YAML.parseValue(text), let (kind, value) = map.first,
      case .map(var arguments) = value
    else {
      Issue.record("\(name): no layer in \(text)")
      return
    }
    arguments["name"] = nil
    let layer = try LayerFactory.make(kind, arguments)

    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("input", try #require(file.tensors["input"]).type)
    builder.output("output", try context.apply(layer, named: "layer", to: [x]))
    let names = Set(context.parameters.map { "parameter.\($0.name)" })
    #expect(names == Set(file.tensors.keys.filter { $0.hasPrefix("parameter.") }))
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    for parameter in context.parameters {
      try session.write([parameter.name: file.tensors["parameter.\(parameter.name)"]!])
    }
    let got = try executable.run(["input": file.tensors["input"]!])["output"]!
    let expected = try #require(file.tensors["output"])
    #expect(got.type == expected.type)
    for (a, b) in zip(got.floats, expected.floats) {
      #expect(abs(a - b) <= 1e-5 + 1e-4 * abs(b), "\(a) for \(b)")
    }
  }

  /// What a device does with an unrolled network, the reference does too, gradients and all.
  @Test(arguments: ["elman", "lstm", "lstm-peephole", "gru", "gru-reset-before", "tdnn"])
  func devicesAgreeOnLosses(model name: String) throws {
    let model = try ZooEntry.named(name).model(inputShape: [1, 14, 4], classCount: 3)
    let generator = Philox(seed: 2, stream: .data)
    let inputs = [
      "images": HostTensor([4, 1, 14, 4], generator.normals(4 * 56)),
      "targets": HostTensor([4], [0, 1, 2, 0] as [Int32]),
      "learning_rate": HostTensor([], [Float(0.1)]),
    ]
    let losses = try TestDevices.ids.map { device in
      let graph = try TrainingGraph(
        model: model, batchSize: 4, update: .init(.sgd(momentum: 0.9)), seed: 1)
      let session = Session(device: try TestDevices.open(device))
      let step = try session.compile(graph.graph)
      try session.write(try model.initialValues(seed: 1))
      return try (1...3).map { number in
        let step = try step.run(
          inputs.merging(["step": HostTensor([], [Int32(number)])]) { a, _ in a })
        return step["loss"]!.floats[0]
      }
    }
    #expect(losses[0][2] < losses[0][0])
    for other in losses.dropFirst() {
      for (got, expected) in zip(other, losses[0]) {
        #expect(abs(got - expected) <= 1e-4 * abs(expected), "\(got) for \(expected)")
      }
    }
  }

  @Test(arguments: [
    ("vit_b_16", 86_567_656), ("lstm", 4 * 128 * (28 + 128 + 2) + 1290),
    ("gru", 3 * 128 * (28 + 128 + 2) + 1290),
  ]) func parametersAreCounted(name: String, count: Int) throws {
    let (_, context) = try ZooEntry.named(name).model().inferenceGraph(batchSize: 1)
    #expect(
      context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount } == count)
  }

  @Test func transformersHaveTorchvisionsNames() throws {
    let (_, context) = try ZooEntry.named("vit_b_16").model().inferenceGraph(batchSize: 1)
    let names = Set(context.parameters.map(\.name))
    let block = [
      "ln_1.weight", "ln_1.bias", "self_attention.in_proj_weight", "self_attention.in_proj_bias",
      "self_attention.out_proj.weight", "self_attention.out_proj.bias", "ln_2.weight", "ln_2.bias",
      "mlp.0.weight", "mlp.0.bias", "mlp.3.weight", "mlp.3.bias",
    ]
    let expected =
      [
        "class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding",
        "encoder.ln.weight", "encoder.ln.bias", "heads.head.weight", "heads.head.bias",
      ]
      + (0..<12).flatMap { i in block.map { "encoder.layers.encoder_layer_\(i).\($0)" } }
    #expect(names == Set(expected))
  }
}

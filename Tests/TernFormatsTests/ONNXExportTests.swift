import Foundation
import Tern
import TernCore
import TernGraph
import TernNN
import TernRuntime
import TernTestSupport
import Testing

@testable import TernFormats

/// Networks as ONNX files: what is read back computes the same. `Tests/onnx_zoo.py` holds the files against
/// onnxruntime.
@Suite struct ONNXExportTests {
  /// Those that a test can afford; the script takes all.
  static let networks = [
    "polynomial", "mcculloch-pitts", "lenet5", "resnet20", "lstm", "tdnn", "transformer-encoder",
    "nnlm", "text-cnn", "conv-autoencoder", "bam",
  ]

  /// Values that no initialiser leaves at 0 or 1.
  static func drawn(_ parameters: [Parameter]) -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: parameters.map { parameter in
        let start = parameter.initializer.value(parameter.shape, name: parameter.name, seed: 3)
        let fanIn = max(
          1, parameter.shape.elementCount(in: min(1, parameter.shape.rank)..<parameter.shape.rank))
        let scale = parameter.shape.rank > 1 ? 0.5 / Float(fanIn).squareRoot() : 0.1
        let noise = Experiment.draw(parameter.name, parameter.shape, scale: scale).floats
        var values = zip(start.floats, noise).map { $0 + $1 }
        if parameter.name.hasSuffix("running_var") { values = values.map { abs($0) + 0.5 } }
        return (parameter.name, HostTensor(parameter.shape, values))
      })
  }

  private static func sample(_ field: Field, _ batchSize: Int, vocabulary: Int) -> HostTensor {
    let type = field.batched(batchSize)
    let draw = Experiment.draw(field.name, type.shape)
    if type.dataType == .int32 {
      let rows: [Int32] = draw.floats.map { Int32(abs($0) * 1000) % Int32(vocabulary) }
      return HostTensor(type.shape, rows)
    }
    // A mask says how many positions of a text count.
    guard field.name == Field.maskName else { return draw }
    let length = type.shape[1]
    let marks: [Float] = (0..<type.shape.elementCount).map {
      $0 % length < 2 + $0 / length ? 1 : 0
    }
    return HostTensor(type.shape, marks)
  }

  private func run(
    _ graph: Graph, _ values: [String: HostTensor], _ inputs: [String: HostTensor], on id: String
  ) throws -> [String: HostTensor] {
    let session = Session(device: try TestDevices.open(id))
    let executable = try session.compile(graph)
    try session.write(values.filter { session.variableNames.contains($0.key) })
    return try executable.run(inputs.filter { executable.inputIndex($0.key) != nil })
  }

  /// Exports a network, reads the file, and holds the outputs of both against each other.
  private func check(_ model: Model, batchSize: Int? = nil) throws {
    let (graph, context) = try model.inferenceGraph(batchSize: batchSize ?? 3)
    let values = Self.drawn(context.parameters)
    let file = try ONNXExport(model, values: values, batchSize: batchSize)
    #expect(file.outputNames == model.outputNames)
    let other = try ONNXFixture.withFile(file.data) {
      try ONNXNetwork.model(contentsOf: $0, keepsSoftmax: true)
    }
    let (again, otherContext) = try other.inferenceGraph(batchSize: batchSize ?? 3)
    let otherValues = try other.initialValues(seed: 0)
    for parameter in otherContext.parameters {
      #expect(otherValues[parameter.name] == values[parameter.name], "\(parameter.name)")
    }
    var (inputs, otherInputs) = ([String: HostTensor](), [String: HostTensor]())
    let vocabulary = model.vocabularyCount ?? 1
    for field in model.inputs {
      inputs[field.name] = Self.sample(field, batchSize ?? 3, vocabulary: vocabulary)
    }
    for field in other.inputs {
      otherInputs[field.name] = inputs[field.name] ?? inputs[model.inputs[0].name]
    }
    for device in TestDevices.fast {
      let expected = try run(graph, values, inputs, on: device)
      let got = try run(again, otherValues, otherInputs, on: device)
      for name in model.outputNames {
        #expect(difference(got[name]!, expected[name]!) < 1e-4, "\(name) on \(device)")
      }
    }
  }

  @Test(arguments: networks)
  func networksComeBack(name: String) throws {
    try check(ZooEntry.named(name).model())
  }

  @Test func aFileMayBeForOneBatch() throws {
    let model = try ZooEntry.named("lenet5").model()
    try check(model, batchSize: 5)
    let file = try ONNXExport(model, values: model.initialValues(seed: 0), batchSize: 5)
    let read = try ONNXModel(file.data, path: "lenet5.onnx")
    #expect(read.graph.inputs[0].shape == [.fixed(5), .fixed(1), .fixed(28), .fixed(28)])
    let open = try ONNXExport(model, values: model.initialValues(seed: 0))
    #expect(
      try ONNXModel(open.data, path: "lenet5.onnx").graph.outputs[0].shape == [
        .symbol("batch"), .fixed(10),
      ])
  }

  /// A normalisation stays one: its statistics are none that an optimizer updates.
  @Test func statisticsStayStatistics() throws {
    let model = try ZooEntry.named("resnet20").model()
    let file = try ONNXExport(model, values: model.initialValues(seed: 0))
    let graph = try ONNXModel(file.data, path: "resnet20.onnx").graph
    let count = try model.inferenceGraph(batchSize: 1).context.parameters
      .filter { $0.name.hasSuffix("running_var") }.count
    #expect(graph.nodes.filter { $0.operatorName == "BatchNormalization" }.count == count)
    #expect(!graph.nodes.contains { ["Sqrt", "Reciprocal"].contains($0.operatorName) })
    let other = try ONNXFixture.withFile(file.data) { try ONNXNetwork.model(contentsOf: $0) }
    let untrained = try other.inferenceGraph(batchSize: 1).context.parameters
      .filter { !$0.isTrainable }
    #expect(untrained.count == 2 * count)
  }

  /// A generator reads the noise that it would draw.
  @Test(arguments: TestDevices.fast)
  func noiseIsAnInput(device: String) throws {
    let model = try ZooEntry.named("dcgan").model()
    let values = Self.drawn(try model.inferenceGraph(batchSize: 2).context.parameters)
    let file = try ONNXExport(model, values: values)
    #expect(file.inputNames == ["latent"])
    #expect(file.outputNames == ["pictures"])
    var graph = try ONNXExport.graph(of: model, batchSize: 2)
    let draw = try #require(graph.nodes.first { $0.operation is Operations.RandomNormal })
    graph.outputs.append(("noise", draw.outputs[0]))
    let zeros = HostTensor(repeating: 0, [2, 1, 28, 28])
    let expected = try run(graph, values, ["images": zeros], on: device)
    let other = try ONNXFixture.withFile(file.data) { try ONNXNetwork.model(contentsOf: $0) }
    let got = try run(
      other.inferenceGraph(batchSize: 2).graph, values,
      [other.inputs[0].name: expected["noise"]!], on: device)
    #expect(difference(got["pictures"]!, expected["pictures"]!) < 1e-4)
  }

  /// Operations that the zoo does not use, one after the other on a plane.
  @Test(
    arguments: [
      ("gelu", [:]), ("gelu", ["approximate": .string("tanh")]), ("silu", [:]),
      ("softplus", ["beta": .double(2)]), ("hardtanh", [:]), ("elu", [:]),
      ("clamp", ["min": .double(0.1)]),
      ("clamp", ["max": .double(0.1)]), ("clamp", [:]), ("square", [:]), ("abs", [:]),
      ("softmax", ["dim": .int(1)]), ("log_softmax", ["dim": .int(3)]),
      ("local_response_norm", ["size": .int(3)]), ("group_norm", ["num_groups": .int(2)]),
      ("layer_norm", ["normalized_shape": .list([.int(7)])]),
      ("max_pool2d", ["kernel_size": .int(3), "stride": .int(2), "padding": .int(1)]),
      ("max_pool2d", ["kernel_size": .int(2), "stride": .int(2), "ceil_mode": .bool(true)]),
      ("avg_pool2d", ["kernel_size": .int(3), "stride": .int(2), "padding": .int(1)]),
      ("avg_pool2d", ["kernel_size": .int(2), "stride": .int(2), "ceil_mode": .bool(true)]),
      (
        "avg_pool2d",
        [
          "kernel_size": .int(3), "stride": .int(3), "padding": .int(1), "ceil_mode": .bool(true),
          "count_include_pad": .bool(false),
        ]
      ),
      ("adaptive_avg_pool2d", ["output_size": .list([.int(3), .int(4)])]),
      ("interpolate", ["size": .list([.int(9), .int(5)])]),
      ("interpolate", ["size": .list([.int(12), .int(14)])]),
      ("interpolate", ["size": .list([.int(12), .int(14)]), "mode": .string("bilinear")]),
      (
        "interpolate",
        [
          "size": .list([.int(12), .int(14)]), "mode": .string("bilinear"),
          "align_corners": .bool(true),
        ]
      ),
      ("pad", ["pad": .list([.int(1), .int(2), .int(0), .int(3)])]),
      ("pad", ["pad": .list([.int(-1), .int(2)])]),
      ("pad", ["pad": .list([.int(1), .int(2)]), "mode": .string("reflect")]),
      ("pad", ["pad": .list([.int(1), .int(2)]), "mode": .string("replicate")]),
      ("pad", ["pad": .list([.int(1), .int(2), .int(2), .int(0)]), "mode": .string("circular")]),
      ("amax", ["dim": .list([.int(2)])]),
      ("mean", ["dim": .list([.int(2)]), "keepdim": .bool(true)]),
      ("transpose", ["dim0": .int(1), "dim1": .int(3)]),
      ("reshape", ["shape": .list([.int(-1), .int(7)])]),
    ] as [(String, [String: AttributeValue])])
  func operationsComeBack(kind: String, attributes: [String: AttributeValue]) throws {
    let model = Model(
      name: kind, inputShape: [4, 6, 7], classCount: 1,
      layers: Sequential([NamedLayer("layer", Functional(kind, attributes))]))
    try check(model)
  }

  /// What a pooling keeps of its places goes back there.
  @Test func placesComeBack() throws {
    struct Unpooling: Layer {
      var kind: String { "unpooling" }
      func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
        let (y, places) = try inputs[0].maxPool2dWithIndices(PoolingWindow(kernel: [2, 2]))
        return try y.square().maxUnpool2d(indices: places, height: 4, width: 6)
      }
    }
    let model = Model(
      name: "unpooling", inputShape: [2, 4, 6], classCount: 1,
      layers: Sequential([NamedLayer("layer", Unpooling())]))
    let file = try ONNXExport(model, values: [:])
    let nodes = try ONNXModel(file.data, path: "unpooling.onnx").graph.nodes
    #expect(nodes.map(\.operatorName) == ["MaxPool", "Mul", "MaxUnpool"])
    #expect(nodes[0].outputs.count == 2)
  }

  @Test func whatHasNoFormIsNamed() throws {
    struct Coin: Layer {
      var kind: String { "coin" }
      func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
        try context.bernoulli(inputs[0].sigmoid())
      }
    }
    let model = Model(
      name: "coins", inputShape: [3], classCount: 1,
      layers: Sequential([NamedLayer("toss", Coin())]))
    do {
      _ = try ONNXExport(model, values: [:])
      Issue.record("exported")
    } catch let error as TernError {
      #expect(error.kind == .badData)
      #expect(
        error.message == "model coins: operation bernoulli (toss): has no form in ONNX's opset 17")
    }
  }
}

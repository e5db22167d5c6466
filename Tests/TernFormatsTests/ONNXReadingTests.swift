import Foundation
import TernCore
import TernData
import TernGraph
import TernNN
import TernTestSupport
import Testing

@testable import TernFormats

/// ONNX files as networks, and files that are none.
@Suite struct ONNXReadingTests {
  private func model(
    _ fixture: ONNXFixture, classes: Int? = nil, keepsSoftmax: Bool = false
  ) throws -> Model {
    try ONNXFixture.withFile(fixture.encoded()) {
      try ONNXNetwork.model(contentsOf: $0, classCount: classes, keepsSoftmax: keepsSoftmax)
    }
  }

  private func fault(_ fixture: ONNXFixture) -> String {
    do {
      _ = try model(fixture)
      return "read"
    } catch let error as TernError {
      #expect(error.kind == .badData)
      #expect(!error.message.contains("\n"))
      return error.message
    } catch { return "another error: \(error)" }
  }

  @Test func aNetworkHasNamesAndParametersOfTheFile() throws {
    let model = try model(.linear())
    #expect(model.classCount == 3)
    #expect(model.inputs == [Field("images", [2])])
    #expect(model.outputs == ["y"])
    let (graph, context) = try model.inferenceGraph(batchSize: 5)
    #expect(context.parameters.map(\.name) == ["fc.weight", "fc.bias"])
    #expect(context.parameters.allSatisfy { $0.isTrainable })
    #expect(graph.type(graph.outputs[0].id).shape == [5, 3])
    let values = try model.initialValues(seed: 0)
    #expect(values["fc.weight"] == HostTensor([3, 2], [1, 2, 3, 4, 5, 6] as [Float]))
    #expect(values["fc.bias"] == HostTensor([3], [0.5, 0, -0.5]))
  }

  @Test func theLastSoftmaxIsLeftOutAndSaid() throws {
    func softmaxCount(_ model: Model) throws -> Int {
      try model.inferenceGraph(batchSize: 1).graph.nodes.filter { $0.operation.name == "softmax" }
        .count
    }
    let bare = try model(.linear())
    #expect(try softmaxCount(bare) == 0)
    #expect(bare.notes.count == 1 && bare.notes[0].contains("softmax"))
    let whole = try model(.linear(), keepsSoftmax: true)
    #expect(try softmaxCount(whole) == 1)
    #expect(whole.notes.isEmpty)
  }

  @Test func otherClassesReplaceTheLastLayer() throws {
    let model = try model(.linear(), classes: 7)
    #expect(model.classCount == 7)
    #expect(model.notes.contains { $0.contains("'gemm' is replaced for 7 classes in place of 3") })
    let context = try model.inferenceGraph(batchSize: 2).context
    #expect(context.parameters.map(\.shape) == [[7, 2], [7]])
    let values = try model.initialValues(seed: 1)
    #expect(values["fc.weight"]!.floats.allSatisfy { abs($0) <= 1 / Float(2).squareRoot() })
  }

  @Test func statisticsAreNotTrained() throws {
    var file = ONNXFixture()
    file.value(11, "x", [0, 2, 4, 4])
    for name in ["weight", "bias", "mean", "var"] { file.initializer(name, [2], [1, 1]) }
    file.node("BatchNormalization", ["x", "weight", "bias", "mean", "var"], ["y"])
    file.value(12, "y", [0, 2, 4, 4])
    let network = try model(file)
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .training)
    _ = try network.forward(network.appendInputs(to: builder, batchSize: 2), in: context)
    #expect(context.parameters.filter(\.isTrainable).map(\.name) == ["weight", "bias"])
    #expect(builder.graph.assignments.map { builder.graph[$0.variable].name } == ["mean", "var"])
  }

  @Test func whatIsNotKnownIsNamed() {
    var file = ONNXFixture()
    file.value(11, "x", [0, 2])
    file.node("Unheard", ["x"], ["y"])
    file.value(12, "y", [0, 2])
    #expect(fault(file).hasSuffix("node 'unheard' (Unheard, opset 17): the operator is not known"))
  }

  /// A file of a hundred bytes asks for terabytes.
  @Test func sizesAreHeldAgainstBytes() {
    for shape in [[1 << 20, 1 << 22], [1 << 62, 4], [-1], [3]] {
      var file = ONNXFixture()
      file.value(11, "x", [0, 2])
      file.initializer("w", shape, [1, 2])
      file.node("Add", ["x", "w"], ["y"])
      file.value(12, "y", [0, 2])
      #expect(fault(file).contains("tensor 'w' has"))
    }
    var file = ONNXFixture()
    file.value(11, "x", [0, 1 << 20, 1 << 20, 1 << 20])
    file.node("Relu", ["x"], ["y"])
    file.value(12, "y", [0, 1])
    #expect(fault(file).contains("input 'x'"))
  }

  @Test(arguments: ["../secret", "/etc/passwd", "a/b", "missing.bin", ""])
  func weightsAreBesideTheModel(location: String) {
    var file = ONNXFixture()
    file.value(11, "x", [0, 2])
    file.external("w", [2], location)
    file.node("Add", ["x", "w"], ["y"])
    file.value(12, "y", [0, 2])
    do {
      _ = try model(file)
      Issue.record("\(location) was read")
    } catch let error as TernError {
      #expect(
        error.message.contains(location == "missing.bin" ? "no such file" : "not beside the model"))
    } catch { Issue.record("\(error)") }
  }

  @Test func graphsInGraphsAreBounded() {
    var inner = WireWriter()
    for _ in 0..<2000 {
      var node = WireWriter()
      node.message(5) { attribute in
        attribute.bytes(6, inner.data)
        attribute.int(20, 5)
      }
      var graph = WireWriter()
      graph.bytes(1, node.data)
      inner = graph
    }
    var model = WireWriter()
    model.bytes(7, inner.data)
    #expect(throws: TernError.self) { try ONNXModel(model.data, path: "deep.onnx") }
  }

  /// Cut at every length, and with bits flipped in every byte: a network, or one line.
  @Test func damagedFilesAreOneLine() throws {
    let data = ONNXFixture.linear().encoded()
    let faults = try ONNXFixture.withFile(data) { path in
      try DamagedFile.faults(of: [UInt8](data), at: path) {
        _ = try ONNXNetwork.model(contentsOf: path)
      }
    }
    #expect(faults == [])
  }
}

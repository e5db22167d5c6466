import Foundation
import Tern
import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime
import TernTestSupport
import Testing

@testable import TernFormats

/// Networks whose files were written for a batch of one size, as exporters do that are told nothing, and what is
/// exported to be trained.
@Suite struct ONNXBatchTests {
  private func outputs(
    _ fixture: ONNXFixture, _ input: HostTensor
  ) throws -> HostTensor {
    try ONNXFixture.withFile(fixture.encoded()) { path in
      let model = try ONNXNetwork.model(contentsOf: path, keepsSoftmax: true)
      let (graph, _) = try model.inferenceGraph(batchSize: input.shape[0])
      let session = Session(device: try TestDevices.open("reference"))
      let executable = try session.compile(graph)
      let values = try model.initialValues(seed: 0)
      try session.write(values.filter { session.variableNames.contains($0.key) })
      return try executable.run([model.inputs[0].name: input])[model.outputNames[0]]!
    }
  }

  /// Every sample of a batch becomes what it becomes in one of the file's size.
  private func check(_ fixture: ONNXFixture, _ fixed: Int, _ shape: [Int]) throws {
    let count = 6
    let size = shape.reduce(1, *)
    let all = Experiment.draw("x", Shape([count] + shape))
    let whole = try outputs(fixture, all)
    #expect(whole.shape[0] == count)
    let width = whole.shape.elementCount / count
    for start in stride(from: 0, to: count, by: fixed) {
      let part = HostTensor(
        Shape([fixed] + shape), Array(all.floats[start * size..<(start + fixed) * size]))
      let alone = try outputs(fixture, part)
      #expect(alone.floats == Array(whole.floats[start * width..<(start + fixed) * width]))
    }
  }

  /// Heads of attention lie beside the batch in one axis, behind others or in front of them.
  @Test(arguments: [1, 2])
  func shapesNameTheBatch(fixed: Int) throws {
    var file = ONNXFixture()
    file.value(11, "x", [fixed, 4, 6])
    file.integers("merged", [3], [4, fixed * 2, 3])
    file.integers("split", [4], [fixed, 2, 4, 3])
    file.integers("flat", [2], [fixed, -1])
    file.node("Transpose", ["x"], ["a"], lists: [("perm", [1, 0, 2])])
    file.node("Reshape", ["a", "merged"], ["b"])
    file.node("Transpose", ["b"], ["c"], lists: [("perm", [1, 0, 2])])
    file.node("Reshape", ["c", "split"], ["d"])
    file.node("Transpose", ["d"], ["e"], lists: [("perm", [0, 2, 1, 3])])
    file.node("Reshape", ["e", "flat"], ["y"])
    file.value(12, "y", [fixed, 24])
    try check(file, fixed, [4, 6])
  }

  /// All elements of a vector in their order, as PyTorch's newer exporter writes a memory layout: convnext, swin.
  @Test(arguments: [1, 2])
  func indicesThatNameAllElementsAreAShape(fixed: Int) throws {
    var file = ONNXFixture()
    file.value(11, "x", [fixed, 5, 2])
    file.integers("flat", [1], [-1])
    file.integers("indices", [fixed, 5, 2, 1], Array(0..<fixed * 10))
    file.integers("rows", [2], [fixed, 10])
    file.node("Reshape", ["x", "flat"], ["a"])
    file.node("Gather", ["a", "indices"], ["b"])
    file.node("Relu", ["b"], ["c"])
    file.node("Reshape", ["c", "rows"], ["y"])
    file.value(12, "y", [fixed, 10])
    try check(file, fixed, [5, 2])
  }

  /// A product between two shapes that have the batch inside an axis, behind the steps of a sequence.
  @Test(arguments: [1, 2])
  func theBatchMayStandBehindOthersInAnAxis(fixed: Int) throws {
    var file = ONNXFixture()
    file.value(11, "x", [fixed, 4, 6])
    file.integers("rows", [2], [4 * fixed, 6])
    file.integers("steps", [3], [4, fixed, 3])
    file.initializer("w", [6, 3], (0..<18).map { Float($0 % 5) })
    file.node("Transpose", ["x"], ["a"], lists: [("perm", [1, 0, 2])])
    file.node("Reshape", ["a", "rows"], ["b"])
    file.node("MatMul", ["b", "w"], ["c"])
    file.node("Relu", ["c"], ["d"])
    file.node("Reshape", ["d", "steps"], ["e"])
    file.node("Transpose", ["e"], ["y"], lists: [("perm", [1, 0, 2])])
    file.value(12, "y", [fixed, 4, 3])
    try check(file, fixed, [4, 6])
  }

  /// A row in front of each sample's, repeated as often as the file's batch has samples.
  @Test(arguments: [1, 2])
  func whatIsRepeatedForTheBatchIsRepeatedForAnother(fixed: Int) throws {
    var file = ONNXFixture()
    file.value(11, "x", [fixed, 3, 2])
    file.initializer("token", [1, 1, 2], [5, 7])
    file.integers("shape", [3], [fixed, 1, 2])
    file.node("Expand", ["token", "shape"], ["a"])
    file.node("Concat", ["a", "x"], ["y"], [("axis", 1)])
    file.value(12, "y", [fixed, 4, 2])
    try check(file, fixed, [3, 2])
  }

  /// Elements that are taken by their places in the batch of the file are told, not computed wrongly.
  @Test func whatIsOfTheFilesBatchAloneIsALine() throws {
    var file = ONNXFixture()
    file.value(11, "x", [1, 4])
    file.integers("flat", [1], [-1])
    file.integers("places", [1, 2], [0, 3])
    file.node("Reshape", ["x", "flat"], ["a"])
    file.node("Gather", ["a", "places"], ["y"], [("axis", 0)])
    file.value(12, "y", [1, 2])
    #expect(try outputs(file, HostTensor([1, 4], [1, 2, 3, 4] as [Float])).floats == [1, 4])
    let error = #expect(throws: TernError.self) {
      try outputs(file, Experiment.draw("x", [2, 4]))
    }
    #expect(error?.message.contains("is written for a batch of 1 alone") == true)
  }

  /// The state that a recurrent layer starts from.
  @Test(arguments: [1, 2])
  func statesStartForTheBatch(fixed: Int) throws {
    func file(_ state: [Float]) -> ONNXFixture {
      var file = ONNXFixture()
      file.value(11, "x", [fixed, 4, 2])
      file.initializer("w", [1, 3, 2], [0.1, -0.2, 0.3, 0.4, -0.5, 0.6])
      file.initializer("r", [1, 3, 3], [0.1, 0.2, 0.3, -0.4, 0.5, 0.6, 0.7, -0.8, 0.9])
      file.initializer("h", [1, fixed, 3], state)
      file.node("Transpose", ["x"], ["t"], lists: [("perm", [1, 0, 2])])
      file.node("RNN", ["t", "w", "r", "", "", "h"], ["", "s"], [("hidden_size", 3)])
      file.integers("axes", [1], [0])
      file.node("Squeeze", ["s", "axes"], ["y"])
      file.value(12, "y", [fixed, 3])
      return file
    }
    try check(file([Float](repeating: 0.5, count: 3 * fixed)), fixed, [4, 2])
    guard fixed == 2 else { return }
    let other = file([1, 2, 3, 4, 5, 6])
    let error = #expect(throws: TernError.self) {
      try outputs(other, Experiment.draw("x", [3, 4, 2]))
    }
    #expect(error?.message.contains("written for a batch of 2") == true)
  }

  /// Rows of a table that the network chooses itself, and elements along an axis.
  @Test func indicesMayBeComputed() throws {
    var file = ONNXFixture()
    file.value(11, "x", [0, 3])
    file.initializer("table", [3, 2], [1, 2, 3, 4, 5, 6])
    file.node("ArgMax", ["x"], ["i"], [("axis", 1), ("keepdims", 1)])
    file.node("GatherElements", ["x", "i"], ["largest"], [("axis", 1)])
    file.node("Gather", ["table", "i"], ["rows"], [("axis", 0)])
    file.integers("axes", [1], [1])
    file.node("Squeeze", ["rows", "axes"], ["row"])
    file.node("Concat", ["largest", "row"], ["y"], [("axis", 1)])
    file.value(12, "y", [0, 3])
    let x = HostTensor([3, 3], [0.5, 2, 1, 7, 0, 0, 1, 2, 3] as [Float])
    #expect(try outputs(file, x).floats == [2, 3, 4, 7, 1, 2, 3, 5, 6])
  }

  /// Nodes of what is exported to be trained say that they train; a network that infers does not drop, and normalises
  /// by its running statistics, which training moves.
  @Test func whatIsExportedToBeTrainedInfersToo() throws {
    var file = ONNXFixture()
    file.value(11, "x", [0, 2])
    file.initializer("scale", [2], [1, 1])
    file.initializer("bias", [2], [0, 0])
    file.initializer("mean", [2], [1, 2])
    file.initializer("variance", [2], [4, 4])
    file.initializer("ratio", [], [0.5])
    file.integers("training", [], [1])
    file.node(
      "BatchNormalization", ["x", "scale", "bias", "mean", "variance"], ["n", "m", "v"],
      [("training_mode", 1)])
    file.node("Dropout", ["n", "ratio", "training"], ["y", "mask"])
    file.value(12, "y", [0, 2])
    let values = try outputs(file, HostTensor([2, 2], [1, 2, 3, 6] as [Float])).floats
    #expect(zip(values, [0, 0, 1, 2] as [Float]).allSatisfy { abs($0 - $1) < 1e-4 }, "\(values)")
    try ONNXFixture.withFile(file.encoded()) { path in
      let model = try ONNXNetwork.model(contentsOf: path)
      let builder = GraphBuilder()
      let step = try builder.input("step", TensorType([], .int32))
      let context = LayerContext(builder: builder, mode: .training, step: step)
      _ = try model.forward(model.appendInputs(to: builder, batchSize: 4), in: context)
      #expect(builder.graph.nodes.contains { $0.operation.name == "dropout" })
      #expect(
        context.parameters.filter { !$0.isTrainable }.map(\.name).sorted() == ["mean", "variance"])
      #expect(builder.graph.assignments.count == 2)
    }
  }
}

import Tern
import TernTestSupport
import Testing

/// Integers reach layers: the vectors of a vocabulary, and how they learn.
@Suite struct EmbeddingTests {
  private static let tokens = HostTensor([2, 3], [4, 0, 2, 2, 2, 1] as [Int32])
  private static let table = HostTensor([5, 2], (0..<10).map { Float($0) * 0.5 - 2 })

  @Test(arguments: TestDevices.ids) func everyTokenIsItsVector(device: String) throws {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("tokens", TensorType([2, 3], .int32))
    let vectors = try context.apply(Embedding(5, size: 2), named: "words", to: [x])
    #expect(vectors.shape == [2, 3, 2])
    builder.output("vectors", vectors)
    #expect(context.parameters.map(\.name) == ["words.weight"])
    #expect(context.parameters.map(\.initializer) == [.normal(deviation: 1)])

    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    try session.write(["words.weight": Self.table])
    let got = try executable.run(["tokens": Self.tokens])["vectors"]
    let rows = Self.tokens.integers.flatMap { Self.table.floats[2 * Int($0)..<2 * Int($0) + 2] }
    #expect(got == HostTensor([2, 3, 2], rows))
  }

  /// The loss is the sum of all vectors, the second element counted twice: a row's gradient is (1, 2)
  /// for every time that it is read.
  @Test(arguments: TestDevices.ids) func aRowLearnsFromEveryPlaceThatReadsIt(device: String) throws
  {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .training)
    let x = try builder.input("tokens", TensorType([2, 3], .int32))
    let layers = Sequential {
      Embedding(5, size: 2).named("words")
      Functional.flatten
    }
    let vectors = try layers.forward([x], in: context)
    let weights = builder.constant(HostTensor([6], [1, 2, 1, 2, 1, 2] as [Float]))
    let loss = try (vectors * weights).sum()
    let parameters = context.parameters.map(\.tensor)
    let gradients = try builder.gradients(of: loss, withRespectTo: parameters)
    try Optimizer.sgd().update(
      zip(parameters, gradients).map { ($0, try #require($1)) }, in: builder,
      learningRate: try builder.input(Optimizer.learningRateInput, []),
      step: try builder.input(Optimizer.stepInput, TensorType([], .int32)))

    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    try session.write(["words.weight": Self.table])
    var inputs = ["tokens": Self.tokens, "learning_rate": HostTensor([], [Float(0.25)])]
    inputs["step"] = HostTensor([], [Int32(1)])
    _ = try executable.run(inputs)
    let expected = Self.table.floats.enumerated().map { index, value in
      let times = Self.tokens.integers.count { Int($0) == index / 2 }
      return value - 0.25 * Float(times) * (index % 2 == 0 ? 1 : 2)
    }
    #expect(try session.read("words.weight") == HostTensor([5, 2], expected))
  }

  @Test func aTableIsNotReadByFractions() throws {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("x", [2, 3])
    let error = #expect(throws: LayerError.self) {
      try context.apply(Embedding(5, size: 2), named: "words", to: [x])
    }
    #expect(error?.layer == "words" && error?.reason.expected == "int32")
  }
}

import Foundation
import Tern
import TernTestSupport
import Testing

/// Layers of networks that read text: what is filled up does not count, what comes later is not seen.
@Suite struct TextLayerTests {
  /// Two samples of three positions with two elements, of which 2 and 1 positions count.
  private static let sequence = HostTensor(
    [2, 3, 2], [1, -5, 3, -7, 100, 100, -2, 4, 100, 100, 100, 100] as [Float])
  private static let mask = HostTensor([2, 3], [1, 1, 0, 1, 0, 0] as [Float])

  @Test(arguments: TestDevices.ids) func aPoolCountsWhatTheMaskSays(device: String) throws {
    let device = try TestDevices.open(device)
    for (mode, expected) in [
      (SequencePool.Mode.mean, [2, -6, -2, 4]), (.max, [3, -5, -2, 4]), (.last, [3, -7, -2, 4]),
    ] as [(SequencePool.Mode, [Float])] {
      let builder = GraphBuilder()
      let context = LayerContext(builder: builder, mode: .inference)
      let x = try builder.input("x", TensorType([2, 3, 2]))
      let mask = try builder.input("mask", TensorType([2, 3]))
      builder.output("y", try context.apply(SequencePool(mode), named: "pool", to: [x, mask]))
      let executable = try Session(device: device).compile(builder.graph)
      let y = try executable.run(["x": Self.sequence, "mask": Self.mask])["y"]
      #expect(y == HostTensor([2, 2], expected), "\(mode)")
    }
  }

  /// Scores v · tanh(W q + U k) and their weighted sums, written out in double precision; without the tanh
  /// the query has no say, since it adds the same to all scores.
  @Test(arguments: TestDevices.ids, [false, true])
  func learntScoresWeighValues(device: String, isLinear: Bool) throws {
    let (length, keys, width, keyWidth, valueWidth, hidden) = (2, 3, 2, 3, 2, 4)
    func numbers(_ count: Int, _ rate: Double) -> [Double] {
      (0..<count).map { sin(rate * Double($0 + 1)) }
    }
    let (q, k) = (numbers(length * width, 0.7), numbers(keys * keyWidth, 1.3))
    let v = numbers(keys * valueWidth, 2.1)
    let weights = [
      "attention.query.weight": (Shape([hidden, width]), numbers(hidden * width, 0.9)),
      "attention.key.weight": (Shape([hidden, keyWidth]), numbers(hidden * keyWidth, 1.7)),
      "attention.score.weight": (Shape([1, hidden]), numbers(hidden, 0.4)),
    ]
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    func input(_ name: String, _ shape: Shape) throws -> Tensor {
      try builder.input(name, TensorType(shape))
    }
    let inputs = try [
      input("q", [1, length, width]), input("k", [1, keys, keyWidth]),
      input("v", [1, keys, valueWidth]),
    ]
    let layer = try LayerFactory.make(
      "additive_attention", ["hidden_size": .int(hidden), "linear": .bool(isLinear)])
    builder.output("y", try context.apply(layer, named: "attention", to: inputs))
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    #expect(Set(context.parameters.map(\.name)) == Set(weights.keys))
    func tensor(_ shape: Shape, _ values: [Double]) -> HostTensor {
      HostTensor(shape, values.map(Float.init))
    }
    try session.write(weights.mapValues { tensor($0, $1) })
    let y = try #require(
      try executable.run([
        "q": tensor([1, length, width], q), "k": tensor([1, keys, keyWidth], k),
        "v": tensor([1, keys, valueWidth], v),
      ])["y"])
    func product(_ name: String, _ x: [Double], _ row: Int, _ count: Int, _ unit: Int) -> Double {
      (0..<count).reduce(0) { $0 + weights[name]!.1[unit * count + $1] * x[row * count + $1] }
    }
    for i in 0..<length {
      let scores = (0..<keys).map { j in
        (0..<hidden).reduce(0.0) { sum, unit in
          let inner =
            product("attention.query.weight", q, i, width, unit)
            + product("attention.key.weight", k, j, keyWidth, unit)
          return sum + weights["attention.score.weight"]!.1[unit] * (isLinear ? inner : tanh(inner))
        }
      }
      let parts = scores.map { exp($0) }
      for column in 0..<valueWidth {
        let expected =
          (0..<keys).reduce(0.0) { $0 + parts[$1] * v[$1 * valueWidth + column] }
          / parts.reduce(0, +)
        #expect(abs(Double(y.floats[i * valueWidth + column]) - expected) < 1e-5)
      }
    }
  }

  /// The scores at a position change with the tokens up to it, and with none behind.
  @Test(arguments: ["nnlm", "nnlm-direct", "lstm-lm", "gru-lm", "transformer-lm"])
  func aLanguageModelSeesWhatStandsBefore(name: String) throws {
    let model = try ZooEntry.named(name).model(inputShape: [6], classCount: 9)
    #expect(model.inputs == [Field("tokens", [6], .int32)])
    let network = try TrainedNetwork(
      model, weights: model.initialValues(seed: 3), on: TestDevices.open("cpu"))
    func scores(_ tokens: [Int32]) throws -> [[Float]] {
      let y = try network(HostTensor([1, 6], tokens))[0]
      #expect(y.shape == [1, 6, 9])
      return (0..<6).map { Array(y.floats[$0 * 9..<$0 * 9 + 9]) }
    }
    let (first, second) = (try scores([2, 3, 4, 5, 6, 7]), try scores([2, 3, 4, 8, 6, 7]))
    for position in 0..<6 {
      let distance = zip(first[position], second[position]).map { abs($0 - $1) }.max()!
      #expect(position < 3 ? distance < 1e-6 : distance > 1e-4, "position \(position): \(distance)")
    }
  }

  /// More tokens to fill a sample up change nothing.
  @Test(arguments: ["text-mean", "text-lstm", "text-cnn"])
  func whatFillsUpChangesNothing(name: String) throws {
    func scores(_ length: Int) throws -> [Float] {
      let model = try ZooEntry.named(name).model(
        inputShape: [length], classCount: 3, vocabularyCount: 9)
      #expect(model.inputs.map(\.name) == ["tokens", "mask"])
      let network = try TrainedNetwork(
        model, weights: model.initialValues(seed: 3), on: TestDevices.open("cpu"))
      let tokens: [Int32] = [4, 7, 2, 5, 3]
      func filled<T>(_ values: [T], _ rest: T) -> [T] {
        values + [T](repeating: rest, count: length - values.count)
      }
      return try network(
        HostTensor([1, length], filled(tokens, 0)),
        HostTensor([1, length], filled([Float](repeating: 1, count: 5), 0)))[0].floats
    }
    let (short, long) = (try scores(5), try scores(13))
    #expect(zip(short, long).allSatisfy { abs($0 - $1) < 1e-5 }, "\(short) \(long)")
  }

  /// The first losses of a language model are the same on every device.
  @Test(arguments: ["nnlm", "lstm-lm", "transformer-lm"])
  func languageModelsLoseAlikeOnAllDevices(name: String) throws {
    let model = try ZooEntry.named(name).model(inputShape: [6], classCount: 11)
    let tokens = (0..<25).map { Int32(2 + $0 * $0 % 9) }
    let inputs = [
      "tokens": HostTensor([4, 6], Array(tokens[0..<24])),
      "targets": HostTensor([4, 6], Array(tokens[1..<25])),
      "learning_rate": HostTensor([], [Float(0.05)]),
    ]
    let losses = try TestDevices.ids.map { device in
      let graph = try TrainingGraph(
        model: model, objective: LanguageModeling(), pass: .only, batchSize: 4,
        update: .init(.sgd(momentum: 0.9)), seed: 1)
      let session = Session(device: try TestDevices.open(device))
      let step = try session.compile(graph.graph)
      try session.write(try model.initialValues(seed: 1))
      return try (1...3).map { number in
        try step.run(inputs.merging(["step": HostTensor([], [Int32(number)])]) { a, _ in a })[
          "loss"]!.floats[0]
      }
    }
    #expect(losses[0][2] < losses[0][0])
    for other in losses.dropFirst() {
      for (got, expected) in zip(other, losses[0]) {
        #expect(abs(got - expected) <= 1e-4 * abs(expected), "\(got) for \(expected)")
      }
    }
  }
}

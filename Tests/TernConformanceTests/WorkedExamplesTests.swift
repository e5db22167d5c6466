import Foundation
import Tern
import TernTestSupport
import Testing

/// Calculations done by hand, whose numbers must come out on every device.
@Suite struct WorkedExamplesTests {
  private func expect(
    _ got: [Float], _ expected: [Double], within tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(got.count == expected.count, sourceLocation: sourceLocation)
    for (value, target) in zip(got, expected) {
      #expect(
        abs(Double(value) - target) <= tolerance, "expected \(target), got \(value)",
        sourceLocation: sourceLocation)
    }
  }

  // MARK: 1. Back-propagation by hand

  @Test(arguments: TestDevices.ids) func backPropagation(device: String) throws {
    let builder = GraphBuilder()
    let hidden = try builder.variable("hidden", [2, 2])
    let output = try builder.variable("output", [2, 2])
    let x = builder.constant(HostTensor([1, 2], [Float(0.05), 0.10]))
    let target = builder.constant(HostTensor([1, 2], [Float(0.01), 0.99]))
    let h = try x.linear(weight: hidden, bias: builder.constant(0.35, [2])).sigmoid()
    let o = try h.linear(weight: output, bias: builder.constant(0.60, [2])).sigmoid()
    let error = try o.mseLoss(target, reduction: .sum).affine(scale: 0.5)
    builder.output("h", h)
    builder.output("o", o)
    builder.output("E", error)
    let gradients = try builder.gradients(of: error, withRespectTo: [hidden, output])
    try Optimizer.sgd().update(
      [(hidden, gradients[0]!), (output, gradients[1]!)], in: builder,
      learningRate: builder.constant(0.5), step: builder.constant(HostTensor([], [Int32(1)])))

    let session = Session(device: try TestDevices.open(device))
    let step = try session.compile(builder.graph)
    try session.write([
      "hidden": HostTensor([2, 2], [Float(0.15), 0.20, 0.25, 0.30]),
      "output": HostTensor([2, 2], [Float(0.40), 0.45, 0.50, 0.55]),
    ])
    let results = try step.run()
    expect(results["h"]!.floats, [0.593269992, 0.596884378], within: 1e-6)
    expect(results["o"]!.floats, [0.751365070, 0.772928465], within: 1e-6)
    expect(results["E"]!.floats, [0.298371109], within: 1e-6)
    expect(
      try session.read("output").floats, [0.35891648, 0.40866619, 0.51130127, 0.56137012],
      within: 1e-6)
    expect(
      try session.read("hidden").floats, [0.14978072, 0.19956143, 0.24975114, 0.29950229],
      within: 1e-6)
  }

  // MARK: 2. Commuting time

  @Test(arguments: TestDevices.ids) func leastSquares(device: String) throws {
    let rows: [Float] = [1, 2.7, 1, 1, 4.1, 1, 1, 1.0, 0, 1, 5.2, 1, 1, 2.8, 0]
    let builder = GraphBuilder()
    let w = try builder.variable("w", [1, 3])
    let prediction = try builder.constant(HostTensor([5, 3], rows)).linear(weight: w)
    let minutes = builder.constant(HostTensor([5, 1], [Float(25), 33, 15, 45, 22]))
    let loss = try prediction.mseLoss(minutes).affine(scale: 0.5)
    builder.output("prediction", prediction)
    let gradient = try builder.gradients(of: loss, withRespectTo: [w])[0]!
    try Optimizer.sgd(momentum: 0.9).update(
      [(w, gradient)], in: builder, learningRate: builder.constant(0.05),
      step: builder.constant(HostTensor([], [Int32(1)])))

    let session = Session(device: try TestDevices.open(device))
    let step = try session.compile(builder.graph)
    for _ in 0..<2000 { try step.step() }
    // Gradient descent in float32 ends where a step no longer changes the last digits.
    expect(
      try session.read("w").floats, [6.08613445, 6.53361345, 2.11274510], within: 2e-4)
    expect(
      try step.read("prediction").floats,
      [25.83963585, 34.98669468, 12.61974790, 42.17366947, 24.38025210], within: 2e-4)
  }

  // MARK: 3. Linear classification

  private static let points: [[Float]] = [
    [-0.5, -1, 0.5, -0.2, -0.8, -0.15, -1, 0],
    [0.25, -0.1, 0, -0.3, 0, -0.5, 0, -0.25],
    [-0.8, -0.1, 0.25, 0.2, -0.8, 0.05, -1, 0.25],
    [-1, -1, 0.1, 0, -1, -0.25, -1, 0.1],
  ]
  private static let labels: [Float] = [1, 1, -1, -1, 1, -1, 1, -1]

  private static func sample(_ index: Int) -> [Float] { points.map { $0[index] } }

  /// Trains a linear classifier on the mean squared hinge loss.
  ///
  /// - Parameter batches: the samples of each step.
  private func classifier(
    _ device: String, _ optimizer: Optimizer, learningRate: Float, batches: [[Int]]
  ) throws -> [Float] {
    let size = batches[0].count
    let builder = GraphBuilder()
    let w = try builder.variable("w", [1, 4])
    let x = try builder.input("x", [size, 4])
    let y = try builder.input("y", [size])
    let loss = try x.linear(weight: w).reshape([size]).squaredHingeLoss(y)
    let gradient = try builder.gradients(of: loss, withRespectTo: [w])[0]!
    try optimizer.update(
      [(w, gradient)], in: builder, learningRate: builder.constant(learningRate),
      step: builder.constant(HostTensor([], [Int32(1)])))
    let session = Session(device: try TestDevices.open(device))
    let step = try session.compile(builder.graph)
    for batch in batches {
      _ = try step.run([
        "x": HostTensor([size, 4], batch.flatMap(Self.sample)),
        "y": HostTensor([size], batch.map { Self.labels[$0] }),
      ])
    }
    return try session.read("w").floats
  }

  /// The numbers are given to five digits.
  private let fiveDigits = 1.5e-5

  @Test(arguments: TestDevices.ids) func gradientDescent(device: String) throws {
    let w = try classifier(
      device, .sgd(), learningRate: 0.5, batches: Array(repeating: Array(0..<8), count: 25))
    expect(w, [-0.52732, 1.21960, -1.04707, -0.44505], within: fiveDigits)
  }

  @Test(arguments: TestDevices.ids) func stochasticGradientDescent(device: String) throws {
    let w = try classifier(
      device, .sgd(), learningRate: 0.1, batches: (0..<80).map { [$0 % 8] })
    expect(w, [-0.46886, 0.88978, -0.79942, -0.44879], within: fiveDigits)
  }

  @Test(arguments: TestDevices.ids) func classicalMomentum(device: String) throws {
    let w = try classifier(
      device, .sgd(momentum: 0.5), learningRate: 0.5,
      batches: Array(repeating: Array(0..<8), count: 25))
    expect(w, [-0.59835, 1.82855, -1.55736, -0.50198], within: fiveDigits)
  }

  @Test(arguments: TestDevices.ids) func adagrad(device: String) throws {
    let w = try classifier(
      device, .adagrad(epsilon: 1e-6), learningRate: 0.1, batches: (0..<80).map { [$0 % 8] })
    expect(w, [-0.47770, 0.84910, -0.72154, -0.38020], within: fiveDigits)
  }

  /// Rosenblatt's rule: w ← w + y·x where y·wᵀx ≤ 0.
  @Test(arguments: TestDevices.ids) func perceptron(device: String) throws {
    let builder = GraphBuilder()
    let w = try builder.variable("w", [4])
    let x = try builder.input("x", [4])
    let y = try builder.input("y", [])
    let margin = try (w * x).sum() * y
    // 1 below zero, ½ at zero; doubled and cut off, 1 for both.
    let isMistake = try builder.apply(
      Operations.Binary(.heaviside), [builder.constant(0), margin])[0]
      .affine(scale: 2).clamp(max: 1)
    builder.assign(w, try w + x * (y * isMistake))
    let session = Session(device: try TestDevices.open(device))
    let step = try session.compile(builder.graph)
    for index in 0..<8 {
      _ = try step.run([
        "x": HostTensor([4], Self.sample(index)), "y": HostTensor([], [Self.labels[index]]),
      ])
    }
    expect(try session.read("w").floats, [-0.35, 0.75, -0.85, -0.75], within: 1e-6)
  }

  // MARK: 4. Pooling backward

  @Test(arguments: TestDevices.ids) func poolingBackward(device: String) throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [1, 1, 4, 4])
    let arriving = builder.constant(HostTensor([1, 1, 2, 2], [Float(2), 8, 4, 6]))
    let window = PoolingWindow(kernel: [2, 2])
    for (name, y) in [("max", try x.maxPool2d(window)), ("average", try x.avgPool2d(window))] {
      let gradient = try builder.gradients(of: [(y, arriving)], withRespectTo: [x])[0]!
      builder.output(name, gradient)
    }
    let step = try Session(device: TestDevices.open(device)).compile(builder.graph)
    // The maxima stand at (0,0), (1,1), (0,1) and (1,0) of their windows.
    let results = try step.run([
      "x": HostTensor([1, 1, 4, 4], [Float(9), 1, 2, 3, 0, 2, 1, 7, 1, 8, 0, 2, 3, 2, 5, 1])
    ])
    #expect(results["max"]!.floats == [2, 0, 0, 0, 0, 0, 0, 8, 0, 4, 0, 0, 0, 0, 6, 0])
    #expect(
      results["average"]!.floats
        == [0.5, 0.5, 2, 2, 0.5, 0.5, 2, 2, 1, 1, 1.5, 1.5, 1, 1, 1.5, 1.5])
  }

  // MARK: 5. A computation graph

  @Test(arguments: TestDevices.ids) func computationGraph(device: String) throws {
    let builder = GraphBuilder()
    let w = try builder.input("w", [])
    let (x, b, y) = (builder.constant(1), builder.constant(1), builder.constant(2))
    let u = try w * x
    let prediction = try u + b
    let e = try prediction - y
    let c = try e.square()
    for (name, tensor) in [("u", u), ("prediction", prediction), ("e", e), ("c", c)] {
      builder.output(name, tensor)
    }
    let gradients = try builder.gradients(of: c, withRespectTo: [e, prediction, w])
    for (name, gradient) in zip(["de", "dprediction", "dw"], gradients) {
      builder.output(name, gradient!)
    }
    let results = try Session(device: TestDevices.open(device)).compile(builder.graph)
      .run(["w": HostTensor([], [Float(5)])]).mapValues { $0.floats[0] }
    #expect(
      results == [
        "u": 5, "prediction": 6, "e": 4, "c": 16, "de": 8, "dprediction": 8, "dw": 8,
      ])
  }

  // MARK: 6. Counting

  private func parameterCount(_ layers: [NamedLayer], input: Shape) throws -> Int {
    let model = Model(name: "counted", inputShape: input, classCount: 1, layers: Sequential(layers))
    return try model.inferenceGraph(batchSize: 1).context.parameters
      .reduce(0) { $0 + $1.shape.elementCount }
  }

  @Test func counting() throws {
    let mlp = [5, 10, 3].enumerated().map { NamedLayer("fc\($0)", Linear($1)) }
    #expect(try parameterCount(mlp, input: [6]) == 128)
    #expect(
      try parameterCount([NamedLayer("c", Conv2D(1, kernel: 3, padding: 1))], input: [1, 50, 50])
        == 10)
    #expect(
      try parameterCount(
        [NamedLayer("flatten", Functional.flatten), NamedLayer("fc", Linear(2500))],
        input: [1, 50, 50]) == 6_252_500)
    let convolutions = Model(
      name: "features", inputShape: [1, 32, 32], classCount: 1,
      layers: Sequential([
        NamedLayer("c1", Conv2D(1, kernel: 3)), NamedLayer("c2", Conv2D(1, kernel: 3, padding: 1)),
      ]))
    let graph = try convolutions.inferenceGraph(batchSize: 1).graph
    #expect(graph.type(graph.output(named: "logits")!).elementCount == 900)
  }

  // MARK: 7. An energy table

  @Test(arguments: TestDevices.ids) func energyTable(device: String) throws {
    let builder = GraphBuilder()
    // E(a, b) = −ab on {0, 1}²; probabilities are e^−E, normalised.
    let a = builder.constant(HostTensor([1, 4], [Float(0), 0, 1, 1]))
    let b = builder.constant(HostTensor([1, 4], [Float(0), 1, 0, 1]))
    builder.output("P", try (-(-(a * b))).softmax(dim: 1))
    let results = try Session(device: TestDevices.open(device)).compile(builder.graph).run()
    let e = 2.718281828459045
    expect(
      results["P"]!.floats, [1 / (3 + e), 1 / (3 + e), 1 / (3 + e), e / (3 + e)], within: 1e-6)
  }

  // MARK: 8. He variance

  /// A block x + W·relu(x) whose W is He's doubles the variance of what it reads; times 1/√2 keeps it.
  @Test(arguments: [(1 as Float, 2.0), (0.70710678, 1.0)])
  func heVariance(scale: Float, factor: Double) throws {
    let (count, width, depth) = (64, 512, 6)
    let model = Model(
      name: "blocks", inputShape: [width], classCount: width,
      layers: Sequential {
        for _ in 0..<depth {
          Residual(scale: scale, activation: nil) {
            Functional.relu
            Linear(width, hasBias: false, initializer: .he)
          }
        }
      })
    let network = try TrainedNetwork(
      model, weights: model.initialValues(seed: 1), on: TestDevices.open("cpu"), batchSize: count)
    let x = Philox(seed: 2, stream: .data).normals(count * width)
    func variance(_ values: [Float]) -> Double {
      values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)
    }
    let ratio = variance(try network(HostTensor([count, width], x))[0].floats) / variance(x)
    #expect(abs(pow(ratio, 1 / Double(depth)) - factor) < 0.05 * factor, "\(ratio)")
  }
}

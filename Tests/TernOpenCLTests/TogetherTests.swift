import Tern
import TernOpenCL
import TernReference
import Testing

@Suite(.enabled(if: openCLDevice != nil)) struct TogetherTests {
  private static let counts = [1, 3, 64, 257, 1024, 4097, 5, 16, 100, 1000, 31]

  /// Parameters of many sizes, and two running means, the second of which is read after its sum.
  private func graph(_ optimizer: Optimizer) throws -> Graph {
    let builder = GraphBuilder()
    let parameters = try Self.counts.map { count in
      (
        parameter: try builder.variable("p\(count)", [count]),
        gradient: try builder.input("g\(count)", [count])
      )
    }
    let x = try builder.input("x", [37])
    for name in ["mean", "other"] {
      let mean = try builder.variable(name, [37])
      let sum = try mean.affine(scale: 0.75, shift: 0) + x.affine(scale: 0.25, shift: 1)
      builder.assign(mean, sum)
      if name == "other" { builder.output("old", try mean * x) }
    }
    try optimizer.update(
      parameters, in: builder, learningRate: builder.input(Optimizer.learningRateInput, []),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    return builder.graph
  }

  /// What three steps leave behind, and the launches of one.
  private func train(
    _ graph: Graph, reading others: [String] = [], on device: any Device
  ) throws -> (
    values: [String: [Float]], launchCount: Int
  ) {
    let session = Session(device: device)
    let executable = try session.compile(graph)
    let generator = Philox(seed: 3, stream: .data)
    var results: [String: [Float]] = [:]
    for step in 0..<3 {
      func values(_ count: Int) -> HostTensor {
        HostTensor([count], generator.normals(count, UInt32(count + step)))
      }
      var inputs = ["x": values(37)]
      for count in Self.counts { inputs["g\(count)"] = values(count) }
      inputs[Optimizer.learningRateInput] = HostTensor([], [Float(0.1)])
      inputs[Optimizer.stepInput] = HostTensor([], [Int32(step + 1)])
      results["old \(step)"] = try executable.run(inputs)["old"]?.floats
    }
    for name in Self.counts.map({ "p\($0)" }) + others {
      results[name] = try session.read(name).floats
    }
    return (results, executable.launchCount)
  }

  @Test(arguments: [Optimizer.sgd(momentum: 0.9), .adam()]) func smallTensorsShareLaunches(
    optimizer: Optimizer
  ) throws {
    let graph = try graph(optimizer)
    let means = ["mean", "other"]
    let got = try train(graph, reading: means, on: open(DeviceOptions(), "many-threads"))
    let expected = try train(graph, reading: means, on: ReferenceDevice())
    for (name, values) in expected.values {
      let error = zip(got.values[name]!, values).map { abs($0 - $1) }.max()!
      #expect(error < 1e-5, "\(name)")
    }
    // The parameters, the sums, the product, and the mean that is read after its sum.
    #expect(got.launchCount == 1 + 1 + 1 + 1)
  }

  /// As many gradients as do not fit one launch, bounded together, and averages of what they move.
  private func clipped(_ optimizer: Optimizer, keepsAverages: Bool = true) throws -> Graph {
    let builder = GraphBuilder()
    let parameters = try Self.counts.map { count in
      (
        parameter: try builder.variable("p\(count)", [count]),
        gradient: try builder.input("g\(count)", [count])
      )
    }
    let scale = try Tensor.sumOfSquares(of: parameters.map(\.gradient)).sqrt().reciprocal()
    try optimizer.update(
      parameters.map { ($0.parameter, try $0.gradient * scale) }, in: builder,
      learningRate: builder.input(Optimizer.learningRateInput, []),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    if keepsAverages {
      let rate = try builder.input("x", [37]).mean()
      for (number, parameter) in parameters.map(\.parameter).enumerated() {
        let average = try builder.variable("mean\(parameter.shape[0])", parameter.shape)
        let next = builder.assignedValue(of: parameter)
        // Two forms in turn, as where a network has running statistics, too.
        builder.assign(
          average,
          try number % 2 == 0
            ? average + (next - average) * rate : (next - average) * rate + average)
      }
    }
    return builder.graph
  }

  @Test(arguments: [Optimizer.sgd(momentum: 0.9), .adam(), .sgd()])
  func clippingAndAveragesShareLaunches(optimizer: Optimizer) throws {
    let graph = try clipped(optimizer)
    let averages = Self.counts.map { "mean\($0)" }
    for architecture in ["wide-cores", "many-threads"] {
      let got = try train(graph, reading: averages, on: open(DeviceOptions(), architecture))
      let expected = try train(graph, reading: averages, on: ReferenceDevice())
      for (name, values) in expected.values {
        let error = zip(got.values[name]!, values).map { abs($0 - $1) }.max()!
        #expect(error < 1e-5, "\(name) by \(architecture)")
      }
      guard architecture == "many-threads" else { continue }
      // The shares' sums and the sum of these, the mean of x, and the factor; all updates;
      // the averages by two forms, that of one element apart.
      #expect(got.launchCount == 2 + 1 + 1 + 1 + 3)
    }
  }

  /// More tensors than one launch takes, some of them cut into several shares.
  @Test(arguments: ["wide-cores", "many-threads"], [false, true])
  func manyTensorsAreSummed(architecture: String, ofSquares: Bool) throws {
    let counts = (0..<53).map { 1 + $0 * $0 * 23 % 907 } + [40_000, 16_385]
    let builder = GraphBuilder()
    let tensors = try counts.enumerated().map { try builder.input("x\($0)", [$1]) }
    builder.output(
      "sum", try ofSquares ? Tensor.sumOfSquares(of: tensors) : Tensor.sum(of: tensors))
    let generator = Philox(seed: 5, stream: .data)
    let values = Dictionary(
      uniqueKeysWithValues: counts.enumerated().map {
        ("x\($0)", HostTensor([$1], generator.normals($1, UInt32($0))))
      })
    let executable = try Session(device: open(DeviceOptions(), architecture))
      .compile(builder.graph)
    let got = Double(try executable.run(values)["sum"]!.floats[0])
    let terms = values.values.flatMap(\.floats).map {
      ofSquares ? Double($0) * Double($0) : Double($0)
    }
    #expect(abs(got - terms.reduce(0, +)) < 1e-6 * terms.reduce(0) { $0 + abs($1) })
    #expect(executable.launchCount == 3 + 1)
  }

  /// What one computes from what another wrote is no neighbour of it, whatever they compute.
  @Test func chainsThatReadOneAnotherKeepTheirOrder() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [37])
    let a = try builder.variable("mean", [37])
    let b = try builder.variable("other", [37])
    // b's half is taken of what a becomes.
    let next = try a.affine(scale: 0.5, shift: 0) + x
    builder.assign(a, next)
    builder.assign(b, try b.affine(scale: 0.5, shift: 0) + next)
    let session = Session(device: try open(DeviceOptions(), "many-threads"))
    let executable = try session.compile(builder.graph)
    for step in 1...2 {
      _ = try executable.run(["x": HostTensor([37], [Float](repeating: 1, count: 37))])
      let (first, second): (Float, Float) = step == 1 ? (1, 1) : (1.5, 2)
      #expect(try session.read("mean").floats == [Float](repeating: first, count: 37))
      #expect(try session.read("other").floats == [Float](repeating: second, count: 37))
    }
  }
}

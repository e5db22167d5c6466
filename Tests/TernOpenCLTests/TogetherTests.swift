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
  private func train(_ graph: Graph, on device: any Device) throws -> (
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
      results["old \(step)"] = try executable.run(inputs)["old"]!.floats
    }
    for name in Self.counts.map({ "p\($0)" }) + ["mean", "other"] {
      results[name] = try session.read(name).floats
    }
    return (results, executable.launchCount)
  }

  @Test(arguments: [Optimizer.sgd(momentum: 0.9), .adam()]) func smallTensorsShareLaunches(
    optimizer: Optimizer
  ) throws {
    let graph = try graph(optimizer)
    let got = try train(graph, on: open(DeviceOptions(), "many-threads"))
    let expected = try train(graph, on: ReferenceDevice())
    for (name, values) in expected.values {
      let error = zip(got.values[name]!, values).map { abs($0 - $1) }.max()!
      #expect(error < 1e-5, "\(name)")
    }
    // Eight parameters and three; a sum, a sum and the product beside it, and the mean that is read after its
    // sum.
    #expect(got.launchCount == 2 + 1 + 1 + 1)
  }
}

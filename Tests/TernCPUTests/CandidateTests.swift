import TernCPU
import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

/// The CPU's own routines beside its library's: each can be asked for, is told of, and computes the same.
@Suite struct CPUCandidateTests {
  private func open(_ request: CandidateRequest = CandidateRequest()) throws -> any CandidateDevice
  {
    let backend = CPUBackend()
    let device = try backend.open(
      backend.devices()[0], options: DeviceOptions(threads: 2, candidates: request))
    return try #require(device as? any CandidateDevice)
  }

  /// All passes of a convolution.
  private static func convolution(
    _ input: Shape, _ weight: Shape, stride: [Int] = [1, 1], padding: [Int] = [1, 1]
  ) throws -> Graph {
    let builder = GraphBuilder()
    let (x, w) = try (builder.input("x", input), builder.input("w", weight))
    let y = try x.conv2d(
      weight: w, bias: nil, stride: stride, padding: .symmetric(padding), dilation: [1, 1],
      groups: 1)
    builder.output("y", y)
    let gradients = try builder.gradients(
      of: [(y, builder.input("dy", y.shape))], withRespectTo: [x, w])
    for (name, gradient) in zip(["dx", "dw"], gradients) {
      builder.output(name, try #require(gradient))
    }
    return builder.graph
  }

  /// A step of a linear layer with few samples and a large matrix.
  private static func layer() throws -> Graph {
    let builder = GraphBuilder()
    let (x, dy) = try (builder.input("x", [8, 1024]), builder.input("dy", [8, 1024]))
    // A variable starts at zero: the layer's own matrix is another.
    let w = try builder.variable("w", [1024, 1024])
    let matrix = try builder.input("matrix", [1024, 1024])
    let y = try x.linear(weight: matrix, bias: nil)
    builder.output("y", y)
    let dw = try #require(
      builder.gradients(of: [(y, dy)], withRespectTo: [matrix])[0])
    let updated = try builder.apply(
      Operations.OptimizerUpdate(.sgd(momentum: 0, isNesterov: false, weightDecay: 0)),
      [w, dw, builder.input("rate", Shape([])), builder.input("step", TensorType([], .int32))])
    builder.assign(w, updated[0])
    builder.output("w'", updated[0])
    return builder.graph
  }

  private static let graphs:
    [(name: String, kinds: Set<String>, graph: @Sendable () throws -> Graph)] =
      [
        (
          "pairs of columns", ["paired", "onednn"],
          { try convolution([3, 3, 9, 8], [6, 3, 3, 3]) }
        ),
        (
          "pairs for the input", ["paired", "onednn"],
          {
            try convolution([2, 6, 8, 8], [16, 6, 3, 3])
          }
        ),
        (
          "strided tiles", ["tiles", "onednn"],
          {
            try convolution([3, 32, 9, 12], [64, 32, 3, 3], stride: [2, 2])
          }
        ),
        (
          "Winograd", ["winograd", "onednn"], { try convolution([4, 64, 16, 16], [64, 64, 3, 3]) }
        ),
        ("few rows and an update", ["sgemm", "fused", "apart", "onednn"], { try layer() }),
      ]

  @Test(arguments: graphs.indices)
  func everyCandidateComputesTheSame(index: Int) throws {
    let (name, kinds, make) = Self.graphs[index]
    let graph = try make()
    let values = graph.inputValues(seed: 11)
    let expected = try Session(device: ReferenceDevice()).compile(graph).run(values)
    var seen: Set<String> = []
    for measurement in try open().measurements(in: graph) {
      let problem = measurement.problem
      #expect(problem.candidates.count > 1)
      for candidate in problem.candidates {
        seen.insert(candidate.kind)
        let device = try open()
        device.candidates.tuning.force(problem.description, candidate.name)
        let executable = try Session(device: device).compile(graph)
        // Updates apart are nodes of their own.
        if candidate.kind != "apart" {
          #expect(
            executable.bound.implementations.contains { $0.hasPrefix(candidate.name + " (") },
            "\(name): \(candidate.name) in \(executable.bound.implementations)")
        }
        for (output, value) in try executable.run(values) {
          let target = try #require(expected[output]).floats
          let scale = target.reduce(0) { max($0, abs($1)) }
          #expect(
            zip(value.floats, target).allSatisfy { abs($0 - $1) <= 1e-4 * scale },
            "\(name): \(candidate.name), \(output)")
        }
      }
    }
    // Tiles, pairs and oneDNN's Winograd take AVX-512.
    let others: Set = hasAVX512 ? [] : ["tiles", "paired", "winograd"]
    #expect(seen.isSubset(of: kinds) && seen.union(others).isSuperset(of: kinds), "\(name)")
  }

  @Test(.enabled(if: hasAVX512)) func candidatesAreAskedForAndRuledOutByName() throws {
    let graph = try Self.convolution([3, 3, 9, 8], [6, 3, 3, 3])
    func implementations(_ request: CandidateRequest) throws -> [String] {
      try Session(device: open(request)).compile(graph).bound.implementations
    }
    #expect(try implementations(.init()).contains { $0.hasPrefix("paired") })
    #expect(
      try !implementations(.init(forbidden: ["paired"])).contains { $0.hasPrefix("paired") })
    #expect(
      try implementations(.init(wanted: ["paired parts"])).contains {
        $0.hasPrefix("paired parts (")
      })
  }

  /// Where nothing is tuned, the second layer of LeNet-5 takes what was measured to be faster: 223 µs by
  /// pairs of columns for the gradient of its input, 350 µs by oneDNN.
  @Test(.enabled(if: hasAVX512)) func estimatesAgreeWithWhatWasMeasured() throws {
    let graph = try Self.convolution([64, 6, 14, 14], [16, 6, 5, 5], padding: [0, 0])
    let device = try open()
    let taken = try Session(device: device).compile(graph).bound.implementations
    #expect(taken.contains { $0.hasPrefix("paired (") }, "\(taken)")
    #expect(taken.contains { $0.hasPrefix("onednn parts (") }, "\(taken)")
  }
}

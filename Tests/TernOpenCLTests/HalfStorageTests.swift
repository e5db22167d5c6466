import TernCore
import TernGraph
import TernOpenCL
import TernReference
import TernRuntime
import Testing

/// Products and convolutions of tensors that are stored in 16 bits, by every way that a device has for them.
@Suite(.enabled(if: openCLDevice != nil)) struct HalfStorageTests {
  private static let architectures = ["wide-cores", "many-threads"]
  /// A type on each: the kernels of the other differ in what reads and writes a number, which all numbers are tried on.
  private static let pairs = Array(zip(architectures, [Precision.bf16, .fp16]))

  /// Runs a graph by every way there is for its nodes: as many times as the node has ways that has most.
  private func forEachWay(
    of graph: Graph, on device: OpenCLDevice, _ body: (_ ways: [String]) throws -> Void
  ) throws {
    let planned = try Session(device: device).plan(graph).graph
    let problems = try planned.nodes.compactMap {
      try device.candidateProblem(of: $0.operation, inputs: planned.types($0.inputs))
    }
    try #require(!problems.isEmpty)
    for index in 0..<problems.map(\.candidates.count).max()! {
      let ways = problems.map { $0.candidates[index % $0.candidates.count].name }
      for (problem, way) in zip(problems, ways) {
        device.candidates.tuning.force(problem.description, way)
      }
      try body(ways)
    }
    for problem in problems { device.candidates.tuning.force(problem.description, nil) }
  }

  @Test(arguments: pairs) func everyAlgorithmOfConvolutions(
    architecture: String, precision: Precision
  ) throws {
    // The first of each algorithm; CLBlast's is float32 alone.
    var seen: Set = [ConvolutionAlgorithm.im2col]
    for testCase in ConvolutionTests.cases where seen.insert(testCase.algorithm).inserted {
      let device = try open(
        DeviceOptions(algorithm: testCase.algorithm, precision: precision), architecture)
      // Operands that are numbers of 16 bits: what is rounded is what is stored.
      let experiment = try ConvolutionExperiment(
        testCase.input, weight: testCase.weight, stride: testCase.stride,
        padding: testCase.padding, dilation: testCase.dilation, groups: testCase.groups,
        rounding: precision.rounded)
      let error = try experiment.error(on: device)
      #expect(error <= Float(precision.unitRoundoff), "\(testCase) \(precision)")
      let passes = try experiment.implementations(on: device).filter {
        $0.hasPrefix(testCase.algorithm.rawValue)
      }
      #expect(passes.count == testCase.passes, "\(testCase) \(precision)")
      let first = try experiment.run(on: device)
      #expect(try experiment.run(on: device) == first, "\(testCase) \(precision)")
    }
  }

  @Test(arguments: pairs) func everyWayOfAConvolution(
    architecture: String, precision: Precision
  ) throws {
    try withTemporaryCache { cache in
      let device = try open(DeviceOptions(precision: precision), [architecture], cache: cache)
      for (weight, stride) in [(Shape([12, 8, 3, 3]), [1, 1]), ([9, 8, 1, 1], [2, 1])] {
        let experiment = try ConvolutionExperiment(
          [3, 8, 10, 12], weight: weight, stride: stride, padding: [weight[2] / 2, 0],
          rounding: precision.rounded)
        try forEachWay(of: experiment.graph, on: device) { ways in
          let error = try experiment.error(on: device)
          #expect(error <= Float(precision.unitRoundoff), "\(ways)")
        }
      }
    }
  }

  /// Sums of whole numbers are exact, and so is what they are rounded to.
  @Test(arguments: pairs) func everyWayOfAProduct(
    architecture: String, precision: Precision
  ) throws {
    try withTemporaryCache { cache in
      let device = try open(DeviceOptions(precision: precision), [architecture], cache: cache)
      let shapes: [(Shape, Shape)] = [
        ([37, 53], [53, 44]), ([2, 20, 33], [2, 33, 17]), ([5, 64], [64, 72]),
        ([64, 72], [72, 3]),
      ]
      for (a, b) in shapes {
        let experiment = try ProductExperiment(a, b)
        let expected = try experiment.results(on: ReferenceDevice(precision: precision))
        try forEachWay(of: experiment.graph, on: device) { ways in
          let got = try experiment.results(on: device)
          for (name, value) in expected {
            #expect(got[name]?.floats == value.floats, "\(name) of \(a) \(b) by \(ways)")
          }
        }
      }
    }
  }

  /// What the kernels of a step compile to depends on what is stored, and on nothing else: a float32 kernel is told
  /// nothing.
  @Test(arguments: architectures) func kernelsOfFloat32AreToldNothing(architecture: String) throws {
    func builds(_ precision: Precision) throws -> [KernelBuild] {
      let device = try open(DeviceOptions(precision: precision), architecture)
      let experiment = try ConvolutionExperiment([2, 8, 8, 8], weight: [8, 8, 3, 3])
      _ = try experiment.run(on: device)
      return device.builds
    }
    let isTold = { (build: KernelBuild) in
      build.defines.contains { $0.hasPrefix("INPUT_TYPE") || $0.hasPrefix("OUTPUT_TYPE") }
    }
    #expect(try !builds(.fp32).contains(where: isTold))
    #expect(try builds(.bf16).contains(where: isTold))
  }

  /// What has no kernel for a type is taken apart, or refused before anything runs.
  @Test func whatThereIsNoKernelForIsRefused() throws {
    let device = try open()
    let half = TensorType([2, 3], .bfloat16)
    #expect(device.supports(Operations.Unary(.relu), inputs: [half]))
    #expect(!device.supports(Operations.Softmax(axis: 1, isLogarithmic: false), inputs: [half]))
    #expect(!device.supports(Operations.Unary(.relu), inputs: [TensorType([2], .uint8)]))
    let builder = GraphBuilder()
    let (indices, table) = (
      try builder.input("indices", TensorType([4], .int32)), try builder.input("table", half)
    )
    builder.output("y", try indices.embedding(weight: table))
    let error = #expect(throws: TernError.self) { try Session(device: device).plan(builder.graph) }
    #expect(error?.message == "the device has no kernel for embedding")
  }
}

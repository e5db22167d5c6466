import TernCore
import TernOpenCL
import TernRuntime
import Testing

/// Matrix products on processors: each way to compute them, and which one is taken untuned.
@Suite(.enabled(if: openCLDevice != nil)) struct WideCoreProductTests {
  /// A way, and a product and its gradients of which so many can be computed so.
  static let ways: [(way: String, a: Shape, b: Shape, count: Int)] = [
    ("rows", [21, 67], [67, 45], 2), ("dot", [21, 67], [67, 45], 1),
    ("packed", [2, 21, 67], [2, 67, 45], 3), ("thin", [9, 70], [70, 40], 1),
    // Few rows, and as few columns in the transposed product: by stripes that are transposed.
    ("thin", [3, 7, 70], [3, 70, 37], 1), ("thin", [21, 67], [67, 9], 1),
    ("thin", [2, 40, 35], [2, 35, 1], 1),
  ]

  @Test(arguments: ways) func everyWayIsExactBeyondItsEdges(
    way: String, a: Shape, b: Shape, count: Int
  ) throws {
    let options = DeviceOptions(candidates: CandidateRequest(wanted: [way]))
    let device = try open(options, "wide-cores")
    let experiment = try ProductExperiment(a, b)
    let names = try experiment.implementations(on: device)
    #expect(names.count { $0.hasPrefix(way) } == count, "\(names)")
    try experiment.expectExact(on: device, "\(names)")
  }

  /// What the costs choose for products of [m, k] and [k, n] and for their gradients; in comments what the
  /// way before took, as a multiple of the time. Empty where two are as good.
  static let choices: [(a: Shape, b: Shape, ways: [String])] = [
    // The gradient of the weights by rows: 3.6, every row of both operands in a page of its own.
    ([5124, 2048], [2048, 700], ["", "packed", "packed"]),
    // The gradient of the weights by rows: 2.5.
    ([2560, 2560], [2560, 16], ["rows", "packed", "thin 16x"]),
    // By rows: 3. Strides of 4 KiB fall on one another in caches.
    ([1024, 1024], [1024, 1024], ["packed", "packed", "packed"]),
    ([256, 256], [256, 256], ["rows", "packed", "rows"]),
    // A vector and its gradients; the outer product by CLBlast: 20.
    ([7680, 2560], [2560, 1], ["rows", "packed", "thin 1x"]),
    // The gradient of the left factor packed: 2.
    ([512, 32], [32, 512], ["rows", "dot", "rows"]),
  ]

  @Test(arguments: choices) func costsChooseTheWay(a: Shape, b: Shape, ways: [String]) throws {
    let device = try open(DeviceOptions(), "wide-cores=16")
    let graph = try ProductExperiment(a, b).graph
    let names = try graph.nodes.map { node in
      let inputs = graph.types(node.inputs)
      let problem = try #require(
        try device.candidateProblem(of: node.operation, inputs: inputs))
      return device.candidates.choice(of: problem).name
    }
    #expect(zip(names, ways).allSatisfy { $0.hasPrefix($1) }, "\(names)")
  }
}

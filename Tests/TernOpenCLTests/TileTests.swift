import TernCore
import TernGraph
import TernOpenCL
import TernReference
import TernRuntime
import Testing

/// The tiles of products and convolutions on devices with many threads. Whole numbers are summed
/// exactly, so that results must be the reference's to the bit.
@Suite(.enabled(if: openCLDevice != nil)) struct TileTests {
  static let tiles = ["128x128", "64x128", "128x64", "64x64", "32x128"]

  /// Has every node that can be computed by a tile, or by a tile and parts, be computed so.
  private func force(_ prefix: String, in graph: Graph, on device: OpenCLDevice) throws -> Int {
    var count = 0
    for node in graph.nodes {
      guard
        let problem = try device.candidateProblem(
          of: node.operation, inputs: graph.types(node.inputs)),
        let name = problem.candidates.map(\.name).first(where: {
          $0 == prefix || $0.hasPrefix(prefix + "/")
        })
      else { continue }
      device.candidates.tuning.force(problem.description, name)
      count += 1
    }
    return count
  }

  @Test(arguments: tiles) func aTileMultipliesExactlyBeyondItsEdges(_ tile: String) throws {
    let device = try open(DeviceOptions(), "many-threads")
    var shapes: [(Shape, Shape)] = [([133, 67], [67, 141])]
    // By fours, the kernels are others: two of them tell.
    if ["128x128", "32x128"].contains(tile) { shapes.append(([2, 132, 36], [2, 36, 140])) }
    for (a, b) in shapes {
      let experiment = try ProductExperiment(a, b)
      #expect(try force("tile \(tile)", in: experiment.graph, on: device) > 0)
      try experiment.expectExact(on: device, "\(a) × \(b)")
    }
  }

  @Test func fewTilesWithManyTermsAreCutIntoPartsThatAreAddedInOrder() throws {
    let device = try open(DeviceOptions(), "many-threads")
    let experiment = try ProductExperiment([3, 2115], [2115, 5])
    let names = try experiment.implementations(on: device)
    #expect(names.contains { $0.hasPrefix("tile ") && $0.contains("/") })
    try experiment.expectExact(on: device, "\(names)")
    let first = try experiment.results(on: device)
    #expect(try experiment.results(on: device) == first)
  }

  struct Geometry: Sendable, CustomTestStringConvertible {
    let input: Shape
    let weight: Shape
    var stride = [1, 1]
    var padding = [0, 0]
    var dilation = [1, 1]
    var groups = 1
    var testDescription: String { "\(input) by \(weight), stride \(stride), \(dilation)" }
  }

  static let geometries = [
    // More images than a lap; planes of 1, 2, 9 and 16 positions.
    Geometry(input: [9, 5, 3, 3], weight: [7, 5, 3, 3]),
    Geometry(input: [11, 3, 2, 1], weight: [5, 3, 1, 1]),
    Geometry(input: [5, 4, 4, 4], weight: [6, 4, 1, 1]),
    Geometry(input: [3, 8, 4, 4], weight: [9, 8, 3, 3], padding: [1, 1]),
    // As many phases as strides have remainders; some meet no tap, some no position.
    Geometry(input: [2, 3, 9, 8], weight: [4, 3, 3, 3], stride: [2, 2], padding: [1, 1]),
    Geometry(input: [2, 4, 7, 9], weight: [6, 4, 1, 1], stride: [2, 3]),
    Geometry(input: [1, 3, 13, 11], weight: [4, 3, 3, 2], stride: [3, 4], padding: [2, 0]),
    Geometry(
      input: [2, 2, 14, 15], weight: [3, 2, 3, 4], stride: [2, 3], padding: [3, 2],
      dilation: [2, 3]),
    Geometry(
      input: [2, 2, 13, 12], weight: [3, 2, 3, 3], stride: [4, 6], padding: [1, 1],
      dilation: [2, 4]),
    Geometry(input: [1, 2, 5, 5], weight: [3, 2, 5, 5], stride: [7, 7], padding: [2, 2]),
    Geometry(
      input: [2, 6, 9, 10], weight: [8, 3, 3, 3], stride: [2, 1], padding: [1, 1], groups: 2),
    // More rows and columns of taps than there are bits.
    Geometry(input: [2, 2, 5, 45], weight: [3, 2, 2, 33], stride: [1, 2], padding: [1, 16]),
    // Kernels of 7 × 7 with a stride, as networks begin.
    Geometry(input: [1, 3, 20, 24], weight: [4, 3, 7, 7], stride: [2, 2], padding: [3, 3]),
  ]

  @Test(arguments: geometries) func convolutionsByTilesAreExact(_ g: Geometry) throws {
    let device = try open(DeviceOptions(algorithm: .implicitGEMM), "many-threads")
    let experiment = try ConvolutionExperiment(
      g.input, weight: g.weight, stride: g.stride, padding: g.padding, dilation: g.dilation,
      groups: g.groups, rounding: ProductExperiment.whole)
    let names = try experiment.implementations(on: device)
    #expect(names.filter { $0.hasPrefix("implicit-gemm ") }.count == 3)
    #expect(try experiment.error(on: device) == 0)
  }

  @Test(arguments: tiles) func everyTileComputesAllPassesOfAConvolution(_ tile: String) throws {
    let device = try open(DeviceOptions(algorithm: .implicitGEMM), "many-threads")
    var shapes: [(Shape, Shape, [Int])] = [([3, 17, 12, 13], [70, 17, 3, 3], [2, 2])]
    if ["128x128", "32x128"].contains(tile) {
      shapes.append(([2, 132, 4, 6], [68, 132, 1, 1], [1, 1]))
    }
    for (input, weight, stride) in shapes {
      let experiment = try ConvolutionExperiment(
        input, weight: weight, stride: stride, rounding: ProductExperiment.whole)
      #expect(try force("implicit-gemm \(tile)", in: experiment.graph, on: device) > 0)
      #expect(try experiment.error(on: device) == 0)
    }
  }
}

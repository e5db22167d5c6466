import TernCore
import TernGraph
import TernRuntime

/// The gradient of a convolution's weight as a product that never stores its patches, by tiles in local
/// memory, for devices with many threads: see `convolution/tile_convolution_weight.cl`.
struct TileConvolutionWeight: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.implicitGEMM

  private let problem: ConvolutionProblem
  private let choice: TileChoice
  private let phase: ConvolutionPhase
  private let marks: ConvolutionPhase.Marks
  private let isSuited: Bool

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let g = problem.geometry
    guard problem.pass == .backwardWeight else { return [] }
    let phases = ConvolutionPhase.forward(g)
    guard let marks = ConvolutionPhase.Marks(phases, plane: (g.inHeight, g.inWidth)) else {
      return []
    }
    return TileChoice.all(
      problem.outputs, problem.inputs * problem.taps,
      terms: g.batch * g.outHeight * g.outWidth, count: g.groups, on: device
    ).map {
      Self(
        problem: problem, choice: $0, phase: phases[0], marks: marks,
        isSuited: device.architecture == .manyThreads)
    }
  }

  var parameters: String { choice.name }

  private var columns: Int { problem.inputs * problem.taps }
  private var plane: (h: Int, w: Int) { (problem.geometry.inHeight, problem.geometry.inWidth) }
  /// Positions of an image.
  private var positions: Int { phase.positions }
  private var count: Int { problem.geometry.weightShape.elementCount }

  /// From one part of the results to the next.
  private var apart: Int {
    ProductTile.apart(count, problem.sumsGradient ? problem.geometry.outChannels : 0)
  }

  var workspaceByteCount: Int { choice.parts > 1 ? 4 * choice.parts * apart : 0 }

  var sumsGradient: Bool { true }

  var cost: ConvolutionCost {
    // The tiles' accumulators fill no vectors of a processor.
    ConvolutionCost(flops: choice.operations * (isSuited ? 1 : 20), bytes: 0)
  }

  /// Images that together have a multiple of a tile's terms.
  private var imagesOfLap: Int {
    (1...ProductTile.depth).first { $0 * positions % ProductTile.depth == 0 }!
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, device) = (problem.geometry, encoder.device)
    let (tile, parts) = (choice.tile, choice.parts)
    let (dy, x) = (operands.output, operands.input)
    let target = parts > 1 ? encoder.scratch(0, count: parts * apart) : operands.weight
    let sums = parts > 1 ? target.moved(by: count) : operands.bias ?? target
    let terms = g.batch * positions
    let isWide = columns % 4 == 0 && target.offset % 4 == 0
    let isEven = positions % ProductTile.depth == 0
    let w = g.window
    let isPointwise =
      problem.taps == 1 && w.strideHeight == 1 && w.strideWidth == 1 && w.paddingHeight == 0
      && w.paddingWidth == 0
    try encoder.launch(
      "conv2d_tile_weight", in: "convolution/tile_convolution_weight",
      groups: [tile.count(problem.outputs, columns), g.groups * parts],
      localSize: [tile.groupSize, 1],
      [
        .tensor(dy), .tensor(x), .absent(x), .tensor(target),
        .tensor(sums),
        .table(
          try TileGather.entries(
            [phase], channels: problem.inputs, plane: plane, marks, of: problem, on: device)),
        .table(try positionTable(device)), .int(problem.outputs), .int(columns), .int(terms),
        .int(g.groups), .int(positions), .int(problem.inputs), .int(plane.h), .int(plane.w),
        .int(imagesOfLap * positions), .int(imagesOfLap * g.outChannels * positions),
        .int(imagesOfLap * g.inChannels * plane.h * plane.w),
        .int(ProductTile.share(terms, parts: parts)), .int(apart),
        .int(Epilogue().flags(storesWide: isWide)),
      ],
      defines: tile.defines(on: device).merging(
        TileGather.defines(marks, reading: x, on: device)
      ) { $1 }.merging([
        "LEFT_WIDTH": isEven && dy.offset % 4 == 0 ? 4 : 1,
        "RIGHT_WIDTH": isEven && isPointwise && x.offset % 4 == 0 ? 4 : 1,
        "ROW_SUMS": operands.bias == nil ? 0 : 1,
      ]) { $1 }, options: tile.options(on: device))
    if parts > 1 {
      try encoder.sumParts(
        target, into: operands.weight, operands.bias, parts: parts, apart: apart, Epilogue())
    }
  }

  /// Of the positions of a lap: where its window starts, how it is marked, where its output is.
  private func positionTable(_ device: OpenCLDevice) throws -> OpenCLBuffer {
    try device.table("positions \(problem.tableKey)") {
      let (g, w) = (problem.geometry, problem.geometry.window)
      var result: [Int32] = []
      result.reserveCapacity(4 * imagesOfLap * positions)
      for image in 0..<imagesOfLap {
        for i in 0..<phase.h.count {
          for j in 0..<phase.w.count {
            let (top, side) = (i * w.strideHeight, j * w.strideWidth)
            result += [
              Int32((image * g.inChannels * plane.h + top) * plane.w + side),
              phase.mark(top: top, side: side, plane: plane, marks),
              Int32(image * g.outChannels * positions + i * phase.w.count + j), 0,
            ]
          }
        }
      }
      return result
    }
  }
}

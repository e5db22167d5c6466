import TernCore
import TernGraph
import TernRuntime

/// A convolution as a matrix product that never stores its patches, for devices with many threads;
/// see `convolution/implicit_gemm.cl`.
struct ImplicitGemmConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.implicitGEMM

  private let problem: ConvolutionProblem
  private let isSuited: Bool
  private let parts: Int
  /// Of the product that each group of channels is.
  private let rows: Int
  private let columns: Int

  /// The side of the tile that a work-group computes; the kernel's TILE.
  private static let tile = 64
  private static let groupSize = 256

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    [Self(problem, on: device)]
  }

  private init(_ problem: ConvolutionProblem, on device: OpenCLDevice) {
    self.problem = problem
    // A work-item's 4 × 4 accumulators fill no vectors.
    isSuited = device.architecture == .manyThreads
    let g = problem.geometry
    let (inputs, outputs, taps) = (problem.inputs, problem.outputs, problem.taps)
    switch problem.pass {
    case .forward: (rows, columns) = (outputs, g.batch * g.outHeight * g.outWidth)
    case .backwardInput: (rows, columns) = (inputs, g.batch * g.inHeight * g.inWidth)
    case .backwardWeight: (rows, columns) = (outputs, inputs * taps)
    }
    let tiles = { (extent: Int) in (extent + Self.tile - 1) / Self.tile }
    // A weight is small and its terms are many: several groups share an element's sum.
    let terms = g.batch * g.outHeight * g.outWidth
    let groups = tiles(rows) * tiles(columns) * g.groups
    parts =
      problem.pass == .backwardWeight
      ? max(1, min(64, terms / 256, device.busyItemCount / (groups * Self.groupSize))) : 1
  }

  var workspaceByteCount: Int {
    parts > 1 ? 4 * parts * problem.geometry.weightShape.elementCount : 0
  }

  var parameters: String { "\(Self.tile)x\(Self.tile)x16" }

  var cost: ConvolutionCost {
    // What a tile has beyond the edge is computed as well.
    let whole = { (extent: Int) in Double((extent + Self.tile - 1) / Self.tile * Self.tile) }
    let g = problem.geometry
    let used = Double(rows * columns) / (whole(rows) * whole(columns))
    return ConvolutionCost(
      flops: Double(g.flops) / used * (isSuited ? 1.2 : 20), bytes: Double(workspaceByteCount) * 2)
  }

  /// `PASS` of the kernel, its operands, and what it writes.
  private func kernel(_ x: ConvolutionOperands) -> (pass: Int, a: View, b: View, y: View) {
    switch problem.pass {
    case .forward: (0, x.weight, x.input, x.output)
    case .backwardInput: (1, x.weight, x.output, x.input)
    case .backwardWeight: (2, x.output, x.input, x.weight)
    }
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window) = (problem.geometry, problem.geometry.window)
    let (pass, a, b, y) = kernel(operands)
    let target = parts > 1 ? encoder.scratch(0, count: parts * y.count) : y
    try encoder.launch(
      "conv2d_implicit_gemm", in: "convolution/implicit_gemm",
      groups: [
        (columns + Self.tile - 1) / Self.tile, (rows + Self.tile - 1) / Self.tile,
        g.groups * parts,
      ], localSize: [Self.groupSize, 1, 1],
      [.tensor(a), .tensor(b), .tensor(operands.bias ?? a), .tensor(target)],
      defines: [
        "PASS": pass, "PARTS": parts, "BATCH": g.batch, "GROUPS": g.groups,
        "IN_CHANNELS": g.inChannels / g.groups, "H": g.inHeight, "W": g.inWidth,
        "OUT_CHANNELS": g.outChannels / g.groups, "OH": g.outHeight, "OW": g.outWidth,
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
        "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
        "DH": window.dilationHeight, "DW": window.dilationWidth,
        "HAS_BIAS": operands.bias == nil ? 0 : 1,
      ])
    if parts > 1 {
      try encoder.sumParts(target, into: y, parts: parts)
    }
  }
}

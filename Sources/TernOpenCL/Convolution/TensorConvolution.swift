import TernCore
import TernGraph
import TernRuntime

/// A convolution as a matrix product that never stores its patches, on tensor cores: see
/// `convolution/tensor_implicit_gemm.cl`.
struct TensorConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.implicitGEMM

  private let problem: ConvolutionProblem
  private let parts: Int
  /// Of the product that each group of channels is.
  private let rows: Int
  private let columns: Int
  /// What a work-group computes.
  private let tile: TensorTile

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let (rows, columns) = size(problem)
    return TensorTile.all(
      forRows: rows, columns: columns, count: problem.geometry.groups, problem.dataType, on: device
    ).map { Self(problem, $0, on: device) }
  }

  /// Of the product that each group of channels is.
  private static func size(_ problem: ConvolutionProblem) -> (rows: Int, columns: Int) {
    let g = problem.geometry
    return switch problem.pass {
    case .forward: (problem.outputs, g.batch * g.outHeight * g.outWidth)
    case .backwardInput: (problem.inputs, g.batch * g.inHeight * g.inWidth)
    case .backwardWeight: (problem.outputs, problem.inputs * problem.taps)
    }
  }

  private init(_ problem: ConvolutionProblem, _ tile: TensorTile, on device: OpenCLDevice) {
    self.problem = problem
    self.tile = tile
    let g = problem.geometry
    let (rows, columns) = Self.size(problem)
    (self.rows, self.columns) = (rows, columns)
    // A weight is small and its terms are many: several groups share an element's sum.
    let terms = g.batch * g.outHeight * g.outWidth
    let count = tile.count(rows, columns) * g.groups * tile.groupSize
    parts =
      problem.pass == .backwardWeight
      ? max(1, min(64, terms / 256, device.busyItemCount / count)) : 1
  }

  var workspaceByteCount: Int {
    parts > 1 ? 4 * parts * problem.geometry.weightShape.elementCount : 0
  }

  var parameters: String { tile.name }

  var cost: ConvolutionCost {
    // What a tile has beyond the edge is computed as well.
    ConvolutionCost(
      flops: Double(problem.geometry.flops) * tile.waste(rows, columns) * TensorTile.cost,
      bytes: Double(workspaceByteCount) * 2)
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
    var defines = tile.defines
    defines["RIGHT_ALONG_TERMS"] = problem.pass == .backwardWeight ? 1 : 0
    // Rows of weights are copied by sixteen bytes where they start at multiples of that.
    let terms = problem.inputs * problem.taps
    defines["LEFT_WIDTH"] =
      problem.pass == .forward && terms % 4 == 0 && a.offset % 4 == 0 ? 4 : 1
    try encoder.launch(
      "conv2d_tensor_implicit_gemm", in: "convolution/tensor_implicit_gemm",
      groups: [
        (columns + tile.columns - 1) / tile.columns, (rows + tile.rows - 1) / tile.rows,
        g.groups * parts,
      ], localSize: [tile.groupSize, 1, 1],
      [.tensor(a), .tensor(b), .tensor(operands.bias, or: a), .tensor(target)],
      defines: defines.merging([
        "PASS": pass, "PARTS": parts, "BATCH": g.batch, "GROUPS": g.groups,
        "IN_CHANNELS": g.inChannels / g.groups, "H": g.inHeight, "W": g.inWidth,
        "OUT_CHANNELS": g.outChannels / g.groups, "OH": g.outHeight, "OW": g.outWidth,
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
        "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
        "DH": window.dilationHeight, "DW": window.dilationWidth,
        "HAS_BIAS": operands.bias == nil ? 0 : 1,
      ]) { $1 })
    if parts > 1 {
      try encoder.sumParts(target, into: y, parts: parts)
    }
  }
}

import TernCore
import TernGraph
import TernRuntime

/// The windows as columns of a matrix in memory, a sample at a time, then CLBlast's matrix product:
/// what every other algorithm is measured against. See `convolution/im2col.cl`.
struct Im2colConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.im2col

  private let problem: ConvolutionProblem

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    device.hasLibrary && problem.dataType == .float32 ? [Self(problem: problem)] : []
  }

  let parameters = "clblast"

  /// Of one channel of the output.
  private var plane: Int { problem.geometry.outHeight * problem.geometry.outWidth }
  /// Rows of a group's columns.
  private var terms: Int { problem.inputs * problem.taps }
  private var columnCount: Int { problem.geometry.groups * terms * plane }

  var workspaceByteCount: Int { 4 * columnCount }

  var cost: ConvolutionCost {
    let g = problem.geometry
    return ConvolutionCost(
      flops: 8 * Double(g.flops), bytes: 8 * Double(g.batch * columnCount))
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let g = problem.geometry
    let columns = encoder.scratch(0, count: columnCount)
    for sample in 0..<g.batch {
      let input = operands.input.samples(sample, count: 1)
      let output = operands.output.samples(sample, count: 1)
      switch problem.pass {
      case .forward:
        try encode("im2col", input, columns, encoder)
        if let bias = operands.bias {
          // The bias first; the product is added to it.
          try encoder.stridedCopy(
            [g.outChannels, plane], from: bias, strides: [1, 0], to: output, strides: [plane, 1],
            operation: "conv2d")
        }
        try product(
          operands.weight, columns, into: output, m: problem.outputs, n: plane, k: terms,
          accumulates: operands.bias != nil, encoder)
      case .backwardInput:
        try product(
          operands.weight, output, into: columns, m: terms, n: plane, k: problem.outputs,
          transposesA: true, encoder)
        try encode("col2im", columns, input, encoder)
      case .backwardWeight:
        try encode("im2col", input, columns, encoder)
        try product(
          output, columns, into: operands.weight, m: problem.outputs, n: terms, k: plane,
          transposesB: true, accumulates: sample > 0, encoder)
      }
    }
  }

  /// The product of each group.
  private func product(
    _ a: View, _ b: View, into c: View, m: Int, n: Int, k: Int, transposesA: Bool = false,
    transposesB: Bool = false, accumulates: Bool = false, _ encoder: StepEncoder
  ) throws {
    encoder.library(
      .init(view: a, isTransposed: transposesA, rowLength: transposesA ? m : k),
      .init(view: b, isTransposed: transposesB, rowLength: transposesB ? k : n), into: c,
      size: (problem.geometry.groups, m, n, k), beta: accumulates ? 1 : 0)
  }

  private func encode(_ kernel: String, _ x: View, _ y: View, _ encoder: StepEncoder) throws {
    let (g, window) = (problem.geometry, problem.geometry.window)
    let defines = [
      "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
      "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
      "DH": window.dilationHeight, "DW": window.dilationWidth,
    ]
    if encoder.architecture == .manyThreads {
      let extents: [Argument] =
        kernel == "im2col"
        ? [.divisor(g.outWidth), .divisor(g.outHeight), .int(g.inHeight), .int(g.inWidth)]
        : [.divisor(g.inWidth), .divisor(g.inHeight), .int(g.outHeight), .int(g.outWidth)]
      let count = kernel == "im2col" ? columnCount : g.inChannels * g.inHeight * g.inWidth
      return try encoder.map(
        "\(kernel)_elements", in: "convolution/copies_threads", count: count,
        [.tensor(x), .tensor(y), .int(count)] + extents, defines: defines)
    }
    let rows =
      kernel == "im2col"
      ? g.inChannels * problem.taps * g.outHeight : g.inChannels * g.inHeight
    try encoder.map(
      kernel, in: "convolution/im2col", count: rows, groupSize: 16,
      [
        .tensor(x), .tensor(y), .int(g.inChannels), .int(g.inHeight), .int(g.inWidth),
        .int(g.outHeight), .int(g.outWidth),
      ], defines: defines)
  }
}

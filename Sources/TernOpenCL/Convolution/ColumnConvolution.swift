import TernGraph

/// A sum over windows on devices of many threads, which copies nothing: see `convolution/direct_threads.cl`.
/// Forward, and the gradient of the input where strides are 1.
struct ColumnConvolution {
  private let problem: ConvolutionProblem

  /// The results below each other that a work-item computes: the kernels' EACH.
  static let each = 4
  /// The rows of a column that a work-item has registers for.
  private static let maximumRows = 32

  /// - Returns: `nil` where the gradient of a strided convolution has several phases, or windows are too large.
  init?(_ problem: ConvolutionProblem) {
    let (g, w) = (problem.geometry, problem.geometry.window)
    let isForward = problem.pass == .forward
    guard isForward || w.strideHeight == 1 && w.strideWidth == 1,
      (Self.each - 1) * w.strideHeight + (g.kernelHeight - 1) * w.dilationHeight
        < Self.maximumRows
    else { return nil }
    self.problem = problem
  }

  /// The channels that a work-item writes: as many as leave the fewest over.
  private static func channels(of written: Int) -> Int {
    [4, 3, 2, 1].min { a, b in (written + a - 1) / a * a < (written + b - 1) / b * b }!
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window) = (problem.geometry, problem.geometry.window)
    let isForward = problem.pass == .forward
    let (x, y) = isForward ? (operands.input, operands.output) : (operands.output, operands.input)
    let (read, written) =
      isForward ? (problem.inputs, problem.outputs) : (problem.outputs, problem.inputs)
    let input = (h: g.inHeight, w: g.inWidth)
    let output = (h: g.outHeight, w: g.outWidth)
    let (from, to) = isForward ? (input, output) : (output, input)
    let channels = Self.channels(of: written)
    let channelBlocks = (written + channels - 1) / channels
    let blocks = (to.h + Self.each - 1) / Self.each
    let taps = problem.taps
    let epilogue = operands.epilogue.adding(isForward ? operands.bias : nil, .perRow)
    // Taps turned round reach as far behind as others in front.
    func padding(_ padding: Int, _ kernel: Int, _ dilation: Int) -> Int {
      isForward ? padding : (kernel - 1) * dilation - padding
    }
    let items = g.batch * g.groups * channelBlocks * blocks * to.w
    try encoder.map(
      "direct_columns", in: "convolution/direct_threads", count: items,
      [
        .tensor(x), .tensor(operands.weight), .tensor(epilogue.bias?.view, or: x),
        .tensor(epilogue.addend, or: x), .tensor(epilogue.mask, or: x), .tensor(y), .int(items),
        .divisor(to.w), .divisor(blocks), .divisor(channelBlocks), .divisor(g.groups), .int(read),
        .int(written), .int(problem.outputs * problem.inputs * taps),
        .int(isForward ? problem.inputs * taps : taps),
        .int(isForward ? taps : problem.inputs * taps), .int(isForward ? 0 : taps - 1),
        .int(isForward ? 1 : -1), .int(from.h), .int(from.w), .int(to.h), .int(to.w),
        .int(epilogue.flags(storesWide: false)),
      ],
      defines: [
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
        "SW": window.strideWidth,
        "PH": padding(window.paddingHeight, g.kernelHeight, window.dilationHeight),
        "PW": padding(window.paddingWidth, g.kernelWidth, window.dilationWidth),
        "DH": window.dilationHeight, "DW": window.dilationWidth, "EACH": Self.each,
        "CHANNELS": channels,
      ])
  }
}

/// The gradient of a convolution's weight, by groups of work-items that each sum the taps of a pair of channels:
/// see `convolution/direct_weight_threads.cl`.
struct ColumnConvolutionWeight {
  private let problem: ConvolutionProblem
  /// The parts of the batch that are summed apart.
  private let parts: Int
  /// The taps whose sums a work-item has registers for.
  private static let maximumTaps = 49

  /// - Returns: `nil` where windows are too large, or the device is of another kind.
  init?(_ problem: ConvolutionProblem, on device: OpenCLDevice) {
    let (g, group) = (problem.geometry, device.rowGroup)
    guard device.architecture == .manyThreads, group > 1, problem.taps <= Self.maximumTaps else {
      return nil
    }
    self.problem = problem
    let runs =
      g.batch * g.outWidth * ((g.outHeight + ColumnConvolution.each - 1) / ColumnConvolution.each)
    let pairs = g.outChannels * problem.inputs
    parts = max(1, min(device.busyItemCount / (pairs * group), runs / (4 * group)))
  }

  private var count: Int { problem.geometry.weightShape.elementCount }
  /// From one part to the next: sums of the gradient stand behind those of the weight.
  private var apart: Int {
    ProductTile.apart(count, problem.sumsGradient ? problem.geometry.outChannels : 0)
  }

  var workspaceByteCount: Int { parts > 1 ? 4 * parts * apart : 0 }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window) = (problem.geometry, problem.geometry.window)
    let target = parts > 1 ? encoder.scratch(0, count: parts * apart) : operands.weight
    let sums = parts > 1 ? target.moved(by: count) : operands.bias ?? target
    let each = ColumnConvolution.each
    try encoder.rows(
      "direct_weight_groups", in: "convolution/direct_weight_threads",
      count: parts * g.outChannels * problem.inputs,
      [
        .tensor(operands.input), .tensor(operands.output), .tensor(target), .tensor(sums),
        .int(parts), .int(apart), .int(g.batch), .int(g.outChannels), .divisor(problem.inputs),
        .divisor(g.outWidth), .divisor((g.outHeight + each - 1) / each),
        .divisor(problem.outputs), .int(g.inHeight), .int(g.inWidth), .int(g.outHeight),
        .int(g.outWidth), encoder.rowScratch,
      ],
      defines: [
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
        "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
        "DH": window.dilationHeight, "DW": window.dilationWidth, "EACH": each,
        "SUMS_GRADIENT": operands.bias == nil ? 0 : 1,
      ])
    if parts > 1 {
      try encoder.sumParts(
        target, into: operands.weight, operands.bias, parts: parts, apart: apart, Epilogue())
    }
  }
}

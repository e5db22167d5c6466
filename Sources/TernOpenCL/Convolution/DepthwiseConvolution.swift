import TernCore
import TernGraph
import TernRuntime

/// A convolution in which every channel is a group of its own: there is little to compute, so
/// nothing is copied, and each output reads its window where it is. See `convolution/depthwise.cl`.
struct DepthwiseConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.depthwise

  private let problem: ConvolutionProblem
  /// The lanes of a vector along a row of results.
  private let vectorWidth: Int
  /// The parts in which the gradient of the weight is summed.
  private let parts: Int
  /// The results below each other that a work-item of a GPU computes: `EACH` in
  /// `convolution/depthwise_threads.cl`.
  private static let each = 4
  /// The taps whose sums a work-item of a GPU has registers for.
  private static let maximumTaps = 49

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let g = problem.geometry
    guard g.groups == g.inChannels, g.groups > 1 else { return [] }
    let architecture = device.architecture
    let columns = problem.pass == .backwardInput ? g.inWidth : g.outWidth
    let busy = device.busyItemCount
    let parts: Int
    if problem.pass != .backwardWeight {
      parts = 1
    } else if architecture == .manyThreads, problem.taps <= maximumTaps {
      let group = device.rowGroup
      let runs = g.batch * g.outWidth * ((g.outHeight + each - 1) / each)
      parts = max(1, min(busy / (g.outChannels * group), runs / (4 * group)))
    } else {
      parts = max(1, min(g.batch * g.outHeight, busy / (g.outChannels * problem.taps), 64))
    }
    return [
      Self(
        problem: problem, vectorWidth: architecture.vectorWidth(upTo: columns), parts: parts)
    ]
  }

  var parameters: String { "" }

  var workspaceByteCount: Int {
    parts > 1 ? 4 * parts * problem.geometry.weightShape.elementCount : 0
  }

  var cost: ConvolutionCost {
    ConvolutionCost(
      flops: 3 * Double(problem.geometry.flops), bytes: 2 * Double(workspaceByteCount))
  }

  private var defines: [String: Int] {
    let (g, window) = (problem.geometry, problem.geometry.window)
    return [
      "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
      "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
      "DH": window.dilationHeight, "DW": window.dilationWidth,
    ]
  }

  /// Appends the kernel for many threads: neighbouring work-items have neighbouring columns.
  private func encodeColumns(
    _ operands: ConvolutionOperands, into partial: View, _ encoder: StepEncoder
  ) throws {
    let g = problem.geometry
    let file = "convolution/depthwise_threads"
    let isInput = problem.pass == .backwardInput
    let (height, width) = isInput ? (g.inHeight, g.inWidth) : (g.outHeight, g.outWidth)
    let planes = isInput ? g.inChannels : g.outChannels
    let blocks = (height + Self.each - 1) / Self.each
    let items = g.batch * planes * blocks * width
    let place: [Argument] = [.divisor(width), .divisor(blocks)]
    let channels: [Argument] = [.divisor(planes), .divisor(problem.outputs)]
    let sizes: [Argument] = [
      .int(g.inHeight), .int(g.inWidth), .int(g.outHeight), .int(g.outWidth),
    ]
    var defines = defines
    defines["EACH"] = Self.each
    switch problem.pass {
    case .forward:
      try encoder.map(
        "depthwise_forward_columns", in: file, count: items,
        [
          .tensor(operands.input), .tensor(operands.weight),
          .tensor(operands.bias ?? operands.weight), .tensor(operands.output),
          .int(operands.bias == nil ? 0 : 1), .int(items),
        ] + place + channels + sizes, defines: defines)
    case .backwardInput:
      try encoder.map(
        "depthwise_backward_input_columns", in: file, count: items,
        [
          .tensor(operands.output), .tensor(operands.weight), .tensor(operands.input),
          .int(items),
        ] + place + channels + sizes, defines: defines)
    case .backwardWeight:
      try encoder.rows(
        "depthwise_backward_weight_groups", in: file, count: parts * planes,
        [
          .tensor(operands.input), .tensor(operands.output), .tensor(partial), .int(parts),
          .int(g.batch), .int(planes),
        ] + place + [.divisor(problem.outputs)] + sizes + [encoder.rowScratch],
        defines: defines)
    }
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let g = problem.geometry
    let name: String
    let count: Int
    let arguments: [Argument]
    let partial =
      parts > 1
      ? encoder.scratch(0, count: parts * operands.weight.count) : operands.weight
    if encoder.architecture == .manyThreads,
      problem.pass != .backwardWeight || problem.taps <= Self.maximumTaps
    {
      try encodeColumns(operands, into: partial, encoder)
      if parts > 1 { try encoder.sumParts(partial, into: operands.weight, parts: parts) }
      return
    }
    let across = { (columns: Int) in (columns + vectorWidth - 1) / vectorWidth }
    switch problem.pass {
    case .forward:
      name = "depthwise_forward"
      count = g.batch * g.outChannels * g.outHeight * across(g.outWidth)
      arguments = [
        .tensor(operands.input), .tensor(operands.weight),
        .tensor(operands.bias ?? operands.weight), .tensor(operands.output),
        .int(operands.bias == nil ? 0 : 1),
      ]
    case .backwardInput:
      name = "depthwise_backward_input"
      count = g.batch * g.inChannels * g.inHeight * across(g.inWidth)
      arguments = [
        .tensor(operands.output), .tensor(operands.weight), .tensor(operands.input),
      ]
    case .backwardWeight:
      name = "depthwise_backward_weight"
      count = parts * operands.weight.count
      arguments = [
        .tensor(operands.input), .tensor(operands.output), .tensor(partial), .int(parts),
      ]
    }
    try encoder.map(
      name, in: "convolution/depthwise", count: count,
      arguments + [
        .int(g.batch), .int(g.inChannels), .int(problem.outputs), .int(g.inHeight),
        .int(g.inWidth), .int(g.outHeight), .int(g.outWidth),
      ],
      defines: defines.merging(["V": vectorWidth]) { $1 })
    if parts > 1 { try encoder.sumParts(partial, into: operands.weight, parts: parts) }
  }
}

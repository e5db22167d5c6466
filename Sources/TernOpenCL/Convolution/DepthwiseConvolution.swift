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
  /// What computes the gradient of the weight where threads are many and windows are small.
  private let weight: ColumnConvolutionWeight?

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let g = problem.geometry
    guard g.groups == g.inChannels, g.groups > 1 else { return [] }
    let architecture = device.architecture
    let columns = problem.pass == .backwardInput ? g.inWidth : g.outWidth
    let busy = device.busyItemCount
    let isWeight = problem.pass == .backwardWeight
    let parts =
      isWeight
      ? max(1, min(g.batch * g.outHeight, busy / (g.outChannels * problem.taps), 64)) : 1
    return [
      Self(
        problem: problem, vectorWidth: architecture.vectorWidth(upTo: columns), parts: parts,
        weight: isWeight ? ColumnConvolutionWeight(problem, on: device) : nil)
    ]
  }

  var parameters: String { "" }

  var sumsGradient: Bool { weight != nil }

  var workspaceByteCount: Int {
    if let weight { return weight.workspaceByteCount }
    return parts > 1 ? 4 * parts * problem.geometry.weightShape.elementCount : 0
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
    _ operands: ConvolutionOperands, _ encoder: StepEncoder
  ) throws {
    let each = ColumnConvolution.each
    let g = problem.geometry
    let file = "convolution/depthwise_threads"
    let isInput = problem.pass == .backwardInput
    let (height, width) = isInput ? (g.inHeight, g.inWidth) : (g.outHeight, g.outWidth)
    let planes = isInput ? g.inChannels : g.outChannels
    let blocks = (height + each - 1) / each
    let items = g.batch * planes * blocks * width
    let place: [Argument] = [.divisor(width), .divisor(blocks)]
    let channels: [Argument] = [.divisor(planes), .divisor(problem.outputs)]
    let sizes: [Argument] = [
      .int(g.inHeight), .int(g.inWidth), .int(g.outHeight), .int(g.outWidth),
    ]
    var defines = defines
    defines["EACH"] = each
    if problem.pass == .forward {
      try encoder.map(
        "depthwise_forward_columns", in: file, count: items,
        [
          .tensor(operands.input), .tensor(operands.weight),
          .tensor(operands.bias, or: operands.weight), .tensor(operands.output),
          .int(operands.bias == nil ? 0 : 1), .int(items),
        ] + place + channels + sizes, defines: defines)
    } else {
      try encoder.map(
        "depthwise_backward_input_columns", in: file, count: items,
        [
          .tensor(operands.output), .tensor(operands.weight), .tensor(operands.input),
          .int(items),
        ] + place + channels + sizes, defines: defines)
    }
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    if let weight { return try weight.encode(operands, encoder) }
    if encoder.architecture == .manyThreads, problem.pass != .backwardWeight {
      return try encodeColumns(operands, encoder)
    }
    let g = problem.geometry
    let name: String
    let count: Int
    let arguments: [Argument]
    let partial =
      parts > 1
      ? encoder.scratch(0, count: parts * operands.weight.count) : operands.weight
    let across = { (columns: Int) in (columns + vectorWidth - 1) / vectorWidth }
    switch problem.pass {
    case .forward:
      name = "depthwise_forward"
      count = g.batch * g.outChannels * g.outHeight * across(g.outWidth)
      arguments = [
        .tensor(operands.input), .tensor(operands.weight),
        .tensor(operands.bias, or: operands.weight), .tensor(operands.output),
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

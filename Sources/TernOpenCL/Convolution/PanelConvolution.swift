import TernCore
import TernGraph
import TernRuntime

/// The gradient of a convolution's weight as a matrix product whose one factor, the windows as
/// columns, is read where it is; vectors run over the output channels. For devices whose cores have
/// wide vectors. See `convolution/panels.cl`.
struct PanelConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.implicitGEMM

  private let problem: ConvolutionProblem
  private let vectorWidth: Int
  /// The accumulators of a work-item: terms × vectors.
  private let terms: Int
  private let vectors: Int
  /// Samples summed by a launch: as many as keep a block of the output gradient in the cache.
  private let chunk: Int

  private static let cachedCount = 1 << 17
  /// The positions of the output gradient that a work-item copies.
  private static let run = 64

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let architecture = device.architecture
    guard problem.pass == .backwardWeight, architecture != .manyThreads else { return [] }
    let blocks =
      architecture.accumulators >= 24
      ? [(12, 2), (8, 2), (9, 2), (24, 1), (6, 4)] : [(6, 2), (12, 1)]
    let width = architecture.vectorWidth
    return blocks.filter { $0.1 == 1 || problem.outputs > width }.map {
      Self(problem, terms: $0.0, vectors: $0.1, vectorWidth: width)
    }
  }

  private init(_ problem: ConvolutionProblem, terms: Int, vectors: Int, vectorWidth: Int) {
    self.problem = problem
    self.vectorWidth = vectorWidth
    self.terms = terms
    self.vectors = vectors
    let g = problem.geometry
    let perSample = g.outHeight * g.outWidth * vectors * vectorWidth
    chunk = max(1, min(g.batch, Self.cachedCount / perSample))
  }

  var parameters: String { "\(terms)x\(vectors * vectorWidth)" }

  private var plane: Int { problem.geometry.outHeight * problem.geometry.outWidth }
  /// Blocks of output channels of a group, and of terms.
  private var blocks: Int {
    (problem.outputs + vectors * vectorWidth - 1) / (vectors * vectorWidth)
  }
  private var runs: Int { (problem.inputs * problem.taps + terms - 1) / terms }

  /// The input with its border; `nil` where there is none.
  private var planes: PackedPlanes? {
    let (g, w) = (problem.geometry, problem.geometry.window)
    func axis(extent: Int, before: Int, reach: Int) -> PackedPlanes.Axis {
      .init(
        extent: extent, before: before, phases: 1, stride: 1, length: max(reach, extent + before))
    }
    if w.paddingHeight == 0, w.paddingWidth == 0 { return nil }
    return PackedPlanes(
      h: axis(
        extent: g.inHeight, before: w.paddingHeight,
        reach: (g.outHeight - 1) * w.strideHeight + (g.kernelHeight - 1) * w.dilationHeight + 1),
      w: axis(
        extent: g.inWidth, before: w.paddingWidth,
        reach: (g.outWidth - 1) * w.strideWidth + (g.kernelWidth - 1) * w.dilationWidth + 1))
  }

  private var inputCount: Int {
    problem.geometry.batch * problem.geometry.inChannels * (planes?.count ?? 0)
  }
  private var panelCount: Int {
    problem.geometry.groups * blocks * chunk * plane * vectors * vectorWidth
  }

  var workspaceByteCount: Int { 4 * (inputCount + panelCount) }

  var cost: ConvolutionCost {
    let g = problem.geometry
    // What fills up blocks is computed as well, and few blocks leave cores idle.
    let computed = Double(blocks * vectors * vectorWidth * runs * terms)
    let waste = computed / Double(problem.outputs * problem.inputs * problem.taps)
    let idle = max(1, 8 / Double(g.groups * blocks * runs))
    return ConvolutionCost(
      flops: Double(g.flops) * waste * idle,
      bytes: 4 * Double(inputCount + panelCount / chunk * g.batch))
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window) = (problem.geometry, problem.geometry.window)
    let panels = encoder.scratch(inputCount, count: panelCount)
    let defines = ["V": vectorWidth, "VECTORS": vectors]
    var input = operands.input
    if let planes {
      input = encoder.scratch(0, count: inputCount)
      try planes.encode(
        operands.input, into: input, count: g.batch * g.inChannels, encoder)
      input = input.reshaped([g.batch, g.inChannels, planes.count])
    }
    // Where rows follow one another without a gap they are one.
    let pitch = planes?.pitch ?? g.inWidth
    let isOneRow =
      problem.taps == 1 && window.strideHeight == 1 && window.strideWidth == 1
      && planes == nil
    for first in stride(from: 0, to: g.batch, by: chunk) {
      let samples = min(chunk, g.batch - first)
      try encoder.blocks(
        "channel_panels", in: "convolution/panels",
        count: (plane + Self.run - 1) / Self.run * samples * blocks * g.groups,
        [
          .tensor(operands.output.samples(first, count: samples)), .tensor(panels), .int(samples),
          .int(g.groups), .int(problem.outputs), .int(plane), .int(Self.run),
        ], defines: defines)
      var sums = defines
      sums.merge(
        [
          "TERMS": terms, "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
          "SW": window.strideWidth, "DH": window.dilationHeight, "DW": window.dilationWidth,
        ]) { $1 }
      if first > 0 { sums["ACCUMULATE"] = 1 }
      try encoder.blocks(
        "panels_backward_weight", in: "convolution/panels", count: g.groups * blocks * runs,
        [
          .tensor(input.samples(first, count: samples)), .tensor(panels),
          .tensor(operands.weight), .int(samples), .int(g.groups), .int(problem.inputs),
          .int(problem.outputs), .int(planes?.count ?? g.inHeight * g.inWidth), .int(pitch),
          .int(isOneRow ? 1 : g.outHeight), .int(isOneRow ? plane : g.outWidth),
        ], defines: sums)
    }
  }
}

import TernCore
import TernGraph

/// A convolution on packed planes, for devices whose cores have wide vectors; the terms are those of
/// `convolution/planes.cl`.
///
/// The forward pass is one, with the kernel's stride and dilation. The gradient of the input is one
/// for every phase of the stride, each of stride 1: input row h = s·i + r gets something from the
/// taps u with u·d ≡ r + p (mod s), which read output row (h + p − u·d) / s.
struct PlaneConvolution {
  /// One axis of a pass over the packed planes.
  private struct Axis {
    /// The outputs along the axis.
    var count: Int
    /// The taps, and where the first stands in the weight, and the distance to the next there.
    var taps: Int
    var firstTap: Int
    var tapStep: Int
    /// The taps' distance on the input, in elements before it was taken apart.
    var dilation: Int
    /// Where the first output's first tap reads, in packed elements.
    var begin: Int
    /// The outputs stand at start, start + step, …
    var start: Int
    var step: Int
  }

  private let batch: Int
  private let groups: Int
  /// Channels of a group, read and written.
  private let inChannels: Int
  private let outChannels: Int
  private let packing: PackedPlanes
  private let passes: [(h: Axis, w: Axis)]
  /// Extents of the planes written.
  private let plane: (h: Int, w: Int)
  /// Strides of the weight between groups, channels read and channels written, and of its rows.
  private let weightStrides: (group: Int, input: Int, output: Int, row: Int)

  init(forward g: Conv2DGeometry) {
    let window = g.window
    batch = g.batch
    groups = g.groups
    inChannels = g.inChannels / g.groups
    outChannels = g.outChannels / g.groups
    func axis(_ count: Int, _ taps: Int, _ dilation: Int) -> Axis {
      Axis(
        count: count, taps: taps, firstTap: 0, tapStep: 1, dilation: dilation, begin: 0, start: 0,
        step: 1)
    }
    passes = [
      (
        axis(g.outHeight, g.kernelHeight, window.dilationHeight),
        axis(g.outWidth, g.kernelWidth, window.dilationWidth)
      )
    ]
    packing = PackedPlanes(inputOf: g)
    plane = (g.outHeight, g.outWidth)
    let taps = g.kernelHeight * g.kernelWidth
    weightStrides = (
      outChannels * inChannels * taps, taps, inChannels * taps, g.kernelWidth
    )
  }

  init(backwardInput g: Conv2DGeometry) {
    let window = g.window
    batch = g.batch
    groups = g.groups
    inChannels = g.outChannels / g.groups
    outChannels = g.inChannels / g.groups
    let rows = Self.phases(
      extent: g.inHeight, kernel: g.kernelHeight, stride: window.strideHeight,
      padding: window.paddingHeight, dilation: window.dilationHeight)
    let columns = Self.phases(
      extent: g.inWidth, kernel: g.kernelWidth, stride: window.strideWidth,
      padding: window.paddingWidth, dilation: window.dilationWidth)
    // All phases read the same packed planes: as much zero in front as the first of them needs.
    func pack(_ phases: inout [Axis], extent: Int) -> PackedPlanes.Axis {
      let before = max(0, -(phases.map(\.begin).min() ?? 0))
      for i in phases.indices { phases[i].begin += before }
      let length = phases.map { $0.begin + max(0, $0.taps - 1) * $0.dilation + $0.count }.max() ?? 0
      return PackedPlanes.Axis(extent: extent, before: before, phases: 1, stride: 1, length: length)
    }
    var (h, w) = (rows, columns)
    packing = PackedPlanes(h: pack(&h, extent: g.outHeight), w: pack(&w, extent: g.outWidth))
    passes = h.flatMap { row in w.map { (row, $0) } }
    plane = (g.inHeight, g.inWidth)
    let taps = g.kernelHeight * g.kernelWidth
    weightStrides = (inChannels * outChannels * taps, outChannels * taps, taps, g.kernelWidth)
  }

  /// The phases of an axis of the input that have elements, taps turned round.
  private static func phases(
    extent: Int, kernel: Int, stride: Int, padding: Int, dilation: Int
  ) -> [Axis] {
    var divisor = (stride, dilation)
    while divisor.1 != 0 { divisor = (divisor.1, divisor.0 % divisor.1) }
    let tapStep = stride / divisor.0
    return (0..<min(stride, extent)).map { phase in
      let first = (0..<min(tapStep, kernel)).first {
        (phase + padding - $0 * dilation) % stride == 0
      }
      let taps = first.map { (kernel - $0 + tapStep - 1) / tapStep } ?? 0
      let last = (first ?? 0) + max(0, taps - 1) * tapStep
      return Axis(
        count: (extent - phase + stride - 1) / stride, taps: taps, firstTap: last,
        tapStep: -tapStep, dilation: dilation / divisor.0,
        // Exact where there is a tap, and of no importance where there is none.
        begin: (phase + padding - last * dilation) / stride, start: phase, step: stride)
    }
  }

  // MARK: - Sizes

  /// The columns of a row that a vector holds: as many as it has lanes, or fewer where rows are
  /// short.
  private func span(_ columns: Int, _ width: Int) -> Int {
    [width / 4, width / 2].first { $0 >= 2 && columns <= $0 } ?? width
  }

  private func blocks(_ pass: (h: Axis, w: Axis), _ architecture: Architecture)
    -> (span: Int, channels: Int, vectors: Int, items: Int)
  {
    let span = span(pass.w.count, architecture.vectorWidth)
    let height = architecture.vectorWidth / span
    let vectors = (pass.w.count + span - 1) / span * ((pass.h.count + height - 1) / height)
    let block = architecture.cheapestBlock(
      covering: outChannels, vectors, atMost: architecture.accumulators, 4)
    let items =
      batch * groups * ((outChannels + block.rows - 1) / block.rows)
      * ((vectors + block.columns - 1) / block.columns)
    return (span, block.rows, block.columns, items)
  }

  /// What the last vectors of the last plane reach beyond it.
  private func slack(_ architecture: Architecture) -> Int {
    4 * packing.pitch + 2 * architecture.vectorWidth
  }

  private func inputCount(_ architecture: Architecture) -> Int {
    batch * groups * inChannels * packing.count + slack(architecture)
  }

  private func weightCount(_ pass: (h: Axis, w: Axis), _ architecture: Architecture) -> Int {
    let channels = blocks(pass, architecture).channels
    return groups * ((outChannels + channels - 1) / channels * channels) * inChannels
      * pass.h.taps * pass.w.taps
  }

  func workspaceByteCount(on device: OpenCLDevice) -> Int {
    let architecture = device.architecture
    return 4
      * passes.reduce(inputCount(architecture)) { $0 + weightCount($1, architecture) }
  }

  // MARK: - Encoding

  func encode(_ x: View, weight: View, bias: View?, into y: View, _ encoder: StepEncoder) throws {
    let architecture = encoder.architecture
    let packed = encoder.scratch(0, count: inputCount(architecture))
    try packing.encode(
      x, into: packed, count: batch * groups * inChannels, slack: slack(architecture), encoder)
    var used = packed.count
    for pass in passes {
      let (rows, columns) = (pass.h, pass.w)
      let weights = encoder.scratch(used, count: weightCount(pass, architecture))
      used += weights.count
      let blocks = blocks(pass, architecture)
      var defines = [
        "KH": rows.taps, "KW": columns.taps, "CHANNELS": blocks.channels,
        "VECTORS": blocks.vectors, "SPAN": blocks.span, "V": architecture.vectorWidth,
        "SH": packing.h.stride, "SW": packing.w.stride, "DH": rows.dilation, "DW": columns.dilation,
      ]
      if weights.count > 0 {
        try encoder.blocks(
          "pack_weights", in: "convolution/planes",
          count: weights.count / (rows.taps * columns.taps * blocks.channels),
          [
            .tensor(weight), .tensor(weights), .int(groups), .int(inChannels), .int(outChannels),
            .int(weightStrides.group), .int(weightStrides.input), .int(weightStrides.output),
            .int(weightStrides.row), .int(rows.firstTap), .int(rows.tapStep),
            .int(columns.firstTap), .int(columns.tapStep),
          ], defines: defines)
      }
      // A phase that no tap reaches is zero: no channel is read.
      if weights.count == 0 { (defines["KH"], defines["KW"]) = (1, 1) }
      try encoder.blocks(
        "conv2d_planes", in: "convolution/planes", count: blocks.items,
        [
          .tensor(packed), .tensor(weights.count > 0 ? weights : nil, or: weight),
          .tensor(bias, or: weight),
          .tensor(y), .int(batch), .int(groups), .int(weights.count > 0 ? inChannels : 0),
          .int(outChannels), .int(packing.count), .int(packing.phaseCount),
          .int(packing.pitch), .int(rows.begin * packing.pitch + columns.begin),
          .int(rows.count), .int(columns.count), .int(plane.h * plane.w),
          .int(rows.start * plane.w + columns.start), .int(rows.step * plane.w),
          .int(columns.step), .int(bias == nil ? 0 : 1),
        ], defines: defines)
    }
  }
}

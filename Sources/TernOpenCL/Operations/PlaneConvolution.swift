import TernCore
import TernGraph

/// How the padded planes of a convolution with stride 1 are laid out; see `convolution/planes.cl`.
struct PlaneGeometry {
  let batch: Int
  let channels: Int
  let height: Int
  let width: Int
  let outputs: Int
  let outHeight: Int
  let outWidth: Int
  let groups: Int
  let kernelHeight: Int
  let kernelWidth: Int
  let dilationHeight: Int
  let dilationWidth: Int
  let top: Int
  let left: Int

  /// Neighbouring outputs that are one vector.
  static let vectorWidth = 16
  /// The accumulators that fit the registers.
  static let accumulators = 20

  /// Elements from one row to the next.
  var pitch: Int { outWidth + (kernelWidth - 1) * dilationWidth }
  /// The positions computed per plane: whole vectors.
  var positions: Int { (outHeight * pitch + Self.vectorWidth - 1) / Self.vectorWidth * Self.vectorWidth }
  /// The elements of a padded plane: every position may be read at every tap.
  var size: Int {
    positions + (kernelHeight - 1) * dilationHeight * pitch + (kernelWidth - 1) * dilationWidth
  }

  /// The largest number of channels up to `limit` that divides those of a group.
  static func block(_ channelsPerGroup: Int, limit: Int) -> Int {
    (1...max(1, min(limit, channelsPerGroup))).last { channelsPerGroup % $0 == 0 }!
  }

  /// Appends the copy of planes [count, height, width] into padded ones.
  static func pad(
    _ x: View, into y: View, count: Int, height: Int, width: Int, top: Int, left: Int, pitch: Int,
    size: Int, _ encoder: StepEncoder
  ) throws {
    let rows = (size + pitch - 1) / pitch
    try encoder.map(
      "pad_planes", in: "convolution/planes", count: count * rows,
      [
        .tensor(x), .tensor(y), .int(count), .int(height), .int(width), .int(top), .int(left),
        .int(pitch), .int(size), .int(rows),
      ])
  }
}

extension PlaneGeometry {
  /// `nil` where the stride is not 1.
  fileprivate init?(forward g: Conv2DGeometry) {
    guard g.window.strideHeight == 1, g.window.strideWidth == 1 else { return nil }
    self.init(
      batch: g.batch, channels: g.inChannels, height: g.inHeight, width: g.inWidth,
      outputs: g.outChannels, outHeight: g.outHeight, outWidth: g.outWidth, groups: g.groups,
      kernelHeight: g.kernelHeight, kernelWidth: g.kernelWidth,
      dilationHeight: g.window.dilationHeight, dilationWidth: g.window.dilationWidth,
      top: g.window.paddingHeight, left: g.window.paddingWidth)
  }
}

/// A convolution with stride 1 on padded planes; also its backward pass to the input, which is a
/// convolution with the kernel turned.
struct PlaneConvolution {
  private let geometry: PlaneGeometry
  private let turnsWeights: Bool

  /// `nil` where the stride is not 1.
  init?(forward g: Conv2DGeometry) {
    guard let forward = PlaneGeometry(forward: g) else { return nil }
    turnsWeights = false
    geometry = forward
  }

  /// `nil` where the stride is not 1, or more is padded than the kernel reaches.
  init?(backwardInput g: Conv2DGeometry) {
    let top = (g.kernelHeight - 1) * g.window.dilationHeight - g.window.paddingHeight
    let left = (g.kernelWidth - 1) * g.window.dilationWidth - g.window.paddingWidth
    guard g.window.strideHeight == 1, g.window.strideWidth == 1, top >= 0, left >= 0 else {
      return nil
    }
    turnsWeights = true
    geometry = PlaneGeometry(
      batch: g.batch, channels: g.outChannels, height: g.outHeight, width: g.outWidth,
      outputs: g.inChannels, outHeight: g.inHeight, outWidth: g.inWidth, groups: g.groups,
      kernelHeight: g.kernelHeight, kernelWidth: g.kernelWidth,
      dilationHeight: g.window.dilationHeight, dilationWidth: g.window.dilationWidth, top: top,
      left: left)
  }

  private var paddedCount: Int { geometry.batch * geometry.channels * geometry.size }
  private var weightCount: Int {
    turnsWeights
      ? geometry.outputs * geometry.channels / geometry.groups * geometry.kernelHeight
        * geometry.kernelWidth : 0
  }

  var workspaceByteCount: Int { 4 * (paddedCount + weightCount) }

  func encode(
    _ x: View, weight: View, bias: View?, into y: View, _ encoder: StepEncoder
  ) throws {
    let g = geometry
    guard let workspace = encoder.workspace else { preconditionFailure("no workspace was planned") }
    try PlaneGeometry.pad(
      x, into: workspace, count: g.batch * g.channels, height: g.height, width: g.width, top: g.top,
      left: g.left, pitch: g.pitch, size: g.size, encoder)
    var taps = weight
    if turnsWeights {
      taps = View(
        memory: workspace.memory, offset: workspace.offset + paddedCount,
        type: TensorType([weightCount]))
      try encoder.map(
        "turn_weights", in: "convolution/planes", count: weightCount,
        [
          .tensor(weight), .tensor(taps), .int(g.channels), .int(g.outputs), .int(g.groups),
          .int(g.kernelHeight * g.kernelWidth),
        ])
    }
    let block = PlaneGeometry.block(g.outputs / g.groups, limit: 8)
    try encoder.map(
      "conv2d_planes", in: "convolution/planes",
      count: g.batch * (g.outputs / block) * (g.positions / PlaneGeometry.vectorWidth),
      [
        .tensor(workspace), .tensor(taps), .tensor(bias ?? taps), .tensor(y), .int(g.batch),
        .int(g.channels), .int(g.outputs), .int(g.groups), .int(g.size), .int(g.pitch),
        .int(g.outHeight), .int(g.outWidth), .int(g.dilationHeight), .int(g.dilationWidth),
        .int(bias == nil ? 0 : 1),
      ],
      defines: [
        "V": "\(PlaneGeometry.vectorWidth)", "B": "\(block)", "KH": "\(g.kernelHeight)",
        "KW": "\(g.kernelWidth)",
      ])
  }
}

/// The gradient of the weight of a convolution with stride 1, on padded planes: partial sums over
/// parts of the batch, then their sum.
struct PlaneConvolutionBackwardWeight {
  private let geometry: PlaneGeometry
  private let parts: Int
  private let block: Int

  /// `nil` where the stride is not 1, or a row of the kernel needs more accumulators than there are.
  init?(_ g: Conv2DGeometry) {
    guard let forward = PlaneGeometry(forward: g),
      forward.kernelWidth <= PlaneGeometry.accumulators
    else { return nil }
    geometry = forward
    block = PlaneGeometry.block(
      g.outChannels / g.groups, limit: min(4, PlaneGeometry.accumulators / g.kernelWidth))
    let items = g.outChannels / block * (g.inChannels / g.groups) * g.kernelHeight
    // Enough work-items for every core, without drowning in partial sums.
    parts = max(1, min(g.batch, 1024 / items))
  }

  private var paddedCount: Int { geometry.batch * geometry.channels * geometry.size }
  private var gradientCount: Int { geometry.batch * geometry.outputs * geometry.positions }
  private var weightCount: Int {
    geometry.outputs * geometry.channels / geometry.groups * geometry.kernelHeight
      * geometry.kernelWidth
  }

  var workspaceByteCount: Int {
    4 * (paddedCount + gradientCount + (parts > 1 ? parts * weightCount : 0))
  }

  func encode(_ x: View, _ dy: View, into dw: View, _ encoder: StepEncoder) throws {
    let g = geometry
    guard let workspace = encoder.workspace else { preconditionFailure("no workspace was planned") }
    func scratch(_ offset: Int, _ count: Int) -> View {
      View(
        memory: workspace.memory, offset: workspace.offset + offset, type: TensorType([count]))
    }
    let padded = scratch(0, paddedCount)
    let gradient = scratch(paddedCount, gradientCount)
    let partial = parts > 1 ? scratch(paddedCount + gradientCount, parts * weightCount) : dw
    try PlaneGeometry.pad(
      x, into: padded, count: g.batch * g.channels, height: g.height, width: g.width, top: g.top,
      left: g.left, pitch: g.pitch, size: g.size, encoder)
    try PlaneGeometry.pad(
      dy, into: gradient, count: g.batch * g.outputs, height: g.outHeight, width: g.outWidth,
      top: 0, left: 0, pitch: g.pitch, size: g.positions, encoder)
    try encoder.map(
      "conv2d_planes_backward_weight", in: "convolution/planes",
      count: parts * (g.outputs / block) * (g.channels / g.groups) * g.kernelHeight,
      [
        .tensor(padded), .tensor(gradient), .tensor(partial), .int(g.batch), .int(g.channels),
        .int(g.outputs), .int(g.groups), .int(g.size), .int(g.positions), .int(g.pitch),
        .int(g.dilationHeight), .int(g.dilationWidth), .int(parts),
      ],
      defines: [
        "V": "\(PlaneGeometry.vectorWidth)", "B": "\(block)", "KH": "\(g.kernelHeight)",
        "KW": "\(g.kernelWidth)",
      ])
    if parts > 1 {
      try Reduce.sumParts(
        partial, into: dw, parts: parts, partStride: weightCount, outputStride: 1, encoder)
    }
  }
}

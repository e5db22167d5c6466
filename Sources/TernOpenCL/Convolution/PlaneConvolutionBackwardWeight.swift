import TernCore
import TernGraph

/// The gradient of a convolution's weight on packed planes: partial sums over parts of the batch,
/// then their sum. See `convolution/planes_backward_weight.cl`.
struct PlaneConvolutionBackwardWeight {
  private let geometry: Conv2DGeometry
  private let architecture: Architecture
  private let input: PackedPlanes
  private let gradient: PackedPlanes
  /// The positions summed per plane: whole vectors.
  private let positions: Int
  /// Of a group: output channels, and elements of the weight for each.
  private let outputs: Int
  private let taps: Int
  /// The accumulators of a work-item, and the blocks of them that cover the weight.
  private let block: (rows: Int, columns: Int)
  private let blocks: Int
  private let parts: Int

  init(_ g: Conv2DGeometry, on device: OpenCLDevice) {
    geometry = g
    architecture = device.architecture
    input = PackedPlanes(inputOf: g)
    let width = architecture.vectorWidth
    positions = (g.outHeight * input.pitch + width - 1) / width * width
    gradient = PackedPlanes(gradientOf: g, pitch: input.pitch, positions: positions)
    outputs = g.outChannels / g.groups
    taps = g.weightShape.elementCount(in: 1..<4)
    block = architecture.cheapestBlock(covering: outputs, taps, atMost: 8, 8)
    blocks =
      g.groups * ((outputs + block.rows - 1) / block.rows)
      * ((taps + block.columns - 1) / block.columns)
    parts = max(1, min(g.batch, device.busyItemCount / blocks))
  }

  /// What the last vectors of the last plane reach beyond it.
  private var slack: Int { 2 * architecture.vectorWidth + input.pitch }
  private var inputCount: Int { geometry.batch * geometry.inChannels * input.count + slack }
  private var gradientCount: Int { geometry.batch * geometry.outChannels * gradient.count }
  private var weightCount: Int { geometry.weightShape.elementCount }

  var workspaceByteCount: Int {
    4 * (inputCount + gradientCount + (parts > 1 ? parts * weightCount : 0))
  }

  func encode(_ x: View, _ dy: View, into dw: View, _ encoder: StepEncoder) throws {
    let g = geometry
    let packedInput = encoder.scratch(0, count: inputCount)
    let packedGradient = encoder.scratch(inputCount, count: gradientCount)
    let partial =
      parts > 1 ? encoder.scratch(inputCount + gradientCount, count: parts * weightCount) : dw
    try input.encode(
      x, into: packedInput, count: g.batch * g.inChannels, slack: slack, encoder)
    try gradient.encode(dy, into: packedGradient, count: g.batch * g.outChannels, encoder)
    try encoder.blocks(
      "conv2d_planes_backward_weight", in: "convolution/planes_backward_weight",
      count: parts * blocks,
      [
        .tensor(packedInput), .tensor(packedGradient), .tensor(partial), .int(g.batch),
        .int(g.groups), .int(g.inChannels / g.groups), .int(outputs), .int(input.count),
        .int(input.phaseCount), .int(input.pitch), .int(positions), .int(gradient.count),
        .int(parts),
      ],
      defines: [
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": g.window.strideHeight,
        "SW": g.window.strideWidth, "DH": g.window.dilationHeight, "DW": g.window.dilationWidth,
        "CHANNELS": block.rows, "TAPS": block.columns, "V": architecture.vectorWidth,
      ])
    if parts > 1 { try encoder.sumParts(partial, into: dw, parts: parts) }
  }
}

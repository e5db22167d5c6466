import TernCore
import TernGraph

/// A convolution as a matrix product that never stores its patches, for devices with many threads;
/// see `convolution/implicit_gemm.cl`.
struct ImplicitGemmConvolution {
  enum Pass: Int { case forward, backwardInput, backwardWeight }

  private let geometry: Conv2DGeometry
  private let pass: Pass
  private let parts: Int
  /// Of the product that each group of channels is.
  private let rows: Int
  private let columns: Int

  /// The side of the tile that a work-group computes; the kernel's TILE.
  private static let tile = 64
  private static let groupSize = 256

  init(_ g: Conv2DGeometry, _ pass: Pass, on device: OpenCLDevice) {
    geometry = g
    self.pass = pass
    let (inputs, outputs) = (g.inChannels / g.groups, g.outChannels / g.groups)
    let taps = g.kernelHeight * g.kernelWidth
    switch pass {
    case .forward: (rows, columns) = (outputs, g.batch * g.outHeight * g.outWidth)
    case .backwardInput: (rows, columns) = (inputs, g.batch * g.inHeight * g.inWidth)
    case .backwardWeight: (rows, columns) = (outputs, inputs * taps)
    }
    let tiles = { (extent: Int) in (extent + Self.tile - 1) / Self.tile }
    // A weight is small and its terms are many: several groups share an element's sum.
    let terms = g.batch * g.outHeight * g.outWidth
    let groups = tiles(rows) * tiles(columns) * g.groups
    parts =
      pass == .backwardWeight
      ? max(1, min(64, terms / 256, device.busyItemCount / (groups * Self.groupSize))) : 1
  }

  var workspaceByteCount: Int { parts > 1 ? 4 * parts * geometry.weightShape.elementCount : 0 }

  /// - Parameters: the operands in the order of the pass: weight and input, weight and output
  ///   gradient, or output gradient and input.
  func encode(_ a: View, _ b: View, bias: View? = nil, into y: View, _ encoder: StepEncoder) throws
  {
    let (g, window) = (geometry, geometry.window)
    let target = parts > 1 ? encoder.scratch(0, count: parts * y.count) : y
    try encoder.launch(
      "conv2d_implicit_gemm", in: "convolution/implicit_gemm",
      groups: [
        (columns + Self.tile - 1) / Self.tile, (rows + Self.tile - 1) / Self.tile,
        g.groups * parts,
      ], localSize: [Self.groupSize, 1, 1],
      [.tensor(a), .tensor(b), .tensor(bias ?? a), .tensor(target)],
      defines: [
        "PASS": pass.rawValue, "PARTS": parts, "BATCH": g.batch, "GROUPS": g.groups,
        "IN_CHANNELS": g.inChannels / g.groups, "H": g.inHeight, "W": g.inWidth,
        "OUT_CHANNELS": g.outChannels / g.groups, "OH": g.outHeight, "OW": g.outWidth,
        "KH": g.kernelHeight, "KW": g.kernelWidth, "SH": window.strideHeight,
        "SW": window.strideWidth, "PH": window.paddingHeight, "PW": window.paddingWidth,
        "DH": window.dilationHeight, "DW": window.dilationWidth, "HAS_BIAS": bias == nil ? 0 : 1,
      ])
    if parts > 1 {
      try encoder.sumParts(target, into: y, parts: parts)
    }
  }
}

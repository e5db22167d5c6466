import TernCore
import TernGraph
import TernRuntime

/// Winograd's convolution by 3 × 3 kernels, F(2×2, 3×3) and F(4×4, 3×3): a tile of outputs takes 16
/// and 36 multiplications in place of 36 and 144. Source: Lavin and Gray, "Fast algorithms for
/// convolutional neural networks", CVPR 2016; see `convolution/winograd.cl`.
///
/// The gradient of the input is a convolution of the output's gradient by the kernels turned by half
/// a circle. The gradient of the weight meets transformed tiles of both, summed over all tiles.
///
/// This is the way of wide cores, for others see ``TileWinograd``. Samples are taken a few at a time, so
/// that what the transforms write stays in the cache.
struct WinogradConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.winograd

  private let problem: ConvolutionProblem
  private let architecture: Architecture
  /// Outputs of a tile along an axis.
  private let side: Int
  private let chunk: Int

  /// Floats that the tiles of a chunk may fill.
  private static let chunkCount = 1 << 21

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    guard device.architecture != .manyThreads else { return [] }
    return sides(for: problem).map { Self(problem, side: $0, device.architecture) }
  }

  /// The sides of tiles that suit a problem, the one to take untuned in front; none where the algorithm
  /// cannot.
  static func sides(for problem: ConvolutionProblem) -> [Int] {
    let (g, w) = (problem.geometry, problem.geometry.window)
    let padding = [w.paddingHeight, w.paddingWidth]
    guard g.kernelHeight == 3, g.kernelWidth == 3, g.groups == 1,
      [w.strideHeight, w.strideWidth, w.dilationHeight, w.dilationWidth].allSatisfy({ $0 == 1 }),
      padding.allSatisfy({ $0 <= 2 })
    else { return [] }
    // Large tiles save more and are less exact; where there is little to compute they save nothing.
    let isLarge = g.inChannels >= 16 && g.batch * g.outHeight * g.outWidth >= 1024
    return isLarge ? [4, 2] : [2, 4]
  }

  private init(_ problem: ConvolutionProblem, side: Int, _ architecture: Architecture) {
    self.problem = problem
    self.architecture = architecture
    self.side = side
    let g = problem.geometry
    let plane = Self.plane(problem)
    let tiles = (plane.h + side - 1) / side * ((plane.w + side - 1) / side)
    let perSample = (side + 2) * (side + 2) * (g.inChannels + g.outChannels) * tiles
    chunk = max(1, min(g.batch, Self.chunkCount / max(1, perSample)))
  }

  var parameters: String { "\(side)x\(side)" }

  // MARK: - Sizes

  /// The products of an element of a tile.
  private var points: Int { (side + 2) * (side + 2) }
  /// The plane that is cut into tiles: what the pass writes, or the output for the weight's gradient.
  private var plane: (h: Int, w: Int) { Self.plane(problem) }
  static func plane(_ problem: ConvolutionProblem) -> (h: Int, w: Int) {
    let g = problem.geometry
    return problem.pass == .backwardInput ? (g.inHeight, g.inWidth) : (g.outHeight, g.outWidth)
  }
  private var down: Int { (plane.h + side - 1) / side }
  private var across: Int { (plane.w + side - 1) / side }
  private var tilesPerSample: Int { down * across }

  /// Channels read and written.
  private var channels: (read: Int, written: Int) {
    let g = problem.geometry
    return problem.pass == .backwardInput
      ? (g.outChannels, g.inChannels) : (g.inChannels, g.outChannels)
  }

  private func product(samples: Int) -> PackedProduct {
    let tiles = samples * tilesPerSample
    return problem.pass == .backwardWeight
      ? PackedProduct(
        batch: points, m: channels.written, n: channels.read, k: tiles, on: architecture)
      : PackedProduct(
        batch: points, m: channels.written, n: tiles, k: channels.read,
        typicalN: chunk * tilesPerSample, on: architecture)
  }

  /// The planes that tiles are read from: with a border, and up to whole tiles.
  private var sourcePlanes: PackedPlanes {
    let (g, w) = (problem.geometry, problem.geometry.window)
    func axis(extent: Int, before: Int, tiles: Int) -> PackedPlanes.Axis {
      .init(extent: extent, before: before, phases: 1, stride: 1, length: tiles * side + 2)
    }
    return problem.pass == .backwardInput
      ? PackedPlanes(
        h: axis(extent: g.outHeight, before: 2 - w.paddingHeight, tiles: down),
        w: axis(extent: g.outWidth, before: 2 - w.paddingWidth, tiles: across))
      : PackedPlanes(
        h: axis(extent: g.inHeight, before: w.paddingHeight, tiles: down),
        w: axis(extent: g.inWidth, before: w.paddingWidth, tiles: across))
  }

  private var gradientPlanes: PackedPlanes {
    let g = problem.geometry
    func axis(extent: Int, tiles: Int) -> PackedPlanes.Axis {
      .init(extent: extent, before: 0, phases: 1, stride: 1, length: tiles * side)
    }
    return PackedPlanes(
      h: axis(extent: g.outHeight, tiles: down), w: axis(extent: g.outWidth, tiles: across))
  }

  /// The elements of each part of the scratch memory, for a chunk.
  private struct Scratch {
    var source: Int
    var gradient: Int
    var a: Int
    var b: Int
    var product: Int
    var total: Int { source + gradient + a + b + product }
  }

  private var scratch: Scratch {
    let product = product(samples: chunk)
    let isWeight = problem.pass == .backwardWeight
    return Scratch(
      source: chunk * channels.read * sourcePlanes.count,
      gradient: isWeight ? chunk * channels.written * gradientPlanes.count : 0,
      a: points * product.aCount, b: points * product.bCount,
      product: points * product.m * product.n)
  }

  var workspaceByteCount: Int { 4 * scratch.total }

  var cost: ConvolutionCost {
    let g = problem.geometry
    let product = product(samples: chunk)
    let chunks = Double((g.batch + chunk - 1) / chunk)
    let flops = 2 * Double(points * product.m) * Double(product.n * product.k) * product.waste
    // The weight's gradient wants tiles along the summed axis: they are stored lane by lane.
    let factor: Double = problem.pass == .backwardWeight ? 4 : 1
    // Transformed tiles cost about a dozen operations each, whatever is done with them.
    let tiles = Double(points * tilesPerSample * g.batch * (channels.read + channels.written))
    let weights = Double(points * channels.read * channels.written)
    return ConvolutionCost(
      flops: factor * (flops * chunks + 12 * tiles), bytes: factor * 8 * (tiles + weights))
  }

  // MARK: - Encoding

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let sizes = scratch
    let source = encoder.scratch(0, count: sizes.source)
    let gradient = encoder.scratch(sizes.source, count: sizes.gradient)
    var start = sizes.source + sizes.gradient
    let a = encoder.scratch(start, count: sizes.a)
    start += sizes.a
    let b = encoder.scratch(start, count: sizes.b)
    start += sizes.b
    let result = encoder.scratch(start, count: sizes.product)
    if problem.pass != .backwardWeight { try encodeWeight(operands.weight, into: a, encoder) }
    for first in stride(from: 0, to: problem.geometry.batch, by: chunk) {
      let samples = min(chunk, problem.geometry.batch - first)
      let product = product(samples: samples)
      func part(_ view: View) -> View { view.samples(first, count: samples) }
      let read = problem.pass == .backwardInput ? operands.output : operands.input
      try sourcePlanes.encode(
        part(read), into: source, count: samples * channels.read, encoder)
      if problem.pass == .backwardWeight {
        try gradientPlanes.encode(
          part(operands.output), into: gradient, count: samples * channels.written, encoder)
        try encodeTiles(
          "winograd_gradient", gradient, gradientPlanes, channels: channels.written, into: a,
          samples: samples, block: product.rowsPerBlock, encoder)
        try encodeTiles(
          "winograd_input", source, sourcePlanes, channels: channels.read, into: b,
          samples: samples, block: product.columnsPerBlock, encoder)
        try product.encode(a, b, into: result, accumulates: first > 0, encoder)
      } else {
        try encodeTiles(
          "winograd_input", source, sourcePlanes, channels: channels.read, into: b,
          samples: samples, block: product.columnsPerBlock, encoder)
        try product.encode(a, b, into: result, encoder)
        try encodeOutput(
          result, bias: operands.bias,
          into: part(problem.pass == .backwardInput ? operands.input : operands.output),
          samples: samples, encoder)
      }
    }
    if problem.pass == .backwardWeight {
      let count = channels.read * channels.written
      let width = architecture.vectorWidth
      try encoder.map(
        "winograd_sum", in: "convolution/winograd", count: (count + width - 1) / width,
        groupSize: architecture.blockGroup,
        [.tensor(result), .tensor(operands.weight), .int(count)],
        defines: ["SIDE": side, "V": width])
    }
  }

  private func encodeWeight(_ weight: View, into a: View, _ encoder: StepEncoder) throws {
    let product = product(samples: chunk)
    let isForward = problem.pass == .forward
    let (outer, inner) = (problem.geometry.inChannels * 9, 9)
    let width = architecture.vectorWidth(upTo: product.rowsPerBlock)
    var defines = ["SIDE": side, "V": width, "WIDTH": product.rowsPerBlock]
    if !isForward { defines["FLIP"] = 1 }
    try encoder.map(
      "winograd_weight", in: "convolution/winograd",
      count: product.rowBlocks * ((product.rowsPerBlock + width - 1) / width) * channels.read,
      groupSize: architecture.blockGroup,
      [
        .tensor(weight), .tensor(a), .int(channels.read), .int(channels.written),
        .int(isForward ? inner : outer), .int(isForward ? outer : inner),
      ], defines: defines)
  }

  /// - Parameter block: lanes of the product's blocks: channels for the weight's gradient, else tiles.
  private func encodeTiles(
    _ kernel: String, _ x: View, _ planes: PackedPlanes, channels: Int, into y: View,
    samples: Int, block: Int, _ encoder: StepEncoder
  ) throws {
    let width = architecture.vectorWidth
    let tiles = samples * tilesPerSample
    let isWeight = problem.pass == .backwardWeight
    let whole = { (count: Int) in (count + block - 1) / block * block }
    let lines = isWeight ? whole(channels) : channels
    let groups = ((isWeight ? tiles : whole(tiles)) + width - 1) / width
    var defines = ["SIDE": side, "V": width, "WIDTH": block]
    if isWeight { defines["ACROSS_CHANNELS"] = 1 }
    try encoder.map(
      kernel, in: "convolution/winograd", count: groups * lines,
      groupSize: architecture.blockGroup,
      [
        .tensor(x), .tensor(y), .int(channels), .int(tiles), .int(down), .int(across),
        .int(planes.count), .int(planes.pitch), .int(groups), .int(lines),
      ], defines: defines)
  }

  private func encodeOutput(
    _ result: View, bias: View?, into y: View, samples: Int, _ encoder: StepEncoder
  ) throws {
    let width = architecture.vectorWidth
    let tiles = samples * tilesPerSample
    let groups = (tiles + width - 1) / width
    try encoder.map(
      "winograd_output", in: "convolution/winograd", count: groups * channels.written,
      groupSize: architecture.blockGroup,
      [
        .tensor(result), .tensor(bias ?? result), .tensor(y), .int(channels.written),
        .int(tiles), .int(down), .int(across), .int(plane.h), .int(plane.w),
        .int(bias == nil ? 0 : 1), .int(groups),
      ], defines: ["SIDE": side, "V": width])
  }
}

import TernCore
import TernGraph
import TernRuntime

/// ``WinogradConvolution`` on devices with many threads: neighbouring work-items transform neighbouring
/// tiles, of the whole batch or as much of it as the workspace may hold, and tiles in local memory
/// multiply them. See `convolution/winograd_tiles.cl`.
struct TileWinograd: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.winograd

  private let problem: ConvolutionProblem
  /// Outputs of a tile along an axis.
  private let side: Int
  /// The samples that are computed together.
  private let chunk: Int
  private let choice: TileChoice

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    guard device.architecture == .manyThreads, !ProductTile.all(on: device).isEmpty else {
      return []
    }
    return WinogradConvolution.sides(for: problem).map { Self(problem, side: $0, device) }
  }

  private init(_ problem: ConvolutionProblem, side: Int, _ device: OpenCLDevice) {
    self.problem = problem
    self.side = side
    let g = problem.geometry
    let plane = WinogradConvolution.plane(problem)
    let tiles = (plane.h + side - 1) / side * ((plane.w + side - 1) / side)
    let perSample = 4 * (side + 2) * (side + 2) * (g.inChannels + g.outChannels) * tiles
    chunk = max(1, min(g.batch, Self.workspaceLimit(device) / perSample))
    let isWeight = problem.pass == .backwardWeight
    let (read, written) =
      problem.pass == .backwardInput
      ? (g.outChannels, g.inChannels) : (g.inChannels, g.outChannels)
    choice =
      TileChoice.all(
        written, isWeight ? read : chunk * tiles, terms: isWeight ? chunk * tiles : read,
        count: (side + 2) * (side + 2), on: device)[0]
  }

  /// The bytes that transformed tiles may fill: what is left of a device's memory holds a network.
  private static func workspaceLimit(_ device: OpenCLDevice) -> Int {
    min(device.limits.allocationByteCount / 4, max(64 << 20, device.info.memoryByteCount / 16))
  }

  var parameters: String { "\(side)x\(side)" }

  // MARK: - Sizes

  private var points: Int { (side + 2) * (side + 2) }
  private var plane: (h: Int, w: Int) { WinogradConvolution.plane(problem) }
  private var down: Int { (plane.h + side - 1) / side }
  private var across: Int { (plane.w + side - 1) / side }
  private var isWeight: Bool { problem.pass == .backwardWeight }
  /// Channels read and written.
  private var channels: (read: Int, written: Int) {
    let g = problem.geometry
    return problem.pass == .backwardInput
      ? (g.outChannels, g.inChannels) : (g.inChannels, g.outChannels)
  }

  /// The tiles of so many samples, filled up to a multiple of four, by which products are read.
  private func pitch(_ samples: Int) -> Int { (samples * down * across + 3) / 4 * 4 }

  private func product(_ samples: Int) -> TiledProduct {
    TiledProduct(
      batch: points, m: channels.written, n: isWeight ? channels.read : pitch(samples),
      k: isWeight ? pitch(samples) : channels.read, choice: choice)
  }

  /// The floats of each part of the scratch memory, all multiples of four.
  private var counts: (a: Int, b: Int, result: Int, parts: Int) {
    let product = product(chunk)
    func whole(_ count: Int) -> Int { (count + 3) / 4 * 4 }
    return (
      whole(points * product.m * product.k), whole(points * product.k * product.n),
      whole(points * product.m * product.n), product.scratchCount
    )
  }

  var workspaceByteCount: Int {
    let counts = counts
    return 4 * (counts.a + counts.b + counts.result + counts.parts)
  }

  var cost: ConvolutionCost {
    let chunks = Double((problem.geometry.batch + chunk - 1) / chunk)
    let counts = counts
    // Transformed tiles cost about a dozen operations each, and are written and read.
    let floats = chunks * Double(counts.a + counts.b + counts.result)
    return ConvolutionCost(flops: choice.operations * chunks + 12 * floats, bytes: 8 * floats)
  }

  // MARK: - Encoding

  var finishes: Bool { true }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window, counts) = (problem.geometry, problem.geometry.window, counts)
    let a = encoder.scratch(0, count: counts.a)
    let b = encoder.scratch(counts.a, count: counts.b)
    let result = encoder.scratch(counts.a + counts.b, count: counts.result)
    let parts =
      counts.parts > 0
      ? encoder.scratch(counts.a + counts.b + counts.result, count: counts.parts) : nil
    let isInput = problem.pass == .backwardInput
    let read = isInput ? operands.output : operands.input
    let extent = isInput ? (h: g.outHeight, w: g.outWidth) : (h: g.inHeight, w: g.inWidth)
    let before =
      isInput
      ? (h: 2 - window.paddingHeight, w: 2 - window.paddingWidth)
      : (h: window.paddingHeight, w: window.paddingWidth)
    for first in stride(from: 0, to: g.batch, by: chunk) {
      let samples = min(chunk, g.batch - first)
      let (product, pitch) = (product(samples), pitch(samples))
      func part(_ view: View) -> View { view.samples(first, count: samples) }
      let input: [Argument] = [
        .tensor(part(read)), .tensor(b), .int(channels.read), .int(samples * down * across),
        .int(pitch), .int(down), .int(across), .int(extent.h), .int(extent.w), .int(before.h),
        .int(before.w),
      ]
      if isWeight {
        try map(
          "winograd_both_tiles", channels.read + channels.written, samples,
          input + [
            .tensor(part(operands.output)), .tensor(a), .int(channels.written), .int(plane.h),
            .int(plane.w),
          ], encoder)
      } else {
        // The first launch transforms the weights too.
        let isForward = problem.pass == .forward
        let (outer, inner) = (g.inChannels * 9, 9)
        let items = channels.read * channels.written
        let rows = first == 0 ? (items + width(samples) - 1) / width(samples) : 0
        try map(
          "winograd_input_tiles", channels.read + rows, samples,
          input + [
            .tensor(operands.weight), .tensor(a), .int(channels.written),
            .int(isForward ? inner : outer), .int(isForward ? outer : inner),
          ], encoder, defines: isForward ? [:] : ["FLIP": 1])
      }
      try product.encode(
        .init(view: a, isTransposed: false, pitch: product.k, matrix: product.m * product.k),
        .init(
          view: b, isTransposed: isWeight, pitch: pitch, matrix: product.k * product.n),
        into: result, scratch: parts, Epilogue(addend: isWeight && first > 0 ? result : nil),
        encoder)
      if !isWeight {
        let y = part(isInput ? operands.input : operands.output)
        let epilogue = operands.epilogue.samples(first, count: samples)
          .adding(operands.bias, .perRow)
        try map(
          "winograd_output_tiles", channels.written, samples,
          [
            .tensor(result), .tensor(operands.bias, or: result),
            .tensor(epilogue.addend, or: result), .tensor(epilogue.mask, or: result), .tensor(y),
            .int(channels.written), .int(samples * down * across), .int(pitch), .int(down),
            .int(across), .int(plane.h), .int(plane.w),
            .int(epilogue.flags(storesWide: plane.w % 4 == 0 && y.offset % 4 == 0)),
          ], encoder)
      }
    }
    if isWeight {
      let count = channels.read * channels.written
      try encoder.map(
        "winograd_sum", in: "convolution/winograd", count: count,
        [.tensor(result), .tensor(operands.weight), .int(count)],
        defines: ["SIDE": side, "V": 1])
    }
  }

  private static let group = 64

  /// The work-items that the tiles of a channel have.
  private func width(_ samples: Int) -> Int {
    (pitch(samples) + Self.group - 1) / Self.group * Self.group
  }

  /// Appends a kernel over all tiles of so many channels.
  private func map(
    _ kernel: String, _ channels: Int, _ samples: Int, _ arguments: [Argument],
    _ encoder: StepEncoder, defines: [String: Int] = [:]
  ) throws {
    try encoder.launch(
      kernel, in: "convolution/winograd_tiles",
      groups: [width(samples) / Self.group, channels], localSize: [Self.group, 1],
      arguments, defines: defines.merging(["SIDE": side]) { $1 })
  }
}

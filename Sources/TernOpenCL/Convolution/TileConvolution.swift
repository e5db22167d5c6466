import TernCore
import TernGraph
import TernRuntime

/// A convolution as a product that never stores its patches, by tiles in local memory, for devices with
/// many threads: see `convolution/tile_convolution.cl`. Forward, and the gradient of the input.
struct TileConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.implicitGEMM

  private let problem: ConvolutionProblem
  private let choice: TileChoice
  private let phases: [ConvolutionPhase]
  private let marks: ConvolutionPhase.Marks
  private let isSuited: Bool

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    guard problem.pass != .backwardWeight else { return [] }
    let g = problem.geometry
    let isForward = problem.pass == .forward
    let phases = isForward ? ConvolutionPhase.forward(g) : ConvolutionPhase.backward(g)
    let plane = isForward ? (g.inHeight, g.inWidth) : (g.outHeight, g.outWidth)
    guard let marks = ConvolutionPhase.Marks(phases, plane: plane) else { return [] }
    let read = isForward ? problem.inputs : problem.outputs
    let terms = read * phases.reduce(0) { $0 + $1.taps } / phases.count
    return TileChoice.all(
      isForward ? problem.outputs : problem.inputs,
      g.batch * (phases.map(\.positions).max() ?? 0), terms: max(1, terms),
      count: g.groups * phases.count, on: device
    ).map {
      Self(
        problem: problem, choice: $0, phases: phases, marks: marks,
        isSuited: device.architecture == .manyThreads)
    }
  }

  var parameters: String { choice.name }

  // MARK: - Sizes

  private var isForward: Bool { problem.pass == .forward }
  /// Channels of a group, read and written.
  private var read: Int { isForward ? problem.inputs : problem.outputs }
  private var rows: Int { isForward ? problem.outputs : problem.inputs }
  private var plane: (h: Int, w: Int) {
    let g = problem.geometry
    return isForward ? (g.inHeight, g.inWidth) : (g.outHeight, g.outWidth)
  }
  private var resultCount: Int {
    let g = problem.geometry
    return (isForward ? g.outputShape : g.inputShape).elementCount
  }

  private static func wholeFours(_ count: Int) -> Int { (count + 3) / 4 * 4 }
  /// The floats of a row of a phase's weights.
  private func pitch(_ phase: ConvolutionPhase) -> Int { Self.wholeFours(read * phase.taps) }
  /// The floats that a group's weights take in the order that the kernel reads.
  private var weightsOfGroup: Int {
    readsWeightsByColumns ? rows * read : rows * phases.reduce(0) { $0 + pitch($1) }
  }
  /// Whether the weights are read as they are, transposed: those of one tap are a matrix.
  private var readsWeightsByColumns: Bool { !isForward && problem.taps == 1 && rows % 4 == 0 }
  /// Whether the kernel reads the weights where they are.
  private var readsWeightsInPlace: Bool {
    readsWeightsByColumns || isForward && read * phases[0].taps % 4 == 0
  }
  private var packedCount: Int {
    readsWeightsInPlace ? 0 : Self.wholeFours(problem.geometry.groups * weightsOfGroup)
  }
  private var partCount: Int { choice.parts > 1 ? choice.parts * resultCount : 0 }

  var workspaceByteCount: Int { 4 * (packedCount + partCount) }

  var cost: ConvolutionCost {
    // The tiles' accumulators fill no vectors of a processor.
    ConvolutionCost(
      flops: choice.operations * (isSuited ? 1 : 20), bytes: 8 * Double(packedCount))
  }

  // MARK: - Encoding

  /// Whether four positions of a channel lie side by side, and a term's four are neighbours of another's.
  private var isPointwise: Bool {
    let (g, w) = (problem.geometry, problem.geometry.window)
    return g.kernelHeight == 1 && g.kernelWidth == 1 && w.strideHeight == 1 && w.strideWidth == 1
      && w.paddingHeight == 0 && w.paddingWidth == 0 && plane.h * plane.w % 4 == 0
  }

  var finishes: Bool { true }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let (g, window, device) = (problem.geometry, problem.geometry.window, encoder.device)
    let (x, y) = isForward ? (operands.input, operands.output) : (operands.output, operands.input)
    let weights = try encodeWeights(operands.weight, encoder)
    let (tile, parts) = (choice.tile, choice.parts)
    let target = parts > 1 ? encoder.scratch(packedCount, count: partCount) : y
    let epilogue = operands.epilogue.adding(operands.bias, .perRow)
    let now = parts > 1 ? Epilogue() : epilogue
    let result = isForward ? (h: g.outHeight, w: g.outWidth) : (h: g.inHeight, w: g.inWidth)
    let step = isForward ? (h: 1, w: 1) : (h: window.strideHeight, w: window.strideWidth)
    let stride = isForward ? (h: window.strideHeight, w: window.strideWidth) : (h: 1, w: 1)
    let isWide = phases.count == 1 && result.h * result.w % 4 == 0 && target.offset % 4 == 0
    let readsWide = isPointwise && x.offset % 4 == 0
    let terms = phases.map { read * $0.taps }.max() ?? 0
    let tiles = phases.map { tile.count(rows, g.batch * $0.positions) }.max() ?? 0
    try encoder.launch(
      "conv2d_tile", in: "convolution/tile_convolution",
      groups: [tiles * phases.count, g.groups * parts], localSize: [tile.groupSize, 1],
      [
        .tensor(weights), .tensor(x), .tensor(now.bias?.view, or: x), .tensor(now.addend, or: x),
        .tensor(now.mask, or: x), .tensor(target), .table(try phaseTable(device, result)),
        .table(try entryTable(device)),
        .int(phases.count), .int(rows), .int(g.batch), .int(g.groups), .int(weightsOfGroup),
        .int(read), .int(plane.h), .int(plane.w), .int(stride.h), .int(stride.w),
        .int(result.h * result.w), .int(step.h * result.w), .int(step.w),
        .int(ProductTile.share(terms, parts: parts)), .int(resultCount),
        .int(now.flags(storesWide: isWide)),
      ],
      defines: tile.defines(on: device).merging(
        TileGather.defines(marks, reading: x, on: device)
      ) { $1 }.merging([
        "RIGHT_WIDTH": readsWide ? 4 : 1, "LEFT_BY_COLUMNS": readsWeightsByColumns ? 1 : 0,
      ]) { $1 },
      options: tile.options(on: device))
    if parts > 1 {
      try encoder.sumParts(target, into: y, parts: parts, inner: result.h * result.w, epilogue)
    }
  }

  /// Appends what brings the weights into the order that the kernel reads, if they are not in it.
  private func encodeWeights(_ weight: View, _ encoder: StepEncoder) throws -> View {
    if readsWeightsInPlace {
      precondition(weight.offset % 4 == 0, "values start at multiples of four elements")
      return weight
    }
    let g = problem.geometry
    let packed = encoder.scratch(0, count: packedCount).stored(as: weight.type.dataType)
    let taps = problem.taps
    let count = phases.reduce(0) { $0 + pitch($1) }
    // From one row of the product to the next, and from a term's channel to the next.
    let (rowStride, channelStride) =
      isForward ? (problem.inputs * taps, taps) : (taps, problem.inputs * taps)
    let table = try encoder.device.table("weights \(problem.tableKey)") {
      var result: [Int32] = []
      var start = 0
      for phase in phases {
        let pitch = pitch(phase)
        var place = 0
        func append(_ source: Int) {
          result += [Int32(source), Int32(start), Int32(pitch), Int32(place)]
          place += 1
        }
        for channel in 0..<read {
          for i in phase.h.kernelTaps {
            for j in phase.w.kernelTaps { append(channel * channelStride + i * g.kernelWidth + j) }
          }
        }
        while place < pitch { append(-1) }
        start += pitch
      }
      return result
    }
    let side = encoder.device.limits.kernelGroupSize >= 256 ? 16 : 8
    try encoder.launch(
      "tile_weights", in: "convolution/tile_weights",
      groups: [(count + side - 1) / side, (rows + side - 1) / side, g.groups],
      localSize: [side, side, 1],
      [
        .tensor(weight), .tensor(packed), .table(table), .int(count), .int(rows),
        .int(rowStride), .int(problem.outputs * problem.inputs * taps), .int(weightsOfGroup),
      ], defines: ["SIDE": side])
    return packed
  }

  /// The phases; see the kernel's PHASE_INTS.
  private func phaseTable(_ device: OpenCLDevice, _ result: (h: Int, w: Int)) throws
    -> OpenCLBuffer
  {
    try device.table("phases \(problem.tableKey)") {
      var (entry, weight) = (0, 0)
      return phases.flatMap { phase in
        let (h, w) = (phase.h, phase.w)
        defer {
          entry += TileGather.paddedCount(read * phase.taps)
          weight += readsWeightsByColumns ? 0 : rows * pitch(phase)
        }
        return [
          read * phase.taps, entry, weight, readsWeightsByColumns ? rows : pitch(phase), h.taps,
          w.taps, h.place, h.placeStep,
          w.place, w.placeStep, h.count, w.count, h.start * result.w + w.start, 0, 0, 0,
        ].map(Int32.init)
      }
    }
  }

  private func entryTable(_ device: OpenCLDevice) throws -> OpenCLBuffer {
    try TileGather.entries(phases, channels: read, plane: plane, marks, of: problem, on: device)
  }
}

/// What the kernels of `convolution/tile_gather.cl` share.
enum TileGather {
  /// The entries of a phase, filled up so that a tile of terms always finds some.
  static func paddedCount(_ count: Int) -> Int {
    (count + ProductTile.depth - 1) / ProductTile.depth * ProductTile.depth
  }

  static func entries(
    _ phases: [ConvolutionPhase], channels: Int, plane: (h: Int, w: Int),
    _ marks: ConvolutionPhase.Marks, of problem: ConvolutionProblem, on device: OpenCLDevice
  ) throws -> OpenCLBuffer {
    try device.table("entries \(problem.tableKey)") {
      phases.flatMap { phase in
        var entries = phase.entries(channels: channels, plane: plane, marks)
        while entries.count < 2 * paddedCount(channels * phase.taps) {
          entries += [0, marks.nowhere]
        }
        return entries
      }
    }
  }

  /// What the kernels are specialised by beside the tile.
  static func defines(
    _ marks: ConvolutionPhase.Marks, reading x: View, on device: OpenCLDevice
  ) -> [String: Int] {
    // Bytes are counted in 32 bits where what is thrown away is loaded.
    let speculates = !device.isNVIDIA && x.count < 1 << 30
    return ["PLACES": marks == .places ? 1 : 0, "SPECULATES": speculates ? 1 : 0]
  }
}

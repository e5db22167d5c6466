import CMicrokernels
import TernCore
import TernGraph

/// The gradient of a strided convolution's weights, in tiles that stay in registers over many pixels.
///
/// For one tap (u, v) of the kernel, the gradient is a sum of outer products, one per pixel of the
/// output:
///
///     dw[o, c, u, v] = Σₙ Σᵧ Σₓ x[n, c, y·stride + u − padding, x·stride + v − padding] · dy[n, o, y, x]
///
/// A tile is 64 output channels wide. Where the input is stored in blocks of sixteen channels, it
/// takes four channels of one tap; where it is planes, as an image is, four neighbouring taps of
/// one channel. oneDNN keeps one row's sums in registers, so that a row of seven pixels costs as much
/// in loads and stores of sums as in arithmetic.
struct TiledWeightGradient {
  private let geometry: Conv2DGeometry
  private let context: CPUContext
  private let isBlocked: Bool
  private let weights: Weights
  private let outGroups: Int
  private let inBlocks: Int
  /// The pieces of work that an image comes in: the tiles of all taps of 64 output channels, and 16
  /// input channels or all.
  private let tiles: Int
  /// The batch is cut into this many parts, which add up sums of their own.
  private let parts: Int

  private static let blockSize = tern_outer_product_block_size
  private static let blocksPerGroup = tern_outer_product_blocks
  private static let channelsPerGroup = blockSize * blocksPerGroup
  private static let limit = tern_outer_product_limit
  /// The pixels over which sums should stay in registers.
  private static let fewestPixels = 96
  /// Parallel work should come in at least this many pieces.
  private static let fewestItems = 16

  /// Whether tiles can compute the gradient, in formats that suit them.
  static func covers(_ g: Conv2DGeometry) -> Bool {
    let isImage = g.inChannels <= 3
    // A tile of one or two taps is half idle.
    let fillsTiles =
      isImage
      ? g.kernelWidth % limit == 3 || g.kernelWidth % limit == 0
      : g.inChannels % blockSize == 0 && g.kernelHeight * g.kernelWidth > 1
    return tern_has_avx512() && g.groups == 1
      && max(g.window.strideHeight, g.window.strideWidth) > 1
      && g.outChannels % channelsPerGroup == 0 && fillsTiles
      && (!isImage || g.window.dilationWidth == 1)
  }

  /// What the gradient costs, in multiplications and additions of oneDNN's kernels: sums stay in registers
  /// over many pixels, but pieces of work are large.
  static func flops(_ g: Conv2DGeometry, _ context: CPUContext) -> Double {
    let inBlocks = g.inChannels <= 3 ? 1 : g.inChannels / blockSize
    let tiles = g.outChannels / channelsPerGroup * inBlocks
    let parts = min(g.batch, (fewestItems + tiles - 1) / tiles)
    let threads = context.threads.count
    let rounds = (parts * tiles + threads - 1) / threads
    let sums = parts > 1 ? 20 * Double(parts * g.weightShape.elementCount) : 0
    return Double(g.flops) * Double(rounds * threads) / Double(parts * tiles) + sums
  }

  /// The gradient with tensors as they are stored; `nil` where tiles cannot compute it.
  init?(
    _ geometry: Conv2DGeometry, _ context: CPUContext, source: ChannelFormat?,
    destination: ChannelFormat?, weights: MemoryDescriptor
  ) {
    let w = geometry.window
    guard context.algorithm == nil || context.algorithm == .direct,
      tern_has_avx512(), geometry.groups == 1, max(w.strideHeight, w.strideWidth) > 1,
      destination == .blocked16, geometry.outChannels % Self.channelsPerGroup == 0,
      let strides = Weights(weights)
    else { return nil }
    switch source {
    case .blocked16:
      guard geometry.inChannels % Self.blockSize == 0,
        geometry.kernelHeight * geometry.kernelWidth > 1
      else { return nil }
      isBlocked = true
    case .dense:
      // A tile of one or two taps is half idle.
      guard geometry.kernelWidth % Self.limit == 3 || geometry.kernelWidth % Self.limit == 0,
        w.dilationWidth == 1
      else { return nil }
      isBlocked = false
    default: return nil
    }
    self.geometry = geometry
    self.context = context
    self.weights = strides
    inBlocks = isBlocked ? geometry.inChannels / Self.blockSize : 1
    outGroups = geometry.outChannels / Self.channelsPerGroup
    tiles = outGroups * inBlocks
    parts = min(geometry.batch, (Self.fewestItems + tiles - 1) / tiles)
  }

  /// Where weights [O, C, KH, KW] are stored, with sixteen output channels side by side.
  private struct Weights {
    let group: Int
    let block: Int
    let inBlock: Int
    let channel: Int
    let row: Int
    let column: Int
    let count: Int

    init?(_ descriptor: MemoryDescriptor) {
      let extent = descriptor.shape
      guard extent.rank == 4 else { return nil }
      func offset(_ position: [Int]) -> Int { descriptor.offset(of: position) }
      guard (1..<blockSize).allSatisfy({ offset([$0, 0, 0, 0]) == $0 }) else { return nil }
      group = offset([channelsPerGroup, 0, 0, 0])
      block = offset([blockSize, 0, 0, 0])
      inBlock = offset([0, blockSize, 0, 0])
      channel = offset([0, 1, 0, 0])
      row = offset([0, 0, 1, 0])
      column = offset([0, 0, 0, 1])
      count = descriptor.byteCount / 4
      // Within a block, neighbouring input channels are equally far from each other.
      let inner = min(blockSize, extent[1])
      guard (0..<inner).allSatisfy({ offset([0, $0, 0, 0]) == $0 * channel }) else { return nil }
    }
  }

  /// The rows of output pixels taken together.
  private var rowsTogether: Int {
    min(geometry.outHeight, (Self.fewestPixels + geometry.outWidth - 1) / geometry.outWidth)
  }

  func lowering(hasBias: Bool) -> Lowering {
    let threads = context.threads
    let partCount = weights.count + (hasBias ? geometry.outChannels : 0)
    let paddedCount = isBlocked ? 0 : paddedRows * paddedWidth
    let sums = parts > 1 ? parts * partCount : 0
    return Lowering(
      workspaceByteCount: 4 * (sums + threads.count * paddedCount),
      implementation: Lowering.name(ConvolutionCandidates.tiles, calling: "tern avx512")
    ) { addresses in
      let (x, dy) = (addresses.input(0), addresses.input(1))
      let dw = addresses.output(0)
      let db = hasBias ? addresses.output(1) : nil
      let partial: UnsafeMutablePointer<Float>? = sums > 0 ? addresses.workspace() : nil
      let padded: UnsafeMutablePointer<Float>? =
        paddedCount > 0 ? addresses.workspace(at: 4 * sums) : nil
      let products = threads.partitioned(parts * tiles) { items, thread in
        for part in items.lowerBound / tiles...(items.upperBound - 1) / tiles {
          let mine = items.clamped(to: part * tiles..<(part + 1) * tiles)
          let sum = partial.map { $0 + part * partCount } ?? dw
          let biasSum = hasBias ? partial.map { $0 + part * partCount + weights.count } ?? db : nil
          for item in mine { clear(item - part * tiles, sum, biasSum) }
          for image in part * geometry.batch / parts..<(part + 1) * geometry.batch / parts {
            for item in mine {
              add(
                image, item - part * tiles, x, dy, sum, biasSum,
                padded.map { $0 + thread * paddedCount })
            }
          }
        }
      }
      guard let partial else { return products }
      let totals = threads.loop(partCount, grain: 4096, alignment: 16) { range in
        for index in range {
          var total = partial[index]
          for part in 1..<parts { total += partial[part * partCount + index] }
          if index < weights.count { dw[index] = total } else { db![index - weights.count] = total }
        }
      }
      return {
        try products()
        try totals()
      }
    }
  }

  /// The output group and the first input channel of a piece of work.
  private func place(_ item: Int) -> (group: Int, block: Int) { (item / inBlocks, item % inBlocks) }

  private func clear(
    _ item: Int, _ sum: UnsafeMutablePointer<Float>, _ bias: UnsafeMutablePointer<Float>?
  ) {
    let (group, block) = place(item)
    let channels = isBlocked ? Self.blockSize : geometry.inChannels
    let first = sum + group * weights.group + block * weights.inBlock
    for outBlock in 0..<Self.blocksPerGroup {
      for channel in 0..<channels {
        for u in 0..<geometry.kernelHeight {
          for v in 0..<geometry.kernelWidth {
            (first + outBlock * weights.block + channel * weights.channel + u * weights.row
              + v * weights.column)
              .update(repeating: 0, count: Self.blockSize)
          }
        }
      }
    }
    if let bias, block == 0 {
      (bias + group * Self.channelsPerGroup).update(repeating: 0, count: Self.channelsPerGroup)
    }
  }

  /// Adds what an image contributes to the tiles of one piece of work.
  private func add(
    _ image: Int, _ item: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    _ sum: UnsafeMutablePointer<Float>, _ bias: UnsafeMutablePointer<Float>?,
    _ padded: UnsafeMutablePointer<Float>?
  ) {
    let g = geometry
    let (group, block) = place(item)
    let plane = g.outHeight * g.outWidth * Self.blockSize
    let dyImage =
      dy + (image * outGroups + group) * Self.blocksPerGroup * plane
    let sums = sum + group * weights.group + block * weights.inBlock
    for first in stride(from: 0, to: g.outHeight, by: rowsTogether) {
      let rows = first..<min(first + rowsTogether, g.outHeight)
      if let bias, block == 0 {
        withUnsafePointer(to: Float(1)) { one in
          tern_add_outer_products(
            1, rows.count, g.outWidth, one, 0, 0, dyImage + first * g.outWidth * Self.blockSize,
            g.outWidth * Self.blockSize, plane, bias + group * Self.channelsPerGroup, 0,
            Self.blockSize)
        }
      }
      if isBlocked {
        let xPlane =
          x + (image * inBlocks + block) * g.inHeight * g.inWidth * Self.blockSize
        addBlocked(rows, xPlane, dyImage, plane, sums)
      } else {
        let xImage = x + image * g.inChannels * g.inHeight * g.inWidth
        for channel in 0..<g.inChannels {
          pad(rows, xImage + channel * g.inHeight * g.inWidth, padded!)
          addPadded(rows, channel, padded!, dyImage, plane, sums + channel * weights.channel)
        }
      }
    }
  }

  // MARK: Blocks of sixteen channels

  private func addBlocked(
    _ rows: Range<Int>, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ plane: Int,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let (g, w, size) = (geometry, geometry.window, Self.blockSize)
    let xRowsAhead = Ahead(
      x + rows.upperBound * w.strideHeight * g.inWidth * size,
      lines: rows.count * w.strideHeight * g.inWidth, turns: tapCount * size / Self.limit)
    let dyRowsAhead = dyAhead(rows, dy, turns: tapCount * size / Self.limit)
    var turn = 0
    for u in 0..<g.kernelHeight {
      let top = u * w.dilationHeight - w.paddingHeight
      let inside = Self.inside(rows, top, w.strideHeight, g.inHeight)
      if inside.isEmpty { continue }
      for v in 0..<g.kernelWidth {
        let left = v * w.dilationWidth - w.paddingWidth
        let columns = Self.inside(0..<g.outWidth, left, w.strideWidth, g.inWidth)
        if columns.isEmpty { continue }
        let (firstRow, firstColumn) = (inside.lowerBound, columns.lowerBound)
        let xRow = firstRow * w.strideHeight + top
        let xColumn = firstColumn * w.strideWidth + left
        let xFirst = x + (xRow * g.inWidth + xColumn) * size
        let dyFirst = dy + (firstRow * g.outWidth + firstColumn) * size
        let tap = sums + u * weights.row + v * weights.column
        for channel in stride(from: 0, to: size, by: Self.limit) {
          xRowsAhead.prefetch(turn)
          for block in 0..<Self.blocksPerGroup { dyRowsAhead.prefetch(turn, offset: block * plane) }
          turn += 1
          tern_add_outer_products(
            Int32(Self.limit), inside.count, columns.count, xFirst + channel,
            w.strideHeight * g.inWidth * size, w.strideWidth * size, dyFirst, g.outWidth * size,
            plane, tap + channel * weights.channel, weights.channel, weights.block)
        }
      }
    }
  }

  private var tapCount: Int { geometry.kernelHeight * geometry.kernelWidth }

  /// Rows that come after the ones at work, fetched a part at a time: too much at once would keep the
  /// arithmetic waiting.
  private struct Ahead {
    private let start: UnsafePointer<Float>
    private let lines: Int
    private let share: Int

    init(_ start: UnsafePointer<Float>, lines: Int, turns: Int) {
      self.start = start
      self.lines = lines
      share = (lines + turns - 1) / turns
    }

    func prefetch(_ turn: Int, offset: Int = 0) {
      let first = turn * share
      if first < lines {
        tern_prefetch(start + offset + first * blockSize, min(share, lines - first))
      }
    }
  }

  /// As many rows of the first block of the output's gradient as are at work.
  private func dyAhead(_ rows: Range<Int>, _ dy: UnsafePointer<Float>, turns: Int) -> Ahead {
    Ahead(
      dy + rows.upperBound * geometry.outWidth * Self.blockSize,
      lines: rows.count * geometry.outWidth, turns: turns)
  }

  /// The outputs of `range` whose input, at `stride` · output + `offset`, is within `extent`.
  private static func inside(_ range: Range<Int>, _ offset: Int, _ stride: Int, _ extent: Int)
    -> Range<Int>
  {
    let first = max(range.lowerBound, offset < 0 ? (-offset + stride - 1) / stride : 0)
    let end = min(range.upperBound, extent > offset ? (extent - offset - 1) / stride + 1 : 0)
    return first..<max(first, end)
  }

  // MARK: Planes

  private var paddedWidth: Int {
    (geometry.outWidth - 1) * geometry.window.strideWidth + geometry.kernelWidth
  }
  private var paddedRows: Int {
    (rowsTogether - 1) * geometry.window.strideHeight
      + (geometry.kernelHeight - 1) * geometry.window.dilationHeight + 1
  }

  /// Copies the input rows that some output rows see, with the zeros around the image.
  private func pad(
    _ rows: Range<Int>, _ x: UnsafePointer<Float>, _ padded: UnsafeMutablePointer<Float>
  ) {
    let (g, w) = (geometry, geometry.window)
    let top = rows.lowerBound * w.strideHeight - w.paddingHeight
    let count =
      (rows.count - 1) * w.strideHeight + (g.kernelHeight - 1) * w.dilationHeight + 1
    let before = min(w.paddingWidth, paddedWidth)
    let inner = min(g.inWidth, paddedWidth - before)
    for row in 0..<count {
      let to = padded + row * paddedWidth
      guard (0..<g.inHeight).contains(top + row) else {
        to.update(repeating: 0, count: paddedWidth)
        continue
      }
      to.update(repeating: 0, count: before)
      (to + before).update(from: x + (top + row) * g.inWidth, count: inner)
      (to + before + inner).update(repeating: 0, count: paddedWidth - before - inner)
    }
  }

  private func addPadded(
    _ rows: Range<Int>, _ channel: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    _ plane: Int,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let (g, w) = (geometry, geometry.window)
    let dyFirst = dy + rows.lowerBound * g.outWidth * Self.blockSize
    let dyRowsAhead = dyAhead(rows, dy, turns: g.inChannels * g.kernelHeight)
    for u in 0..<g.kernelHeight {
      for block in 0..<Self.blocksPerGroup {
        dyRowsAhead.prefetch(channel * g.kernelHeight + u, offset: block * plane)
      }
      for v in stride(from: 0, to: g.kernelWidth, by: Self.limit) {
        tern_add_outer_products(
          Int32(min(Self.limit, g.kernelWidth - v)), rows.count, g.outWidth,
          x + u * w.dilationHeight * paddedWidth + v, w.strideHeight * paddedWidth, w.strideWidth,
          dyFirst, g.outWidth * Self.blockSize, plane,
          sums + u * weights.row + v * weights.column, weights.column, weights.block)
      }
    }
  }
}

/// Max pooling of tensors whose channels are innermost: a vector of channels at a time. Input and
/// output may differ in how they group channels.
struct ChannelMaxPool {
  let geometry: PoolingGeometry
  let input: ChannelStrides
  let output: ChannelStrides

  private var groups: ChannelGroups {
    ChannelGroups(batch: geometry.batch, input: input, output: output)
  }

  func forward<Element: LaneElement>(
    _ threads: Threads, _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>
  ) -> Step {
    groups.step(threads, elements: geometry.inPlane) { group in
      let (x, y, indices) = (x + group.input, y + group.output, indices + group.output)
      for row in 0..<geometry.outHeight {
        for channel in stride(from: 0, to: group.outputCount, by: Lanes.width) {
          let from = Lanes(start: channel, limit: group.inputCount)
          let to = Lanes(start: channel, limit: group.outputCount)
          if geometry.isHalving {
            halve(row, x, y, indices, from, to)
          } else {
            pool(row, x, y, indices, from, to)
          }
        }
      }
    }
  }

  /// One row of the output, one vector of channels.
  private func pool<Element: LaneElement>(
    _ i: Int, _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>, _ from: Lanes, _ to: Lanes
  ) {
    let g = geometry
    let (top, kernelRows) = g.rows(i)
    for j in 0..<g.outWidth {
      let (left, kernelColumns) = g.columns(j)
      let target = (i &* g.outWidth &+ j) &* output.pixel
      if kernelRows.isEmpty || kernelColumns.isEmpty {
        // A window that holds padding only.
        to.store(Vector(repeating: -.infinity), y + target)
        to.store(IntegerVector(repeating: -1), indices + target)
        continue
      }
      let first =
        (top &+ kernelRows.lowerBound &* g.window.dilationHeight) &* g.inWidth &+ left
        &+ kernelColumns.lowerBound &* g.window.dilationWidth
      var best = from.load(x + first &* input.pixel)
      var position = IntegerVector(repeating: Int32(truncatingIfNeeded: first))
      for u in kernelRows {
        let row = (top &+ u &* g.window.dilationHeight) &* g.inWidth &+ left
        for v in kernelColumns {
          let candidate = row &+ v &* g.window.dilationWidth
          let value = from.load(x + candidate &* input.pixel)
          let isBetter = value.exceeds(best)
          best = best.replacing(with: value, where: isBetter)
          position = position.replacing(
            with: IntegerVector(repeating: Int32(truncatingIfNeeded: candidate)),
            where: isBetter)
        }
      }
      to.store(best, y + target)
      to.store(position, indices + target)
    }
  }

  /// As ``pool``, for windows of 2×2 that do not overlap.
  private func halve<Element: LaneElement>(
    _ i: Int, _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>, _ from: Lanes, _ to: Lanes
  ) {
    let (width, outWidth) = (geometry.inWidth, geometry.outWidth)
    let (zero, one) = (IntegerVector(repeating: 0), IntegerVector(repeating: 1))
    let below = IntegerVector(repeating: Int32(truncatingIfNeeded: width))
    for j in 0..<outWidth {
      let corner = 2 &* (i &* width &+ j)
      let source = x + corner &* input.pixel
      let nextRow = source + width &* input.pixel
      let (a, b) = (from.load(source), from.load(source + input.pixel))
      let (c, d) = (from.load(nextRow), from.load(nextRow + input.pixel))
      // Only a greater value replaces an earlier one, or NaN.
      let (bWins, dWins) = (b.exceeds(a), d.exceeds(c))
      let top = a.replacing(with: b, where: bWins)
      let bottom = c.replacing(with: d, where: dWins)
      let bottomWins = bottom.exceeds(top)
      let offset = zero.replacing(with: one, where: bWins).replacing(
        with: below &+ zero.replacing(with: one, where: dWins), where: bottomWins)
      let target = (i &* outWidth &+ j) &* output.pixel
      to.store(top.replacing(with: bottom, where: bottomWins), y + target)
      to.store(
        offset &+ IntegerVector(repeating: Int32(truncatingIfNeeded: corner)), indices + target)
    }
  }

  func backward<Element: LaneElement>(
    _ threads: Threads, _ dy: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Element>
  ) -> Step {
    groups.step(threads, elements: geometry.inPlane) { group in
      let (dx, dy, indices) = (dx + group.input, dy + group.output, indices + group.output)
      if geometry.isHalving {
        halveBackward(dy, indices, dx, group)
      } else {
        poolBackward(dy, indices, dx, group)
      }
    }
  }

  private func poolBackward<Element: LaneElement>(
    _ dy: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Element>, _ group: ChannelGroups.Group
  ) {
    clear(dx, pixels: 0..<geometry.inPlane, group)
    // Padding of the output points at padding of the input, or nowhere.
    let channels = min(group.inputCount, group.outputCount)
    for pixel in 0..<geometry.outPlane {
      let source = pixel &* output.pixel
      for channel in 0..<channels {
        let position = Int(indices[source &+ channel])
        if position < 0 { continue }
        let target = dx + (position &* input.pixel &+ channel)
        target.pointee = Element(target.pointee.float + dy[source &+ channel].float)
      }
    }
  }

  private func clear<Element: LaneElement>(
    _ dx: UnsafeMutablePointer<Element>, pixels: Range<Int>, _ group: ChannelGroups.Group
  ) {
    if group.inputCount == input.pixel {
      (dx + pixels.lowerBound * input.pixel).update(
        repeating: Element(0), count: pixels.count * input.pixel)
    } else {
      for pixel in pixels {
        (dx + pixel &* input.pixel).update(repeating: Element(0), count: group.inputCount)
      }
    }
  }

  /// Windows that do not overlap: every element they cover is written once.
  private func halveBackward<Element: LaneElement>(
    _ dy: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Element>, _ group: ChannelGroups.Group
  ) {
    let g = geometry
    for i in 0..<g.outHeight {
      for channel in stride(from: 0, to: group.inputCount, by: Lanes.width) {
        spread(
          i, dy, indices, dx, Lanes(start: channel, limit: group.outputCount),
          Lanes(start: channel, limit: group.inputCount))
      }
      // A last column that no window covers.
      let row = 2 * i * g.inWidth
      if 2 * g.outWidth < g.inWidth {
        clear(dx, pixels: row + 2 * g.outWidth..<row + g.inWidth, group)
        clear(dx, pixels: row + g.inWidth + 2 * g.outWidth..<row + 2 * g.inWidth, group)
      }
    }
    clear(dx, pixels: 2 * g.outHeight * g.inWidth..<g.inPlane, group)
  }

  /// One row of windows, one vector of channels.
  private func spread<Element: LaneElement>(
    _ i: Int, _ dy: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Element>, _ from: Lanes, _ to: Lanes
  ) {
    let (width, outWidth) = (geometry.inWidth, geometry.outWidth)
    let zero = Vector(repeating: 0)
    let (here, one) = (IntegerVector(repeating: 0), IntegerVector(repeating: 1))
    let below = IntegerVector(repeating: Int32(truncatingIfNeeded: width))
    for j in 0..<outWidth {
      let source = (i &* outWidth &+ j) &* output.pixel
      let corner = 2 &* (i &* width &+ j)
      let gradient = from.load(dy + source)
      let offset =
        from.load(indices + source)
        &- IntegerVector(repeating: Int32(truncatingIfNeeded: corner))
      let target = dx + corner &* input.pixel
      let nextRow = target + width &* input.pixel
      to.store(zero.replacing(with: gradient, where: offset .== here), target)
      to.store(zero.replacing(with: gradient, where: offset .== one), target + input.pixel)
      to.store(zero.replacing(with: gradient, where: offset .== below), nextRow)
      to.store(
        zero.replacing(with: gradient, where: offset .== below &+ one), nextRow + input.pixel)
    }
  }
}

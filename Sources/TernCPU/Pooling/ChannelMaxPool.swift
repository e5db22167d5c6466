/// Max pooling of tensors whose channels are innermost: a vector of channels at a time. Input and
/// output may differ in how they group channels.
struct ChannelMaxPool {
  let geometry: PoolingGeometry
  let input: ChannelStrides
  let output: ChannelStrides

  private var groups: ChannelGroups {
    ChannelGroups(batch: geometry.batch, input: input, output: output)
  }

  func forward(
    _ threads: Threads, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ indices: UnsafeMutablePointer<Int32>
  ) -> Step {
    groups.step(threads, elements: geometry.inPlane) { group in
      pool(x + group.input, y + group.output, indices + group.output, group)
    }
  }

  private func pool(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ indices: UnsafeMutablePointer<Int32>, _ group: ChannelGroups.Group
  ) {
    let g = geometry
    for i in 0..<g.outHeight {
      let (top, kernelRows) = g.rows(i)
      for j in 0..<g.outWidth {
        let (left, kernelColumns) = g.columns(j)
        let target = (i &* g.outWidth &+ j) &* output.pixel
        let first =
          (top &+ kernelRows.lowerBound &* g.window.dilationHeight) &* g.inWidth &+ left
          &+ kernelColumns.lowerBound &* g.window.dilationWidth
        forEachLanes(group.inputCount, group.outputCount) { from, to in
          // Padding of the input beyond the output's channels.
          if to.count == 0 { return }
          var best = from.load(x + first &* input.pixel)
          var position = IntegerVector(repeating: Int32(truncatingIfNeeded: first))
          for u in kernelRows {
            let row = (top &+ u &* g.window.dilationHeight) &* g.inWidth &+ left
            for v in kernelColumns {
              let candidate = row &+ v &* g.window.dilationWidth
              let value = from.load(x + candidate &* input.pixel)
              let isBetter = value .> best
              best = best.replacing(with: value, where: isBetter)
              position = position.replacing(
                with: Int32(truncatingIfNeeded: candidate), where: isBetter)
            }
          }
          to.store(best, y + target)
          to.store(position, indices + target)
        }
      }
    }
  }

  func backward(
    _ threads: Threads, _ dy: UnsafePointer<Float>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Float>
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

  private func poolBackward(
    _ dy: UnsafePointer<Float>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Float>, _ group: ChannelGroups.Group
  ) {
    clear(dx, pixels: 0..<geometry.inPlane, group)
    // Padding of the output points at padding of the input, or nowhere.
    let channels = min(group.inputCount, group.outputCount)
    for pixel in 0..<geometry.outPlane {
      let source = pixel &* output.pixel
      for channel in 0..<channels {
        let position = Int(indices[source &+ channel])
        dx[position &* input.pixel &+ channel] += dy[source &+ channel]
      }
    }
  }

  private func clear(
    _ dx: UnsafeMutablePointer<Float>, pixels: Range<Int>, _ group: ChannelGroups.Group
  ) {
    if group.inputCount == input.pixel {
      (dx + pixels.lowerBound * input.pixel).update(
        repeating: 0, count: pixels.count * input.pixel)
    } else {
      for pixel in pixels {
        (dx + pixel &* input.pixel).update(repeating: 0, count: group.inputCount)
      }
    }
  }

  /// Windows that do not overlap: every element they cover is written once.
  private func halveBackward(
    _ dy: UnsafePointer<Float>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Float>, _ group: ChannelGroups.Group
  ) {
    let g = geometry
    for i in 0..<g.outHeight {
      let row = 2 &* i &* g.inWidth
      for j in 0..<g.outWidth {
        let source = (i &* g.outWidth &+ j) &* output.pixel
        let corner = row &+ 2 &* j
        forEachLanes(group.inputCount, group.outputCount) { to, from in
          if to.count == 0 { return }
          let gradient = from.load(dy + source)
          let position = from.load(indices + source)
          @inline(__always)
          func store(_ candidate: Int) {
            let isSource = position .== Int32(truncatingIfNeeded: candidate)
            to.store(
              Vector(repeating: 0).replacing(with: gradient, where: isSource),
              dx + candidate &* input.pixel)
          }
          store(corner)
          store(corner &+ 1)
          store(corner &+ g.inWidth)
          store(corner &+ g.inWidth &+ 1)
        }
      }
      // A last column that no window covers.
      if 2 * g.outWidth < g.inWidth {
        clear(dx, pixels: row + 2 * g.outWidth..<row + g.inWidth, group)
        clear(dx, pixels: row + g.inWidth + 2 * g.outWidth..<row + 2 * g.inWidth, group)
      }
    }
    clear(dx, pixels: 2 * g.outHeight * g.inWidth..<g.inPlane, group)
  }
}

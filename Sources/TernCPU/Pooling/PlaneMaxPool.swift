/// Max pooling of planes stored row by row.
struct PlaneMaxPool {
  let geometry: PoolingGeometry

  private func planes(_ threads: Threads, _ body: @escaping (_ plane: Int) -> Void) -> Step {
    let grain = max(1, Threads.elementwiseGrain / geometry.inPlane)
    return threads.loop(geometry.batch * geometry.channels, grain: grain) { range in
      for plane in range { body(plane) }
    }
  }

  func forward<Element: LaneElement>(
    _ threads: Threads, _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>
  ) -> Step {
    let (from, to) = (geometry.inPlane, geometry.outPlane)
    if geometry.isHalving {
      return planes(threads) { halve(x + $0 * from, y + $0 * to, indices + $0 * to) }
    }
    return planes(threads) { pool(x + $0 * from, y + $0 * to, indices + $0 * to) }
  }

  func backward<Element: LaneElement>(
    _ threads: Threads, _ dy: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>,
    _ dx: UnsafeMutablePointer<Element>
  ) -> Step {
    let (from, to) = (geometry.inPlane, geometry.outPlane)
    return planes(threads) { plane in
      let (target, source, positions) = (dx + plane * from, dy + plane * to, indices + plane * to)
      target.update(repeating: Element(0), count: from)
      // A window that holds padding only has no maximum.
      for i in 0..<to where positions[i] >= 0 {
        let place = target + Int(positions[i])
        place.pointee = Element(place.pointee.float + source[i].float)
      }
    }
  }

  private func pool<Element: LaneElement>(
    _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>
  ) {
    let g = geometry
    for i in 0..<g.outHeight {
      let (top, kernelRows) = g.rows(i)
      for j in 0..<g.outWidth {
        let (left, kernelColumns) = g.columns(j)
        var best = -Float.infinity
        var position = -1
        for u in kernelRows {
          let row = (top &+ u &* g.window.dilationHeight) &* g.inWidth
          for v in kernelColumns {
            let candidate = row &+ left &+ v &* g.window.dilationWidth
            // Before anything was seen even −∞ counts.
            let value = x[candidate].float
            if value.exceeds(best) || position < 0 { (best, position) = (value, candidate) }
          }
        }
        y[i &* g.outWidth &+ j] = Element(best)
        indices[i &* g.outWidth &+ j] = Int32(truncatingIfNeeded: position)
      }
    }
  }

  private func halve<Element: LaneElement>(
    _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>,
    _ indices: UnsafeMutablePointer<Int32>
  ) {
    let (width, outWidth) = (geometry.inWidth, geometry.outWidth)
    for i in 0..<geometry.outHeight {
      let top = x + 2 &* i &* width
      let bottom = top + width
      let (y, indices) = (y + i &* outWidth, indices + i &* outWidth)
      let first = Int32(truncatingIfNeeded: 2 &* i &* width)
      let (right, below) = (Int32(1), Int32(truncatingIfNeeded: width))
      for j in 0..<outWidth {
        var best = top[2 &* j].float
        var offset: Int32 = 0
        if top[2 &* j &+ 1].float.exceeds(best) { (best, offset) = (top[2 &* j &+ 1].float, right) }
        if bottom[2 &* j].float.exceeds(best) { (best, offset) = (bottom[2 &* j].float, below) }
        if bottom[2 &* j &+ 1].float.exceeds(best) {
          (best, offset) = (bottom[2 &* j &+ 1].float, below &+ right)
        }
        y[j] = Element(best)
        indices[j] = first &+ Int32(truncatingIfNeeded: 2 &* j) &+ offset
      }
    }
  }
}

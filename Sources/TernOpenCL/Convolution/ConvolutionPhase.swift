import TernCore
import TernGraph

/// A dense convolution out of those that a pass is made of, as `convolution/tile_convolution.cl` computes
/// it: forward is one. The gradient of the input has one for every remainder of a position by the
/// strides, since positions of one remainder meet the same taps.
struct ConvolutionPhase: Hashable, Sendable {
  /// Along an axis.
  struct Axis: Hashable, Sendable {
    /// Positions of results, and the first's place.
    var count: Int
    var start = 0
    /// What the positions meet: taps of the kernel, `tapStep` apart, and where the first tap of the first
    /// position lies in the plane that is read, which the next taps follow `placeStep` apart.
    var taps: Int
    var firstTap = 0
    var tapStep = 1
    var place: Int
    var placeStep: Int

    /// The places of the taps, as seen from a window's.
    var places: [Int] { (0..<taps).map { place + $0 * placeStep } }
    var kernelTaps: [Int] { (0..<taps).map { firstTap + $0 * tapStep } }

    /// - Parameter dilation: the taps' distance.
    static func forward(_ count: Int, taps: Int, padding: Int, dilation: Int) -> Axis {
      Axis(count: count, taps: taps, place: -padding, placeStep: dilation)
    }

    /// The phases of an input's axis of `extent` positions.
    static func backward(_ extent: Int, taps: Int, stride: Int, padding: Int, dilation: Int)
      -> [Axis]
    {
      (0..<min(stride, extent)).map { start in
        let met = (0..<taps).filter { (start + padding - $0 * dilation) % stride == 0 }
        let first = met.first ?? 0
        return Axis(
          count: (extent - start + stride - 1) / stride, start: start, taps: met.count,
          firstTap: first, tapStep: met.count > 1 ? met[1] - first : 1,
          place: (start + padding - first * dilation) / stride,
          placeStep: met.count > 1 ? -(met[1] - first) * dilation / stride : 0)
      }
    }
  }

  var h: Axis
  var w: Axis

  var taps: Int { h.taps * w.taps }
  var positions: Int { h.count * w.count }

  static func forward(_ g: Conv2DGeometry) -> [ConvolutionPhase] {
    let window = g.window
    return [
      ConvolutionPhase(
        h: .forward(
          g.outHeight, taps: g.kernelHeight, padding: window.paddingHeight,
          dilation: window.dilationHeight),
        w: .forward(
          g.outWidth, taps: g.kernelWidth, padding: window.paddingWidth,
          dilation: window.dilationWidth))
    ]
  }

  static func backward(_ g: Conv2DGeometry) -> [ConvolutionPhase] {
    let window = g.window
    let rows = Axis.backward(
      g.inHeight, taps: g.kernelHeight, stride: window.strideHeight,
      padding: window.paddingHeight, dilation: window.dilationHeight)
    let columns = Axis.backward(
      g.inWidth, taps: g.kernelWidth, stride: window.strideWidth, padding: window.paddingWidth,
      dilation: window.dilationWidth)
    return rows.flatMap { h in columns.map { ConvolutionPhase(h: h, w: $0) } }
  }

  // MARK: - Tables

  /// How a tap and a position say whether they meet; see `convolution/tile_gather.cl`.
  enum Marks: Hashable, Sendable {
    /// A bit for each row and each column of taps.
    case bits
    /// Rows and columns, where there are more than 31 of them.
    case places

    /// Those that serve phases over planes; `nil` where neither does.
    init?(_ phases: [ConvolutionPhase], plane: (h: Int, w: Int)) {
      if phases.allSatisfy({ $0.h.taps + $0.w.taps <= 31 }) {
        self = .bits
        return
      }
      let most = 1 << 14
      let places = phases.flatMap { $0.h.places + $0.w.places }
      guard max(plane.h, plane.w) < most, places.allSatisfy({ abs($0) < most }) else { return nil }
      self = .places
    }

    /// A tap, or a position, that meets nothing.
    var nowhere: Int32 { self == .bits ? -1 : 0x7FFF_0000 }

    static func place(_ h: Int, _ w: Int) -> Int32 {
      Int32(h) << 16 | Int32(truncatingIfNeeded: w) & 0xFFFF
    }
  }

  /// The taps of `channels` channels of planes, in the order of the weights: where each lies and its mark.
  func entries(channels: Int, plane: (h: Int, w: Int), _ marks: Marks) -> [Int32] {
    var result: [Int32] = []
    for channel in 0..<channels {
      for (i, row) in h.places.enumerated() {
        for (j, column) in w.places.enumerated() {
          result.append(Int32(channel * plane.h * plane.w + row * plane.w + column))
          result.append(
            marks == .bits ? 1 << Int32(i) | 1 << Int32(h.taps + j) : Marks.place(row, column))
        }
      }
    }
    return result
  }

  /// What a position of the phase is marked by, its window starting at (top, side).
  func mark(top: Int, side: Int, plane: (h: Int, w: Int), _ marks: Marks) -> Int32 {
    guard marks == .bits else { return Marks.place(top, side) }
    var outside = Int32.min
    for (i, row) in h.places.enumerated() where !(0..<plane.h).contains(top + row) {
      outside |= 1 << Int32(i)
    }
    for (j, column) in w.places.enumerated() where !(0..<plane.w).contains(side + column) {
      outside |= 1 << Int32(h.taps + j)
    }
    return outside
  }
}

import TernCore
import TernGraph

/// The extents of a pooling, and where its windows lie.
struct PoolingGeometry {
  let batch: Int
  let channels: Int
  let inHeight: Int
  let inWidth: Int
  let outHeight: Int
  let outWidth: Int
  let window: PoolingWindow

  init(_ window: PoolingWindow, input: Shape, output: Shape) {
    (batch, channels) = (input[0], input[1])
    (inHeight, inWidth) = (input[2], input[3])
    (outHeight, outWidth) = (output[2], output[3])
    self.window = window
  }

  var inPlane: Int { inHeight * inWidth }
  var outPlane: Int { outHeight * outWidth }

  /// Whether windows are neighbouring squares of 2×2, the commonest pooling by far.
  var isHalving: Bool {
    let w = window
    return w.kernelHeight == 2 && w.kernelWidth == 2 && w.strideHeight == 2 && w.strideWidth == 2
      && w.paddingHeight == 0 && w.paddingWidth == 0 && w.dilationHeight == 1
      && w.dilationWidth == 1 && outHeight * 2 <= inHeight && outWidth * 2 <= inWidth
  }

  /// The first input row of a window, which may lie in the padding, and the kernel rows inside the
  /// input.
  @inline(__always)
  func rows(_ output: Int) -> (origin: Int, kernel: Range<Int>) {
    Self.inside(
      output &* window.strideHeight &- window.paddingHeight, kernel: window.kernelHeight,
      dilation: window.dilationHeight, extent: inHeight)
  }

  /// The first input column of a window, and the kernel columns inside the input.
  @inline(__always)
  func columns(_ output: Int) -> (origin: Int, kernel: Range<Int>) {
    Self.inside(
      output &* window.strideWidth &- window.paddingWidth, kernel: window.kernelWidth,
      dilation: window.dilationWidth, extent: inWidth)
  }

  @inline(__always)
  private static func inside(_ origin: Int, kernel: Int, dilation: Int, extent: Int)
    -> (origin: Int, kernel: Range<Int>)
  {
    let first = origin >= 0 ? 0 : (dilation &- 1 &- origin) / dilation
    let end = min(kernel, (extent &- origin &+ dilation &- 1) / dilation)
    return (origin, first..<max(first, end))
  }
}

import TernCore

/// The geometry that the three passes of a convolution share, and the key of every kernel cache:
/// input [N, C, H, W], weight [O, C/groups, KH, KW], output [N, O, OH, OW].
package struct Conv2DGeometry: Hashable, Sendable {
  package private(set) var batch: Int
  package let inChannels: Int
  package let inHeight: Int
  package let inWidth: Int
  package let outChannels: Int
  package let kernelHeight: Int
  package let kernelWidth: Int
  package let outHeight: Int
  package let outWidth: Int
  package let window: ConvolutionWindow

  package var groups: Int { window.groups }
  package var inputShape: Shape { [batch, inChannels, inHeight, inWidth] }
  package var weightShape: Shape { [outChannels, inChannels / groups, kernelHeight, kernelWidth] }
  package var outputShape: Shape { [batch, outChannels, outHeight, outWidth] }
  /// The multiplications and additions of one pass.
  package var flops: Int {
    2 * outputShape.elementCount * (inChannels / groups) * kernelHeight * kernelWidth
  }

  /// The same of so many images.
  package func with(batch: Int) -> Conv2DGeometry {
    var copy = self
    copy.batch = batch
    return copy
  }
}

/// How a convolution's kernel moves over its input: (vertical, horizontal) pairs.
package struct ConvolutionWindow: Hashable, Sendable {
  package let strideHeight: Int
  package let strideWidth: Int
  package let paddingHeight: Int
  package let paddingWidth: Int
  package let dilationHeight: Int
  package let dilationWidth: Int
  package let groups: Int

  package init(
    stride: [Int] = [1, 1], padding: [Int] = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) {
    (strideHeight, strideWidth) = (stride[0], stride[1])
    (paddingHeight, paddingWidth) = (padding[0], padding[1])
    (dilationHeight, dilationWidth) = (dilation[0], dilation[1])
    self.groups = groups
  }

  var detail: String {
    "stride=[\(strideHeight), \(strideWidth)], padding=[\(paddingHeight), \(paddingWidth)], "
      + "dilation=[\(dilationHeight), \(dilationWidth)], groups=\(groups)"
  }

  /// ⌊(in + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1
  static func outputExtent(_ input: Int, kernel: Int, stride: Int, padding: Int, dilation: Int)
    -> Int
  {
    let span = input + 2 * padding - dilation * (kernel - 1) - 1
    return span < 0 ? 0 : span / stride + 1
  }

  /// The largest kernel, stride, padding and dilation: what a window reaches over is then within the
  /// 32-bit integers that devices and their libraries count with.
  static let largest = 1 << 15

  func validate(_ operation: String) throws(ShapeError) {
    func check(_ name: String, _ values: [Int], atLeast minimum: Int) throws(ShapeError) {
      guard values.allSatisfy({ $0 >= minimum }) else {
        throw ShapeError(operation, name, expected: "at least \(minimum)", got: "\(values)")
      }
      guard name == "groups" || values.allSatisfy({ $0 <= Self.largest }) else {
        throw ShapeError(operation, name, expected: "at most \(Self.largest)", got: "\(values)")
      }
    }
    try check("stride", [strideHeight, strideWidth], atLeast: 1)
    try check("padding", [paddingHeight, paddingWidth], atLeast: 0)
    try check("dilation", [dilationHeight, dilationWidth], atLeast: 1)
    try check("groups", [groups], atLeast: 1)
  }

  /// The geometry over an input [N, C, H, W] and a weight [O, C/groups, KH, KW].
  func geometry(_ operation: String, input x: Shape, weight w: Shape) throws(ShapeError)
    -> Conv2DGeometry
  {
    try validate(operation)
    guard x.rank == 4 else {
      throw ShapeError(operation, "input", expected: "shape [N, C, H, W]", got: "\(x)")
    }
    guard w.rank == 4 else {
      throw ShapeError(operation, "weight", expected: "shape [O, C/groups, KH, KW]", got: "\(w)")
    }
    guard x[1] % groups == 0, w[0] % groups == 0 else {
      throw ShapeError(
        operation, "groups", expected: "a divisor of \(x[1]) input and \(w[0]) output channels",
        got: "\(groups)")
    }
    guard w[1] == x[1] / groups else {
      throw ShapeError(
        operation, "weight", expected: "\(x[1] / groups) input channels (input \(x))", got: "\(w)")
    }
    guard w[2] <= Self.largest, w[3] <= Self.largest else {
      throw ShapeError(
        operation, "kernel_size", expected: "at most \(Self.largest)", got: "[\(w[2]), \(w[3])]")
    }
    let outHeight = Self.outputExtent(
      x[2], kernel: w[2], stride: strideHeight, padding: paddingHeight, dilation: dilationHeight)
    let outWidth = Self.outputExtent(
      x[3], kernel: w[3], stride: strideWidth, padding: paddingWidth, dilation: dilationWidth)
    guard outHeight > 0, outWidth > 0 else {
      throw ShapeError(
        operation, "input", expected: "at least the kernel's extent after padding", got: "\(x)")
    }
    return Conv2DGeometry(
      batch: x[0], inChannels: x[1], inHeight: x[2], inWidth: x[3], outChannels: w[0],
      kernelHeight: w[2], kernelWidth: w[3], outHeight: outHeight, outWidth: outWidth, window: self)
  }
}

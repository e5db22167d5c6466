import TernCore
import TernGraph

extension StepEncoder {
  /// Copies a box of `shape` between strided places.
  func stridedCopy(
    _ shape: Shape, from x: View, strides xStrides: [Int], sourceStart xStart: Int = 0, to y: View,
    strides yStrides: [Int], targetStart yStart: Int = 0, operation: String
  ) throws {
    let loop = try StridedLoop(shape, strides: [xStrides, yStrides], operation: operation)
    // Vectors want neighbours, or one element repeated, on the side read, and neighbours written.
    let isContiguous = loop.innerStrides[0] <= 1 && loop.innerStrides[1] == 1
    let width = isContiguous ? architecture.vectorWidth(upTo: loop.inner) : 1
    try map(
      "strided_copy", in: "movement/strided_copy",
      count: loop.rows * ((loop.inner + width - 1) / width),
      [.tensor(x), .tensor(y), .int(loop.rows), .int(loop.inner)] + loop.arguments
        + [
          .int(loop.innerStrides[0]), .int(loop.innerStrides[1]), .int(xStart), .int(yStart),
        ], defines: ["V": width, "AXES": loop.axes])
  }

  func fill(_ y: View, _ value: Float) throws {
    try elements(
      "fill", in: "movement/strided_copy", count: y.count,
      [.tensor(y), .int(y.count), .float(value)])
  }
}

extension Permute: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let strides = x[0].shape.strides
    try encoder.stridedCopy(
      y[0].shape, from: x[0], strides: order.map { strides[$0] }, to: y[0],
      strides: y[0].shape.strides, operation: name)
  }
}

extension Narrow: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let strides = x[0].shape.strides
    try encoder.stridedCopy(
      y[0].shape, from: x[0], strides: strides, sourceStart: start * strides[axis], to: y[0],
      strides: y[0].shape.strides, operation: name)
  }
}

extension Cat: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let strides = y[0].shape.strides
    var start = 0
    for input in x {
      try encoder.stridedCopy(
        input.shape, from: input, strides: input.shape.strides, to: y[0], strides: strides,
        targetStart: start * strides[axis], operation: name)
      start += input.shape[axis]
    }
  }
}

extension Pad.Mode {
  fileprivate var define: [String: Int] {
    switch self {
    case .constant, .reflect: ["MODE": 0]
    case .replicate: ["MODE": 1]
    case .circular: ["MODE": 2]
    }
  }
}

extension Pad: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (input, output) = (x[0].shape, y[0].shape)
    guard case .constant(let value) = mode else {
      try requireRank(output.rank, name)
      try encoder.map(
        "pad", in: "movement/pad", count: y[0].count,
        [
          .tensor(x[0]), .tensor(y[0]), .int(y[0].count),
          .ints(StridedLoop.padded(output.dimensions, with: 1)),
          .ints(StridedLoop.padded(input.dimensions, with: 1)),
          .ints(StridedLoop.padded(before, with: 0)),
        ], defines: mode.define)
      return
    }
    try encoder.fill(y[0], value)
    // The part of the input that remains where padding is negative.
    let cut = before.map { max(0, -$0) }
    let box = (0..<input.rank).map { input[$0] - cut[$0] - max(0, -after[$0]) }
    guard box.allSatisfy({ $0 > 0 }) else { return }
    func start(_ offsets: [Int], _ strides: [Int]) -> Int {
      zip(offsets, strides).reduce(0) { $0 + $1.0 * $1.1 }
    }
    try encoder.stridedCopy(
      Shape(box), from: x[0], strides: input.strides, sourceStart: start(cut, input.strides),
      to: y[0],
      strides: output.strides, targetStart: start(before.map { max(0, $0) }, output.strides),
      operation: name)
  }
}

extension PadBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try requireRank(inputShape.rank, name)
    try encoder.map(
      "pad_backward", in: "movement/pad", count: y[0].count,
      [
        .tensor(x[0]), .tensor(y[0]), .int(y[0].count),
        .ints(StridedLoop.padded(x[0].shape.dimensions, with: 1)),
        .ints(StridedLoop.padded(inputShape.dimensions, with: 1)),
        .ints(StridedLoop.padded(before, with: 0)),
      ], defines: mode.define)
  }
}

private func requireRank(_ rank: Int, _ operation: String) throws {
  guard rank <= StridedLoop.maximumRank else {
    throw TernError(
      .runtime,
      "\(operation): OpenCL kernels take at most \(StridedLoop.maximumRank) axes, not \(rank)")
  }
}

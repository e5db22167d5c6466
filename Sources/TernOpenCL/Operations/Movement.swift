import TernCore
import TernGraph

extension StepEncoder {
  /// Copies a box of `shape` between strided places.
  func stridedCopy(
    _ shape: Shape, from x: View, strides xStrides: [Int], sourceStart xStart: Int = 0, to y: View,
    strides yStrides: [Int], targetStart yStart: Int = 0, operation: String
  ) throws {
    var loop = try StridedLoop(shape, strides: [xStrides, yStrides], operation: operation)
    if loop.inner > 1, loop.innerStrides[0] > 1, loop.innerStrides[1] == 1,
      architecture.transposedTile.groupSize <= device.limits.groupSize,
      device.candidates.fits(Self.transposing, Self.copying),
      let other = loop.removeAxis(contiguousIn: 0)
    {
      return try transposedCopy(
        loop, across: other.extent, stride: other.strides[1], from: x, start: xStart, to: y,
        start: yStart)
    }
    // Vectors want neighbours, or one element repeated, on the side read, and neighbours written.
    let isContiguous = loop.innerStrides[0] <= 1 && loop.innerStrides[1] == 1
    let tensors: [Argument] = [.tensor(x), .tensor(y)]
    let apart =
      [yStart] + (loop.innerStrides[0] == 1 ? [xStart] : [])
      + loop.distances { loop.innerStrides[$0] == 1 }
    let vectors =
      isContiguous ? rowVectors(loop.inner, tensors, apart: apart) : (width: 1, defines: ["V": 1])
    let across = (loop.inner + vectors.width - 1) / vectors.width
    try map(
      "strided_copy", in: "movement/strided_copy", count: loop.rows * across,
      tensors + [.int(loop.rows * across), .int(loop.inner), .divisor(across)] + loop.arguments
        + [
          .int(loop.innerStrides[0]), .int(loop.innerStrides[1]), .int(xStart), .int(yStart),
        ], defines: vectors.defines.merging(["AXES": loop.axes]) { $1 })
  }

  private static let copying = "copy between strides"
  private static let transposing = "transposed_copy"

  /// Copies where neighbours in `y` are along the loop's innermost axis, and in `x` along an axis of
  /// `extent` elements that lie `stride` apart in `y`: tile by tile.
  private func transposedCopy(
    _ loop: StridedLoop, across extent: Int, stride: Int, from x: View, start xStart: Int,
    to y: View, start yStart: Int
  ) throws {
    let tile = architecture.transposedTile
    let tiles = [loop.inner, extent].map { ($0 + tile.side - 1) / tile.side }
    let items = loop.rows * tiles[0] * tiles[1] * tile.items
    try choosing(Self.transposing, of: Self.copying, isOnly: false) {
      try launch(
        "transposed_copy", in: "movement/strided_copy",
        groups: [(items + tile.groupSize - 1) / tile.groupSize], localSize: [tile.groupSize],
        [.tensor(x), .tensor(y), .int(loop.rows), .int(loop.inner), .int(extent)] + loop.arguments
          + [.int(loop.innerStrides[0]), .int(stride), .int(xStart), .int(yStart)],
        defines: ["V": architecture.vectorWidth, "AXES": loop.axes, "SIDE": tile.side])
    }
  }

  func fill(_ y: View, _ value: Float) throws {
    try elements(
      "fill", in: "movement/strided_copy", count: y.count,
      [.tensor(y), .int(y.count), .float(value)])
  }
}

extension Operations.Permute: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let strides = x[0].shape.strides
    try encoder.stridedCopy(
      y[0].shape, from: x[0], strides: order.map { strides[$0] }, to: y[0],
      strides: y[0].shape.strides, operation: name)
  }
}

extension Operations.Narrow: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let strides = x[0].shape.strides
    try encoder.stridedCopy(
      y[0].shape, from: x[0], strides: strides, sourceStart: start * strides[axis], to: y[0],
      strides: y[0].shape.strides, operation: name)
  }
}

extension Operations.Cat: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  /// A kernel takes at least 1024 bytes of arguments, a copy between strides up to 96 of them.
  private static let mostTogether = 9

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    var start = 0
    var index = 0
    while index < x.count {
      // Neighbours of one shape share a launch.
      let alike = x[index...].prefix(Self.mostTogether).prefix { $0.shape == x[index].shape }
      let length = x[index].shape[axis]
      if alike.count == 1 {
        let strides = y[0].shape.strides
        try encoder.stridedCopy(
          x[index].shape, from: x[index], strides: x[index].shape.strides, to: y[0],
          strides: strides, targetStart: start * strides[axis], operation: name)
      } else {
        let shape = x[index].shape
        let kernel = ElementwiseKernel(
          shape: shape, comment: name, reads: alike.map { .init($0, over: shape) }, values: [],
          writes: alike.indices.map { each in
            let place = start + (each - index) * length
            return (
              .init(partOf: y[0], shape, axis: axis, start: place),
              ElementwiseKernel.read(each - index)
            )
          })
        try kernel.encode(name, in: encoder)
      }
      start += length * alike.count
      index += alike.count
    }
  }
}

extension PaddingMode {
  fileprivate var define: [String: Int] {
    switch self {
    case .constant, .reflect: ["MODE": 0]
    case .replicate: ["MODE": 1]
    case .circular: ["MODE": 2]
    }
  }
}

extension Operations.Pad: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (input, output) = (x[0].shape, y[0].shape)
    guard case .constant(let value) = mode else {
      let axes = try PaddedAxes(before: before, input: input, output: output, operation: name)
      return try axes.encode("pad", x[0], y[0], axes: axes.output, mode, encoder)
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

extension Operations.PadBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let axes = try PaddedAxes(
      before: before, input: inputShape, output: x[0].shape, operation: name)
    try axes.encode("pad_backward", x[0], y[0], axes: axes.input, mode, encoder)
  }
}

/// The axes of a padded tensor; neighbours to which nothing is added are one.
private struct PaddedAxes {
  private(set) var before: [Int] = []
  private(set) var input: [Int] = []
  private(set) var output: [Int] = []

  /// - Throws: ``TernError`` where more axes remain than kernels take.
  init(before: [Int], input: Shape, output: Shape, operation: String) throws {
    for axis in 0..<input.rank {
      let isPadded = input[axis] != output[axis]
      if !isPadded, let last = self.input.last, last == self.output.last {
        self.input[self.input.count - 1] *= input[axis]
        self.output[self.output.count - 1] *= input[axis]
      } else {
        self.before.append(before[axis])
        self.input.append(input[axis])
        self.output.append(output[axis])
      }
    }
    guard self.input.count <= StridedLoop.maximumRank else {
      throw TernError(
        .runtime,
        "\(operation): OpenCL kernels take at most \(StridedLoop.maximumRank) axes, not "
          + "\(self.input.count)")
    }
  }

  /// Appends a kernel that writes `y`, whose axes are given, by vectors along its rows.
  func encode(
    _ kernel: String, _ x: View, _ y: View, axes written: [Int], _ mode: PaddingMode,
    _ encoder: StepEncoder
  ) throws {
    let width = written.last!
    let lanes = encoder.architecture.vectorWidth(upTo: width)
    let across = (width + lanes - 1) / lanes
    let items = y.count / width * across
    let divisors = StridedLoop.padded(written, with: 1).map(Divisor.init)
    try encoder.map(
      kernel, in: "movement/pad", count: items,
      [
        .tensor(x), .tensor(y), .int(items), .divisor(across),
        .ints(StridedLoop.padded(output, with: 1)), .ints(StridedLoop.padded(input, with: 1)),
        .ints(StridedLoop.padded(before, with: 0)), .uints(divisors.map(\.factor)),
        .uints(divisors.map(\.shift)),
      ],
      defines: mode.define.merging(["V": lanes, "AXES": input.count - 1]) { $1 })
  }
}

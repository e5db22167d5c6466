import TernCore
import TernGraph

extension Reduce: OpenCLOperation {
  /// From so many terms on, a group works on an output.
  private static let groupTerms = 256
  /// From so many terms on, and with few outputs, several groups do.
  private static let partTerms = 16_384

  /// The shares in which the terms of an output are summed.
  private func parts(_ x: Shape) -> Int {
    let terms = axes.reduce(1) { $0 * x[$1] }
    let outputs = x.elementCount / terms
    guard function != .amax, terms >= Self.partTerms, outputs < 64 else { return 1 }
    return min(64, terms / (Self.partTerms / 4))
  }

  func workspaceByteCount(inputs: [TensorType], outputs: [TensorType]) -> Int {
    let parts = parts(inputs[0].shape)
    return parts == 1 ? 0 : 4 * parts * outputs[0].elementCount
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let shape = x[0].shape
    let strides = shape.strides
    let terms = axes.reduce(1) { $0 * shape[$1] }
    let kept = Self.merged((0..<shape.rank).filter { !axes.contains($0) }, shape, strides)
    let reduced = Self.merged(axes, shape, strides)
    guard kept.count <= 4, reduced.count <= 4 else {
      throw TernError(.runtime, "\(name) over \(axes) of \(shape): more than four separate axes")
    }
    func padded(_ values: [Int], _ filler: Int) -> [Int] {
      [Int](repeating: filler, count: 4 - values.count) + values
    }
    let scale = function == .mean ? 1 / Float(terms) : 1
    let geometry: [Argument] = [
      .ints(padded(kept.map(\.extent), 1) + padded(reduced.map(\.extent), 1)),
      .ints(padded(kept.map(\.stride), 0) + padded(reduced.map(\.stride), 0)),
    ]
    let defines = ["OPERATION": function == .amax ? "MAXIMUM" : "SUM"]
    let outputs = y[0].count
    if terms < Self.groupTerms {
      try encoder.map(
        "reduce_items", in: "reduction/reduce", count: outputs,
        [.tensor(x[0]), .tensor(y[0]), .int(outputs), .int(terms)] + geometry + [.float(scale)],
        defines: defines)
      return
    }
    let parts = parts(shape)
    let target = parts > 1 ? encoder.workspace! : y[0]
    try encoder.rows(
      "reduce_groups", in: "reduction/reduce", count: outputs * parts,
      [.tensor(x[0]), .tensor(target), .int(outputs), .int(terms)] + geometry
        + [.float(parts == 1 ? scale : 1), .int(parts), .localFloats(StepEncoder.localSize)],
      defines: defines)
    if parts > 1 {
      try Self.sumParts(
        target, into: y[0], parts: parts, partStride: 1, outputStride: parts, scale: scale, encoder)
    }
  }

  /// Sums `parts` partial results of every output, in order.
  static func sumParts(
    _ partial: View, into y: View, parts: Int, partStride: Int, outputStride: Int,
    scale: Float = 1, _ encoder: StepEncoder
  ) throws {
    try encoder.map(
      "reduce_items", in: "reduction/reduce", count: y.count,
      [
        .tensor(partial), .tensor(y), .int(y.count), .int(parts),
        .ints([1, 1, 1, y.count, 1, 1, 1, parts]),
        .ints([0, 0, 0, outputStride, 0, 0, 0, partStride]), .float(scale),
      ], defines: ["OPERATION": "SUM"])
  }

  /// The axes as few as possible: those that run on are one.
  private static func merged(_ axes: [Int], _ shape: Shape, _ strides: [Int])
    -> [(extent: Int, stride: Int)]
  {
    var result: [(extent: Int, stride: Int)] = []
    for axis in axes where shape[axis] != 1 {
      if let last = result.last, last.stride == strides[axis] * shape[axis] {
        result[result.count - 1] = (last.extent * shape[axis], strides[axis])
      } else {
        result.append((shape[axis], strides[axis]))
      }
    }
    return result
  }
}

extension Expand: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.stridedCopy(
      shape, from: x[0], strides: x[0].shape.broadcastStrides(to: shape), to: y[0],
      strides: shape.strides, operation: name)
  }
}

import TernCore
import TernGraph

/// How a reduction is cut; the terms are those of `reduction/reduce.cl`.
private struct ReductionGeometry {
  typealias Axis = (extent: Int, stride: Int)

  /// The axes but the innermost, as few as possible.
  let kept: [Axis]
  let reduced: [Axis]
  let inner: Int
  let isInnerReduced: Bool
  let outputs: Int
  /// The values that `reduced` stands for.
  let outerTerms: Int
  /// The elements that one work-item, or a group of them, takes at a time.
  let segment: Int
  let parts: Int

  static let maximumAxes = 4

  init(_ shape: Shape, axes: [Int], on device: OpenCLDevice) {
    let strides = shape.strides
    let innermost = (0..<shape.rank).last { shape[$0] != 1 }
    func merged(_ isIncluded: (Int) -> Bool) -> [Axis] {
      var result: [Axis] = []
      for axis in 0..<shape.rank where shape[axis] != 1 && axis != innermost && isIncluded(axis) {
        if let last = result.last, last.stride == strides[axis] * shape[axis] {
          result[result.count - 1] = (last.extent * shape[axis], strides[axis])
        } else {
          result.append((shape[axis], strides[axis]))
        }
      }
      return result
    }
    kept = merged { !axes.contains($0) }
    reduced = merged(axes.contains)
    inner = innermost.map { shape[$0] } ?? 1
    isInnerReduced = innermost.map(axes.contains) ?? false
    outerTerms = reduced.reduce(1) { $0 * $1.extent }
    outputs = kept.reduce(isInnerReduced ? 1 : inner) { $0 * $1.extent }
    segment = isInnerReduced ? min(inner, 8192) : 1
    let architecture = device.architecture
    let width = architecture.vectorWidth
    let items =
      isInnerReduced
      ? outputs * device.rowGroup : outputs / inner * ((inner + width - 1) / width)
    let units = isInnerReduced ? outerTerms * ((inner + segment - 1) / segment) : outerTerms
    // Partial results are worth their second pass only where there is much to sum.
    let elements = shape.elementCount
    parts = max(1, min(units, device.busyItemCount / items, elements / 16_384))
  }

  /// Extents and strides: kept axes, then reduced ones.
  var arguments: [Argument] {
    func padded(_ values: [Int], _ filler: Int) -> [Int] {
      [Int](repeating: filler, count: Self.maximumAxes - values.count) + values
    }
    return [
      .ints(padded(kept.map(\.extent), 1) + padded(reduced.map(\.extent), 1)),
      .ints(padded(kept.map(\.stride), 0) + padded(reduced.map(\.stride), 0)),
    ]
  }
}

extension Reduce: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let geometry = ReductionGeometry(inputs[0].shape, axes: axes, on: device)
    return geometry.parts == 1 ? 0 : 4 * geometry.parts * geometry.outputs
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let shape = x[0].shape
    let g = ReductionGeometry(shape, axes: axes, on: encoder.device)
    guard max(g.kept.count, g.reduced.count) <= ReductionGeometry.maximumAxes else {
      throw TernError(
        .runtime,
        "\(name) over \(axes) of \(shape): more than \(ReductionGeometry.maximumAxes) separate axes"
      )
    }
    let scale = function == .mean ? 1 / Float(axes.reduce(1) { $0 * shape[$1] }) : 1
    let target = g.parts > 1 ? encoder.scratch(0, count: g.parts * g.outputs) : y[0]
    let tail: [Argument] = g.arguments + [.int(g.parts), .float(g.parts == 1 ? scale : 1)]
    if g.isInnerReduced {
      try encoder.rows(
        "reduce_rows", in: "reduction/reduce", count: g.outputs * g.parts,
        [
          .tensor(x[0]), .tensor(target), .int(g.outputs),
          .int(g.outerTerms * ((g.inner + g.segment - 1) / g.segment)), .int(g.inner),
          .int(g.segment),
        ] + tail + [encoder.rowScratch], defines: ["OPERATION": function.operation])
    } else {
      try encoder.reduceColumns(
        x[0], into: target, outputs: g.outputs, terms: g.outerTerms, inner: g.inner,
        parts: g.parts, tail, operation: function.operation)
    }
    if g.parts > 1 {
      try encoder.combineParts(
        target, into: y[0], parts: g.parts, scale: scale, operation: function.operation)
    }
  }
}

extension Reduce.Function {
  /// `OPERATION` in `reduction/reduce.cl`.
  fileprivate var operation: Int { self == .amax ? 1 : 0 }
}

extension StepEncoder {
  fileprivate func reduceColumns(
    _ x: View, into y: View, outputs: Int, terms: Int, inner: Int, parts: Int,
    _ tail: [Argument], operation: Int
  ) throws {
    let width = architecture.vectorWidth(upTo: inner)
    try map(
      "reduce_columns", in: "reduction/reduce",
      count: (inner + width - 1) / width * (outputs / inner) * parts,
      groupSize: architecture.blockGroup,
      [.tensor(x), .tensor(y), .int(outputs), .int(terms), .int(inner)] + tail,
      defines: ["V": width, "OPERATION": operation])
  }

  fileprivate func combineParts(
    _ partial: View, into y: View, parts: Int, scale: Float, operation: Int
  ) throws {
    try reduceColumns(
      partial, into: y, outputs: y.count, terms: parts, inner: y.count, parts: 1,
      [
        .ints([1, 1, 1, 1, 1, 1, 1, parts]), .ints([0, 0, 0, 0, 0, 0, 0, y.count]), .int(1),
        .float(scale),
      ], operation: operation)
  }

  /// Sums partial results [parts, …] of every output, in order.
  func sumParts(_ partial: View, into y: View, parts: Int) throws {
    try combineParts(
      partial, into: y, parts: parts, scale: 1, operation: Reduce.Function.sum.operation)
  }
}

extension Expand: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.stridedCopy(
      shape, from: x[0], strides: x[0].shape.broadcastStrides(to: shape), to: y[0],
      strides: shape.strides, operation: name)
  }
}

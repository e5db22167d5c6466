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
  private let cut: Cut

  /// How work-items share an output's terms or, where columns are kept, a block of columns.
  private struct Cut {
    /// The lanes of a vector.
    var width: Int
    /// The work-items that share, and those of them that lie across a row.
    var team = 1
    var across = 1

    /// For many threads, over rows of `inner` elements.
    init(threads group: Int, isAligned: Bool, inner: Int) {
      width = isAligned ? 4 : 1
      while across < group, across * width < inner { across *= 2 }
    }

    init(width: Int) { self.width = width }
  }

  static let maximumAxes = 4

  init(_ shape: Shape, axes: [Int], on device: OpenCLDevice, isDivided: Bool = true) {
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
    self.init(
      kept: merged { !axes.contains($0) }, reduced: merged(axes.contains),
      inner: innermost.map { shape[$0] } ?? 1,
      isInnerReduced: innermost.map(axes.contains) ?? false, on: device,
      isDivided: isDivided)
  }

  /// The sum of `parts` results for every output, each behind the other.
  init(parts: Int, outputs: Int, on device: OpenCLDevice) {
    self.init(
      kept: [], reduced: [(parts, outputs)], inner: outputs, isInnerReduced: false, on: device,
      isDivided: false)
  }

  private init(
    kept: [Axis], reduced: [Axis], inner: Int, isInnerReduced: Bool, on device: OpenCLDevice,
    isDivided: Bool
  ) {
    self.kept = kept
    self.reduced = reduced
    self.inner = inner
    self.isInnerReduced = isInnerReduced
    outerTerms = reduced.reduce(1) { $0 * $1.extent }
    let rows = kept.reduce(1) { $0 * $1.extent }
    outputs = isInnerReduced ? rows : rows * inner
    segment = isInnerReduced ? min(inner, 8192) : 1
    let units = outerTerms * (isInnerReduced ? (inner + segment - 1) / segment : 1)
    let architecture = device.architecture
    let items: Int
    if architecture == .manyThreads {
      let group = device.rowGroup
      let isAligned = ([inner] + (kept + reduced).map(\.stride)).allSatisfy { $0 % 4 == 0 }
      var cut = Cut(threads: group, isAligned: isAligned, inner: isInnerReduced ? segment : inner)
      if isInnerReduced {
        // Outputs of few terms share a group.
        cut.team = cut.across
        while cut.team < group, cut.team < cut.across * units { cut.team *= 2 }
        items = outputs * cut.team
      } else {
        cut.team = group
        func count(_ across: Int) -> Int {
          rows * ((inner / cut.width + across - 1) / across) * group
        }
        // Where groups are few, they take several terms at a time.
        while cut.across > 32, count(cut.across) < device.busyItemCount,
          group / cut.across < units
        {
          cut.across /= 2
        }
        items = count(cut.across)
      }
      self.cut = cut
    } else {
      let width = architecture.vectorWidth
      cut = Cut(width: isInnerReduced ? width : architecture.vectorWidth(upTo: inner))
      items =
        isInnerReduced ? outputs * device.rowGroup : rows * ((inner + width - 1) / width)
    }
    // Partial results are worth their second pass only where there is much to sum.
    parts =
      isDivided
      ? max(1, min(units, device.busyItemCount / items, rows * inner * outerTerms / 16_384)) : 1
  }

  /// Whether a value of every axis has a place among the kernels' arguments.
  var isSupported: Bool { max(kept.count, reduced.count) <= Self.maximumAxes }

  /// Extents and strides: kept axes, then reduced ones.
  private var axes: [Argument] {
    func padded(_ values: [Int], _ filler: Int) -> [Int] {
      [Int](repeating: filler, count: Self.maximumAxes - values.count) + values
    }
    return [
      .ints(padded(kept.map(\.extent), 1) + padded(reduced.map(\.extent), 1)),
      .ints(padded(kept.map(\.stride), 0) + padded(reduced.map(\.stride), 0)),
    ]
  }

  /// Appends the kernel that writes every part's results, each behind the other.
  func encode(
    _ x: View, into y: View, scale: Float, operation: Int, _ encoder: StepEncoder
  ) throws {
    let tensors: [Argument] = [.tensor(x), .tensor(y)]
    let tail: [Argument] = axes + [.int(parts), .float(scale)]
    var defines = ["OPERATION": operation, "V": cut.width]
    let isThreads = encoder.architecture == .manyThreads
    if isThreads {
      // Only here is known where the tensors lie.
      if cut.width > 1, encoder.isAligned(isInnerReduced ? [.tensor(x)] : tensors) {
        defines.merge(["ALIGNED": 1, "WHOLE": 1]) { $1 }
      }
    }
    let file = "reduction/reduce"
    if isInnerReduced {
      let arguments =
        tensors + [
          .int(outputs), .int(outerTerms * ((inner + segment - 1) / segment)), .int(inner),
          .int(segment),
        ] + tail + [encoder.rowScratch]
      guard isThreads else {
        return try encoder.rows(
          "reduce_rows", in: file, count: outputs * parts, arguments, defines: defines)
      }
      return encoder.groups(
        "reduce_rows", in: file, upTo: encoder.device.rowGroup, arguments, defines: defines
      ) { [cut, outputs, parts] size in
        let team = min(cut.team, size)
        let teams = size / team
        return (
          (outputs * parts + teams - 1) / teams,
          ["GROUP": team, "TEAMS": teams, "ACROSS": min(cut.across, team)]
        )
      }
    }
    let arguments = tensors + [.int(outputs), .int(outerTerms), .int(inner)] + tail
    let rows = outputs / inner * parts
    guard isThreads else {
      return try encoder.blocks(
        "reduce_columns", in: file, count: (inner + cut.width - 1) / cut.width * rows, arguments,
        defines: defines)
    }
    encoder.groups(
      "reduce_column_groups", in: file, upTo: encoder.device.rowGroup, arguments, defines: defines
    ) { [cut, inner] size in
      let across = min(cut.across, size)
      let blocks = (inner / cut.width + across - 1) / across
      return (blocks * rows, ["GROUP": size, "ACROSS": across])
    }
  }
}

extension Operations.Reduce: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let geometry = ReductionGeometry(inputs[0].shape, axes: axes, on: device)
    return geometry.parts == 1 ? 0 : 4 * geometry.parts * geometry.outputs
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let shape = x[0].shape
    let geometry = ReductionGeometry(shape, axes: axes, on: encoder.device)
    guard geometry.isSupported else {
      throw TernError(
        .runtime,
        "\(name) over \(axes) of \(shape): more than \(ReductionGeometry.maximumAxes) separate axes"
      )
    }
    let scale = function == .mean ? 1 / Float(axes.reduce(1) { $0 * shape[$1] }) : 1
    let parts = geometry.parts
    let target = parts > 1 ? encoder.scratch(0, count: parts * geometry.outputs) : y[0]
    try geometry.encode(
      x[0], into: target, scale: parts == 1 ? scale : 1, operation: function.operation, encoder)
    if parts > 1 {
      try encoder.combineParts(
        target, into: y[0], parts: parts, scale: scale, operation: function.operation)
    }
  }
}

extension Operations.Reduce.Function {
  /// `OPERATION` in `reduction/reduce.cl`.
  fileprivate var operation: Int { self == .amax ? 1 : 0 }
}

extension StepEncoder {
  fileprivate func combineParts(
    _ partial: View, into y: View, parts: Int, scale: Float, operation: Int
  ) throws {
    try ReductionGeometry(parts: parts, outputs: y.count, on: device).encode(
      partial, into: y, scale: scale, operation: operation, self)
  }

  /// Sums partial results [parts, …] of every output, in order.
  func sumParts(_ partial: View, into y: View, parts: Int) throws {
    try combineParts(
      partial, into: y, parts: parts, scale: 1, operation: Operations.Reduce.Function.sum.operation)
  }

  /// Means of rows of `length` elements.
  func meanOfRows(_ x: View, into y: View, length: Int) throws {
    let rows = x.reshaped(Shape([x.count / length, length]))
    try ReductionGeometry(rows.shape, axes: [1], on: device, isDivided: false).encode(
      x, into: y, scale: 1 / Float(length), operation: Operations.Reduce.Function.sum.operation,
      self)
  }
}

extension Operations.Expand: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.stridedCopy(
      shape, from: x[0], strides: x[0].shape.broadcastStrides(to: shape), to: y[0],
      strides: shape.strides, operation: name)
  }
}

import TernCore
import TernGraph

// Tern's own windows run over planes, with equal padding at both ends. Others become those: rows are planes of
// height 1, volumes the sum or the maximum of planes, unequal padding is put around the input before.
extension ONNXOperators {
  /// An input with its padding around it, cut where the last window ends.
  private static func padded(
    _ x: Tensor, _ window: ONNXWindow, ceil: Bool = false, filling: Float
  ) throws -> Tensor {
    var (y, amounts) = (x, [Int]())
    for axis in (0..<window.rank).reversed() {
      let extent = x.shape[axis + 2]
      let count = window.count(axis, extent, ceil: ceil)
      guard count > 0 else {
        throw ONNXFault.invalid("windows of \(window.kernel) on an input of \(x.shape)")
      }
      let end = (count - 1) * window.strides[axis] + window.span(axis) - window.before[axis]
      if end < extent { y = try y.narrow(axis + 2, start: 0, length: max(end, 1)) }
      amounts += [window.before[axis], max(end - extent, 0)]
    }
    return amounts.contains { $0 > 0 } ? try y.pad(amounts, mode: .constant(filling)) : y
  }

  /// A volume [N, C, D, H, W] as planes [N D, C, H, W].
  private static func planes(_ x: Tensor) throws -> Tensor {
    let s = x.shape
    return try x.permute([0, 2, 1, 3, 4]).reshape([s[0] * s[2], s[1], s[3], s[4]])
  }

  private static func volume(_ x: Tensor, batch: Int) throws -> Tensor {
    let s = x.shape
    return try x.reshape([batch, s[0] / batch, s[1], s[2], s[3]]).permute([0, 2, 1, 3, 4])
  }

  /// The slices of a padded volume that the windows see at one place of their depth.
  private static func slices(_ x: Tensor, _ window: ONNXWindow, at tap: Int) throws -> Tensor {
    let start = tap * window.dilations[0]
    let count = (x.shape[2] - window.span(0)) / window.strides[0] + 1
    return try selecting(
      (0..<count).map { start + $0 * window.strides[0] }, along: 2, of: x)
  }

  /// Windows of one, two or three axes.
  static func pooled(
    _ x: Tensor, _ window: ONNXWindow, ceil: Bool, filling: Float,
    plane: (Tensor, PoolingWindow) throws -> Tensor, joining: ([Tensor]) throws -> Tensor
  ) throws -> Tensor {
    let fits = zip(window.before, window.kernel).allSatisfy { $0 <= $1 / 2 }
    if window.rank == 2, window.isSymmetric, fits {
      return try plane(
        x,
        PoolingWindow(
          kernel: window.kernel, stride: window.strides, padding: window.before,
          dilation: window.dilations, ceilMode: ceil))
    }
    let y = try padded(x, window, ceil: ceil, filling: filling)
    let flat = PoolingWindow(
      kernel: window.plane(Array(window.kernel.suffix(2)), 1),
      stride: window.plane(Array(window.strides.suffix(2)), 1),
      dilation: window.plane(Array(window.dilations.suffix(2)), 1))
    let s = y.shape
    switch window.rank {
    case 1:
      let pooled = try plane(y.reshape([s[0], s[1], 1, s[2]]), flat)
      return try pooled.reshape([s[0], s[1], pooled.shape[3]])
    case 2: return try plane(y, flat)
    default:
      let parts = try (0..<window.kernel[0]).map { tap in
        try volume(plane(planes(slices(y, window, at: tap)), flat), batch: s[0])
      }
      return try joining(parts)
    }
  }

  /// The sum over each window, padding counting as 0.
  static func windowSums(_ x: Tensor, _ window: ONNXWindow, ceil: Bool) throws -> Tensor {
    let y = try padded(x, window, ceil: ceil, filling: 0)
    // Each channel by itself, under a window of ones.
    let s = y.shape
    var single = window
    (single.before, single.after) = (window.before.map { _ in 0 }, window.after.map { _ in 0 })
    let ones = x.builder.constant(1, Shape([1, 1] + window.kernel))
    let channels = try y.reshape(Shape([s[0] * s[1], 1] + s.dimensions[2...]))
    let sums =
      window.dilations.allSatisfy { $0 == 1 }
      ? try pooled(channels, single, ceil: false, filling: 0) { plane, flat in
        try plane.avgPool2d(flat)
      } joining: { parts in
        try parts.dropFirst().reduce(parts[0]) { try $0 + $1 }
      }.affine(scale: Float(window.kernel.suffix(2).reduce(1, *)))
      : try convolution(channels, ones, nil, single, groups: 1)
    return try sums.reshape(Shape([s[0], s[1]] + sums.shape.dimensions[2...]))
  }

  /// Maxima and where they are in the whole input.
  static func maximaWithPlaces(_ call: ONNXCall, _ x: Tensor, _ window: ONNXWindow) throws
    -> [ONNXValue]
  {
    guard window.rank == 2, window.isSymmetric, try call.int("storage_order", 0) == 0,
      zip(window.before, window.kernel).allSatisfy({ $0 <= $1 / 2 })
    else { throw ONNXFault.unsupported("the places of maxima in such windows") }
    let (y, places) = try x.maxPool2dWithIndices(
      PoolingWindow(
        kernel: window.kernel, stride: window.strides, padding: window.before,
        dilation: window.dilations, ceilMode: call.flag("ceil_mode")))
    guard x.shape[0] * x.shape[1] == 1 else {
      // A device counts within a plane, ONNX within the whole tensor.
      return [.device(y, try call.type(0))]
    }
    return [.device(y, try call.type(0)), .device(places, .int64)]
  }

  // MARK: Convolutions

  static func convolution(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ window: ONNXWindow, groups: Int
  ) throws -> Tensor {
    let w = weight.shape.dimensions
    if window.rank == 2, window.isSymmetric {
      return try x.conv2d(
        weight: weight, bias: bias, stride: window.strides, padding: .symmetric(window.before),
        dilation: window.dilations, groups: groups)
    }
    let y = try padded(x, window, filling: 0)
    let s = y.shape
    let stride = window.plane(Array(window.strides.suffix(2)), 1)
    let dilation = window.plane(Array(window.dilations.suffix(2)), 1)
    switch window.rank {
    case 1:
      let plane = try y.reshape([s[0], s[1], 1, s[2]]).conv2d(
        weight: weight.reshape([w[0], w[1], 1, w[2]]), bias: bias, stride: stride,
        dilation: dilation, groups: groups)
      return try plane.reshape([s[0], w[0], plane.shape[3]])
    case 2:
      return try y.conv2d(
        weight: weight, bias: bias, stride: stride, dilation: dilation, groups: groups)
    default:
      var sum: Tensor?
      for tap in 0..<window.kernel[0] {
        let part = try planes(slices(y, window, at: tap)).conv2d(
          weight: weight.narrow(2, start: tap, length: 1).reshape([w[0], w[1], w[3], w[4]]),
          bias: tap == 0 ? bias : nil, stride: stride, dilation: dilation, groups: groups)
        sum = try sum.map { try $0 + part } ?? part
      }
      return try volume(sum!, batch: s[0])
    }
  }

  static func transposedConvolution(
    _ call: ONNXCall, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?
  ) throws -> Tensor {
    let (w, s) = (weight.shape.dimensions, x.shape.dimensions)
    guard w.count == s.count, w.count >= 3 else {
      throw ONNXFault.invalid("weights of shape \(w) for an input of \(x.shape)")
    }
    let rank = w.count - 2
    var window = try ONNXWindow(call, kernel: Array(w[2...]), input: s)
    let groups = try call.int("group", 1)
    let extra = try call.extents("output_padding", count: rank, standard: 0)
    let mode = try call.string("auto_pad", "NOTSET")
    let full = (0..<rank).map { (s[$0 + 2] - 1) * window.strides[$0] + window.span($0) }
    let named = try call.ints("output_shape").map { Array($0.suffix(rank)) }
    for axis in 0..<rank where named != nil || mode.hasPrefix("SAME") {
      let target = named?[axis] ?? s[axis + 2] * window.strides[axis]
      let total = full[axis] + extra[axis] - target
      let small = max(total, 0) / 2
      // Which end takes the larger half.
      window.before[axis] = mode == "SAME_LOWER" ? max(total, 0) - small : small
      window.after[axis] = total - window.before[axis]
    }
    var y = try fullTransposed(x, weight, window, groups: groups)
    for axis in 0..<rank {
      let target = full[axis] + extra[axis] - window.before[axis] - window.after[axis]
      guard target >= 1 else {
        throw ONNXFault.invalid("padding \(window.before) of an output of \(full)")
      }
      let missing = window.before[axis] + target - full[axis]
      if missing > 0 {
        var amounts = [Int](repeating: 0, count: 2 * (rank - axis))
        amounts[2 * (rank - axis) - 1] = missing
        y = try y.pad(amounts)
      }
      y = try y.narrow(axis + 2, start: window.before[axis], length: target)
    }
    guard let bias else { return y }
    return try y + bias.reshape(Shape([1, bias.shape.elementCount] + w[2...].map { _ in 1 }))
  }

  /// Without any padding.
  private static func fullTransposed(
    _ x: Tensor, _ weight: Tensor, _ window: ONNXWindow, groups: Int
  ) throws -> Tensor {
    let (w, s) = (weight.shape.dimensions, x.shape.dimensions)
    let stride = window.plane(Array(window.strides.suffix(2)), 1)
    let dilation = window.plane(Array(window.dilations.suffix(2)), 1)
    switch window.rank {
    case 1:
      let y = try x.reshape([s[0], s[1], 1, s[2]]).convTranspose2d(
        weight: weight.reshape([w[0], w[1], 1, w[2]]), stride: stride, dilation: dilation,
        groups: groups)
      return try y.reshape([s[0], y.shape[1], y.shape[3]])
    case 2:
      return try x.convTranspose2d(
        weight: weight, stride: stride, dilation: dilation, groups: groups)
    default:
      let flat = try planes(x)
      let step = window.strides[0]
      var sum: Tensor?
      for tap in 0..<window.kernel[0] {
        let part = try volume(
          flat.convTranspose2d(
            weight: weight.narrow(2, start: tap, length: 1).reshape([w[0], w[1], w[3], w[4]]),
            stride: stride, dilation: dilation, groups: groups), batch: s[0])
        // Zeros between the slices, then the slices at their place.
        let p = part.shape
        let apart = try part.reshape([p[0], p[1], p[2], 1, p[3], p[4]])
          .pad([0, 0, 0, 0, 0, step - 1])
          .reshape([p[0], p[1], p[2] * step, p[3], p[4]])
          .narrow(2, start: 0, length: (p[2] - 1) * step + 1)
        let before = tap * window.dilations[0]
        let placed = try apart.pad([0, 0, 0, 0, before, window.span(0) - 1 - before])
        sum = try sum.map { try $0 + placed } ?? placed
      }
      return sum!
    }
  }
}

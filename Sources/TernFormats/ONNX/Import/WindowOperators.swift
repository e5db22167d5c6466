import Foundation
import TernCore
import TernGraph

/// The windows of a convolution or a pooling along each axis behind the channels.
struct ONNXWindow {
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  /// Added before and behind each axis.
  var before: [Int]
  var after: [Int]

  var rank: Int { kernel.count }

  /// - Parameter x: the input, [N, C, …].
  init(_ call: ONNXCall, kernel: [Int], input x: [Int]) throws {
    let rank = kernel.count
    guard (1...3).contains(rank), x.count == rank + 2 else {
      throw ONNXFault.unsupported("windows of \(rank) axes on an input of shape \(x)")
    }
    guard kernel.allSatisfy({ (1...1 << 15).contains($0) }) else {
      throw ONNXFault.invalid("windows of \(kernel)")
    }
    self.kernel = kernel
    strides = try call.extents("strides", count: rank, standard: 1, minimum: 1)
    dilations = try call.extents("dilations", count: rank, standard: 1, minimum: 1)
    let pads = try call.extents("pads", count: 2 * rank, standard: 0)
    (before, after) = (Array(pads[..<rank]), Array(pads[rank...]))
    switch try call.string("auto_pad", "NOTSET") {
    case "NOTSET", "": break
    case "VALID": (before, after) = (kernel.map { _ in 0 }, kernel.map { _ in 0 })
    case let mode where mode.hasPrefix("SAME"):
      for axis in 0..<rank {
        let outputs = (x[axis + 2] + strides[axis] - 1) / strides[axis]
        let total = max(0, (outputs - 1) * strides[axis] + span(axis) - x[axis + 2])
        before[axis] = mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2
        after[axis] = total - before[axis]
      }
    case let mode: throw ONNXFault.invalid("auto_pad \(mode)")
    }
  }

  /// The elements that a window covers, those between its own too.
  func span(_ axis: Int) -> Int { dilations[axis] * (kernel[axis] - 1) + 1 }

  var isSymmetric: Bool { before == after }

  /// How many windows there are, with a last one that reaches over the end where `ceil` says so.
  func count(_ axis: Int, _ extent: Int, ceil: Bool) -> Int {
    let room = extent + before[axis] + after[axis] - span(axis)
    guard room >= 0 else { return 0 }
    var count = (ceil ? (room + strides[axis] - 1) / strides[axis] : room / strides[axis]) + 1
    if ceil, (count - 1) * strides[axis] >= extent + before[axis] { count -= 1 }
    return count
  }

  /// As two axes, the missing one of extent 1.
  func plane<T>(_ values: [T], _ standard: T) -> [T] {
    values.count == 1 ? [standard] + values : values
  }
}

extension ONNXOperators {
  static let windows: [String: ONNXOperator] = [
    "Conv": .device { call in
      let (x, weight, bias) = (
        try call.tensor(0), try call.weight(1), try call.optionalWeight(2)
      )
      let w = weight.shape.dimensions
      guard w.count == x.shape.rank, w.count >= 3 else {
        throw ONNXFault.invalid("weights of shape \(w) for an input of \(x.shape)")
      }
      let window = try ONNXWindow(
        call, kernel: Array(w[2...]), input: x.shape.dimensions)
      let groups = try call.int("group", 1)
      let y = try convolution(x, weight, bias, window, groups: groups)
      if window.rank <= 2 {
        call.context.recordWindow(
          y, from: x, kernel: window.kernel.max()!, stride: window.strides.max()!,
          dilation: window.dilations.max()!)
      }
      return try call.result(y)
    },
    "ConvTranspose": .device { call in
      let (x, weight, bias) = (
        try call.tensor(0), try call.weight(1), try call.optionalWeight(2)
      )
      return try call.result(try transposedConvolution(call, x, weight, bias))
    },
    "MaxPool": .device { call in
      let x = try call.tensor(0)
      let window = try ONNXWindow(
        call, kernel: call.ints("kernel_shape") ?? [], input: x.shape.dimensions)
      if call.node.outputs.count > 1 { return try maximaWithPlaces(call, x, window) }
      let lowest = -Float.greatestFiniteMagnitude
      let y = try pooled(x, window, ceil: call.flag("ceil_mode"), filling: lowest) {
        plane, window in
        try plane.maxPool2d(window)
      } joining: { parts in
        try parts.dropFirst().reduce(parts[0]) { try $0.maximum($1) }
      }
      if window.rank == 2 {
        call.context.recordWindow(
          y, from: x, kernel: window.kernel.max()!, stride: window.strides.max()!,
          dilation: window.dilations.max()!)
      }
      return try call.result(y)
    },
    "AveragePool": .device { call in
      let x = try call.tensor(0)
      let window = try ONNXWindow(
        call, kernel: call.ints("kernel_shape") ?? [], input: x.shape.dimensions)
      let countsPadding = try call.flag("count_include_pad")
      let ceil = try call.flag("ceil_mode")
      let sum = try windowSums(x, window, ceil: ceil)
      // How many elements each window averages is known.
      let spatial = Array(x.shape.dimensions[2...])
      let counts = try IndexMap.averaged(window, spatial, ceil: ceil, countsPadding: countsPadding)
      let shares = call.builder.constant(
        HostTensor(Shape([1, 1] + sum.shape.dimensions[2...]), counts.map { 1 / $0 }))
      return try call.result(try sum * shares)
    },
    "LpPool": .device { call in
      let x = try call.tensor(0)
      let window = try ONNXWindow(
        call, kernel: call.ints("kernel_shape") ?? [], input: x.shape.dimensions)
      let p = Float(try call.int("p", 2))
      let sum = try windowSums(x.abs().pow(p), window, ceil: call.flag("ceil_mode"))
      return try call.result(try sum.pow(1 / p))
    },
    "GlobalAveragePool": .device { call in
      let x = try call.tensor(0)
      let y = try x.mean(Array(2..<max(x.shape.rank, 2)), keepsAxes: true)
      call.context.endField(y)
      return try call.result(y)
    },
    "GlobalMaxPool": .device { call in
      let x = try call.tensor(0)
      let y = try x.amax(Array(2..<max(x.shape.rank, 2)), keepsAxes: true)
      call.context.endField(y)
      return try call.result(y)
    },
    "GlobalLpPool": .device { call in
      let (x, p) = (try call.tensor(0), Float(try call.int("p", 2)))
      return try call.result(
        try x.abs().pow(p).sum(Array(2..<max(x.shape.rank, 2)), keepsAxes: true).pow(1 / p))
    },
    "Pad": .device { call in
      let x = try call.tensor(0)
      let rank = x.shape.rank
      let pads = try call.integers(1, orAttribute: call.opset < 11 ? "pads" : nil) ?? []
      let axes = try call.axes(call.integers(3) ?? Array(0..<rank), rank: rank)
      guard pads.count == 2 * axes.count, pads.allSatisfy({ abs($0) <= 1 << 24 }) else {
        throw ONNXFault.invalid("\(pads.count) amounts for \(axes.count) axes")
      }
      var amounts = [Int](repeating: 0, count: 2 * rank)
      for (index, axis) in axes.enumerated() {
        amounts[2 * (rank - 1 - axis)] = pads[index]
        amounts[2 * (rank - 1 - axis) + 1] = pads[axes.count + index]
      }
      let mode: PaddingMode =
        switch try call.string("mode", "constant") {
        case "reflect": .reflect
        case "edge": .replicate
        case "wrap": .circular
        case "constant":
          .constant(
            try call.opset < 11
              ? call.float("value", 0) : Float(call.optionalConstant(2)?.scalar() ?? 0))
        case let other: throw ONNXFault.unsupported("with mode \(other)")
        }
      // Negative amounts cut off.
      var y = x
      for axis in 0..<rank {
        let (low, high) = (amounts[2 * (rank - 1 - axis)], amounts[2 * (rank - 1 - axis) + 1])
        let start = max(-low, 0)
        y = try y.narrow(axis, start: start, length: y.shape[axis] - start - max(-high, 0))
      }
      amounts = amounts.map { max($0, 0) }
      return try call.result(amounts.contains { $0 > 0 } ? try y.pad(amounts, mode: mode) : y)
    },
  ]
}

extension IndexMap {
  /// How many elements each window of an average counts, row by row.
  static func averaged(
    _ window: ONNXWindow, _ extents: [Int], ceil: Bool, countsPadding: Bool
  ) throws -> [Float] {
    let perAxis = extents.indices.map { axis -> [Int] in
      (0..<window.count(axis, extents[axis], ceil: ceil)).map { place in
        let start = place * window.strides[axis] - window.before[axis]
        return (0..<window.kernel[axis]).filter { tap in
          let at = start + tap * window.dilations[axis]
          return countsPadding
            ? at < extents[axis] + window.after[axis] : (0..<extents[axis]).contains(at)
        }.count
      }
    }
    let shape = perAxis.map(\.count)
    try check(shape)
    var result: [Float] = [1]
    for counts in perAxis { result = result.flatMap { a in counts.map { a * Float($0) } } }
    return result
  }
}

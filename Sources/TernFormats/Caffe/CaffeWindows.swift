import TernCore
import TernGraph
import TernNN

extension CaffeLayers {
  // MARK: Windows

  static let windows: [String: CaffeBody] = [
    "Pooling": { call in
      let (x, settings) = (try call.input(), try call.layer.settings("pooling_param"))
      guard x.shape.rank == 4 else {
        throw call.fault("on an input of shape \(x.shape), which is no picture")
      }
      let method = try settings.word("pool") ?? "MAX"
      guard ["MAX", "AVE", "0", "1"].contains(method) else {
        throw call.fault("pool: expected MAX or AVE, got \(method)")
      }
      let isMaximum = method == "MAX" || method == "0"
      if try settings.truth("global_pooling", false) {
        let y = try isMaximum ? x.amax([2, 3], keepsAxes: true) : x.mean([2, 3], keepsAxes: true)
        call.context.endField(y)
        return [y]
      }
      let kernel = try call.pair(settings, "kernel_size", "kernel", standard: nil)
      let stride = try call.pair(settings, "stride", "stride", standard: 1)
      let rounding = try settings.word("round_mode") ?? "CEIL"
      guard ["CEIL", "FLOOR", "0", "1"].contains(rounding) else {
        throw call.fault("round_mode: expected CEIL or FLOOR, got \(rounding)")
      }
      let window = PoolingWindow(
        kernel: kernel, stride: stride, padding: try call.pair(settings, "pad", "pad", standard: 0),
        ceilMode: rounding == "CEIL" || rounding == "0")
      let y = try isMaximum ? x.maxPool2d(window) : x.avgPool2d(window)
      call.context.recordWindow(
        y, from: x, kernel: kernel.max()!, stride: max(stride.max()!, 1), dilation: 1)
      return [y]
    },
    "LRN": { call in
      let (x, settings) = (try call.input(), try call.layer.settings("lrn_param"))
      let size = try settings.integer("local_size", in: 1...1 << 15) ?? 5
      guard size % 2 == 1 else { throw call.fault("local_size \(size), which is even") }
      let alpha = Float(try settings.number("alpha") ?? 1)
      let beta = Float(try settings.number("beta") ?? 0.75)
      switch try settings.word("norm_region") ?? "ACROSS_CHANNELS" {
      case "ACROSS_CHANNELS", "0":
        return [
          try x.localResponseNorm(
            size: size, alpha: alpha, beta: beta, k: Float(settings.number("k") ?? 1))
        ]
      case "WITHIN_CHANNEL", "1":
        // x · (1 + α · mean of x² over a window)^−β
        let window = PoolingWindow(
          kernel: [size, size], stride: [1, 1], padding: [size / 2, size / 2])
        let scale = try x.square().avgPool2d(window).affine(scale: alpha, shift: 1).pow(-beta)
        return [try x * scale]
      case let other: throw call.fault("norm_region \(other) is not known")
      }
    },
  ]

  // MARK: Movement

  static let movement: [String: CaffeBody] = [
    "Concat": { call in
      let settings = try call.layer.settings("concat_param")
      guard let first = call.inputs.first else { throw call.fault("expected bottoms") }
      let axis =
        try settings.integer("axis", in: -8...8) ?? settings.integer("concat_dim", in: 0...8)
      return [try Tensor.cat(call.inputs, dim: call.axis(axis ?? 1, first))]
    },
    "Slice": { call in
      let (x, settings) = (try call.input(), try call.layer.settings("slice_param"))
      let given =
        try settings.integer("axis", in: -8...8) ?? settings.integer("slice_dim", in: 0...8)
      let axis = try call.axis(given ?? 1, x)
      let (count, extent) = (call.layer.tops.count, x.shape[axis])
      var points = try settings.integers("slice_point", in: extents)
      if points.isEmpty {
        guard count >= 1, extent % count == 0 else {
          throw call.fault("\(count) parts of an extent of \(extent)")
        }
        points = (1..<max(count, 1)).map { $0 * extent / count }
      }
      let ends = [0] + points + [extent]
      guard points.count == count - 1, zip(ends, ends.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw call.fault("slice points \(points) of an extent of \(extent) for \(count) tops")
      }
      return try zip(ends, ends.dropFirst()).map {
        try x.narrow(axis, start: $0, length: $1 - $0)
      }
    },
    "Split": { call in
      let x = try call.input()
      return call.layer.tops.map { _ in x }
    },
    "Flatten": { call in
      let (x, settings) = (try call.input(), try call.layer.settings("flatten_param"))
      let start = try call.axis(settings.integer("axis", in: -8...8) ?? 1, x)
      let end = try call.axis(settings.integer("end_axis", in: -8...8) ?? -1, x)
      guard start <= end else { throw call.fault("axes \(start) to \(end)") }
      let extents = x.shape.dimensions
      return [
        try x.reshape(
          Shape(
            extents[..<start] + [x.shape.elementCount(in: start..<end + 1)] + extents[(end + 1)...])
        )
      ]
    },
    "Reshape": { call in
      let (x, settings) = (try call.input(), try call.layer.settings("reshape_param"))
      guard try (settings.integer("axis", in: -8...8) ?? 0) == 0,
        try (settings.integer("num_axes", in: -1...8) ?? -1) == -1
      else { throw call.fault("of a part of the axes, which is not known") }
      let given = try settings.message("shape")?.integers("dim", in: -1...1 << 30) ?? []
      let target = try given.enumerated().map { index, extent in
        guard extent == 0 else { return extent }
        guard index < x.shape.rank else { throw call.fault("the shape \(given) for \(x.shape)") }
        return x.shape[index]
      }
      guard target.count(where: { $0 < 0 }) <= 1 else {
        throw call.fault("the shape \(given) has two open extents")
      }
      return [try x.reshape(Shape(target))]
    },
  ]
}

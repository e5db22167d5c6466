import Foundation
import TernCore
import TernGraph

/// Along one axis, what each element of a resized tensor is made of: a matrix [new, old]. Every mode of ONNX's
/// Resize is one, and the axes follow each other.
private struct AxisResampling {
  let input: Int
  let output: Int
  let scale: Double
  let mode: String
  let coordinates: String
  let nearest: String
  let cubic: Double
  let excludesOutside: Bool
  let isAntialiased: Bool
  let region: (start: Double, end: Double)

  /// Where the middle of an element lies in the input.
  func place(_ index: Int) -> Double {
    let (x, size) = (Double(index), Double(input))
    let length = scale * size
    switch coordinates {
    case "asymmetric": return x / scale
    case "align_corners": return output == 1 ? 0 : x * (size - 1) / (length - 1)
    case "pytorch_half_pixel": return output == 1 ? 0 : (x + 0.5) / scale - 0.5
    case "half_pixel_symmetric":
      let adjustment = Double(output) / length
      return size / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    case "tf_crop_and_resize":
      return output > 1
        ? region.start * (size - 1) + x * (region.end - region.start) * (size - 1)
          / Double(output - 1)
        : 0.5 * (region.start + region.end) * (size - 1)
    case "tf_half_pixel_for_nn": return (x + 0.5) / scale
    default: return (x + 0.5) / scale - 0.5
    }
  }

  var crops: Bool { coordinates == "tf_crop_and_resize" }

  func isOutside(_ index: Int) -> Bool {
    crops && !(0...Double(input - 1)).contains(place(index))
  }

  func row(_ index: Int) -> [Double] {
    var row = [Double](repeating: 0, count: input)
    let x = place(index)
    if mode == "nearest" {
      let near: Double =
        switch nearest {
        case "floor": x.rounded(.down)
        case "ceil": x.rounded(.up)
        case "round_prefer_ceil": (x + 0.5).rounded(.down)
        default: (x - 0.5).rounded(.up)
        }
      row[min(max(Int(near), 0), input - 1)] = 1
      return row
    }
    let stretch = isAntialiased && scale < 1 ? 1 / scale : 1
    let reach = Int((stretch * (mode == "cubic" ? 2 : 1)).rounded(.up))
    let base = Int(x.rounded(.down))
    var sum = 0.0
    for tap in (base - reach)...(base + reach + 1) {
      let weight = kernel((Double(tap) - x) / stretch)
      guard weight != 0, !excludesOutside || (0..<input).contains(tap) else { continue }
      row[min(max(tap, 0), input - 1)] += weight
      sum += weight
    }
    return sum == 0 ? row : row.map { $0 / sum }
  }

  private func kernel(_ distance: Double) -> Double {
    let d = abs(distance)
    guard mode == "cubic" else { return max(0, 1 - d) }
    let a = cubic
    if d < 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
  }
}

extension ONNXOperators {
  static let resizing: [String: ONNXOperator] = [
    "Resize": .device { call in
      let x = try call.tensor(0)
      let rank = x.shape.rank
      let isOld = call.opset < 11
      let axes = try call.axes(call.ints("axes") ?? Array(0..<rank), rank: rank)
      func numbers(_ index: Int) throws -> [Double]? {
        let array = try call.optionalConstant(index)
        return array.flatMap { $0.count > 0 ? $0.doubles : nil }
      }
      var scales = [Double](repeating: 1, count: rank)
      var sizes = x.shape.dimensions
      if let given = try numbers(isOld ? 1 : 2) {
        guard given.count == axes.count, given.allSatisfy({ $0 > 0 && $0.isFinite }) else {
          throw ONNXFault.invalid("scales \(given) for \(x.shape)")
        }
        for (axis, scale) in zip(axes, given) {
          scales[axis] = scale
          sizes[axis] = Int(clamping: Int64(clampingTruncated: Double(x.shape[axis]) * scale))
        }
      } else if let given = try call.optionalConstant(3)?.integers {
        guard given.count == axes.count, given.allSatisfy({ $0 > 0 }) else {
          throw ONNXFault.invalid("sizes \(given) for \(x.shape)")
        }
        let ratios = zip(axes, given).map { Double($1) / Double(x.shape[$0]) }
        let policy = try call.string("keep_aspect_ratio_policy", "stretch")
        for (index, axis) in axes.enumerated() {
          switch policy {
          case "stretch": (scales[axis], sizes[axis]) = (ratios[index], given[index])
          default:
            let scale = policy == "not_larger" ? ratios.min()! : ratios.max()!
            scales[axis] = scale
            sizes[axis] = Int((scale * Double(x.shape[axis])).rounded())
          }
        }
      } else {
        throw ONNXFault.invalid("neither scales nor sizes")
      }
      return try call.result(
        try resized(
          call, x, scales: scales, sizes: sizes,
          coordinates: call.string(
            "coordinate_transformation_mode", isOld ? "asymmetric" : "half_pixel"),
          nearest: call.string("nearest_mode", isOld ? "floor" : "round_prefer_floor"),
          regions: isOld ? nil : numbers(1).map { (axes, $0) }))
    },
    "Upsample": .device { call in
      let x = try call.tensor(0)
      let scales =
        try call.floats("scales")?.map(Double.init) ?? call.constant(1).doubles
      guard scales.count == x.shape.rank, scales.allSatisfy({ $0 >= 1 && $0 < 32768 }) else {
        throw ONNXFault.invalid("scales \(scales) for \(x.shape)")
      }
      return try call.result(
        try resized(
          call, x, scales: scales,
          sizes: x.shape.indices.map { Int(Double(x.shape[$0]) * scales[$0]) },
          coordinates: "asymmetric", nearest: "floor", regions: nil))
    },
  ]

  private static func resized(
    _ call: ONNXCall, _ x: Tensor, scales: [Double], sizes: [Int], coordinates: String,
    nearest: String, regions: (axes: [Int], values: [Double])?
  ) throws -> Tensor {
    guard Shape(sizes).isUsable else { throw ONNXFault.unsupported("to the shape \(sizes)") }
    let mode = try call.string("mode", "nearest")
    guard ["nearest", "linear", "bilinear", "cubic"].contains(mode) else {
      throw ONNXFault.unsupported("with mode \(mode)")
    }
    let isWhole = zip(sizes, x.shape).allSatisfy { $0 % $1 == 0 }
    if mode == "nearest", coordinates == "asymmetric", nearest == "floor", isWhole,
      x.shape.rank == 4, sizes[0] == x.shape[0], sizes[1] == x.shape[1]
    {
      return try x.interpolate(.nearest, height: sizes[2], width: sizes[3])
    }
    var y = x
    var inside: Tensor?
    for axis in 0..<x.shape.rank {
      var region = (start: 0.0, end: 1.0)
      if let regions, let at = regions.axes.firstIndex(of: axis),
        regions.values.count == 2 * regions.axes.count
      {
        region = (regions.values[at], regions.values[at + regions.axes.count])
      }
      let changes = sizes[axis] != x.shape[axis] || scales[axis] != 1
      guard changes || (coordinates == "tf_crop_and_resize" && region != (0, 1)) else { continue }
      let (old, new) = (x.shape[axis], sizes[axis])
      guard old <= 1 << 14, new <= 1 << 14 else {
        throw ONNXFault.unsupported("an axis of \(old) to \(new)")
      }
      let axisOf = AxisResampling(
        input: old, output: new, scale: scales[axis], mode: mode, coordinates: coordinates,
        nearest: nearest, cubic: Double(try call.float("cubic_coeff_a", -0.75)),
        excludesOutside: try call.flag("exclude_outside") || call.flag("antialias"),
        isAntialiased: try call.flag("antialias"), region: region)
      let matrix = (0..<new).flatMap { axisOf.row($0).map { Float($0) } }
      let last = y.shape.rank - 1
      y = try y.transpose(axis, last)
        .linear(weight: call.builder.constant(HostTensor([new, old], matrix)))
        .transpose(axis, last)
      guard axisOf.crops else { continue }
      var shape = [Int](repeating: 1, count: x.shape.rank)
      shape[axis] = new
      let mask = call.builder.constant(
        HostTensor(Shape(shape), (0..<new).map { axisOf.isOutside($0) ? Float(0) : 1 }))
      inside = try inside.map { try $0 * mask } ?? mask
    }
    guard let inside else { return y }
    let value = try call.float("extrapolation_value", 0)
    return try y * inside + inside.affine(scale: -value, shift: value)
  }
}

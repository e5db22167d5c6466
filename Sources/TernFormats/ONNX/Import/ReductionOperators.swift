import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  /// The axes that a reduction runs over, `nil` where it changes nothing.
  private static func axes(_ call: ONNXCall) throws -> [Int]? {
    let rank = try call.shape(0).count
    let given = try call.integers(1, orAttribute: "axes")
    if given?.isEmpty ?? true {
      return try call.flag("noop_with_empty_axes") ? nil : Array(0..<rank)
    }
    return try call.axes(given!, rank: rank).sorted()
  }

  private static func reduction(
    _ host: (@Sendable ([Double]) -> Double)? = nil,
    _ body: @escaping @Sendable (Tensor, [Int], Bool) throws -> Tensor,
    identity: @escaping @Sendable (Tensor) throws -> Tensor = { $0 }
  ) -> ONNXOperator {
    var fold: ONNXOperator.Body?
    if let host {
      fold = { call in
        let x = try call.constant(0)
        guard let axes = try axes(call) else { return [.host(x)] }
        return [.host(try reduce(x, axes, keepsAxes: call.flag("keepdims", true), host))]
      }
    }
    return ONNXOperator(
      host: fold,
      device: { call in
        guard try call.type(0).isReal else {
          throw ONNXFault.unsupported("on \(try call.type(0).name) that is computed")
        }
        let x = try call.tensor(0)
        guard let axes = try axes(call), !axes.isEmpty else {
          return try call.result(try identity(x))
        }
        return try call.result(try body(x, axes, call.flag("keepdims", true)))
      })
  }

  private static func reduce(
    _ x: HostArray, _ axes: [Int], keepsAxes: Bool, _ body: ([Double]) -> Double
  ) throws -> HostArray {
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let order = kept + axes
    let moved = x.taking(try IndexMap.permute(x.shape, order)).doubles
    let outer = kept.map { x.shape[$0] }
    let count = axes.reduce(1) { $0 * x.shape[$1] }
    let results = (0..<outer.reduce(1, *)).map { row in
      body(Array(moved[row * count..<(row + 1) * count]))
    }
    let shape = keepsAxes ? x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] } : outer
    return HostArray(x.type, shape, rounding: results)
  }

  static let reductions: [String: ONNXOperator] = [
    "ReduceSum": reduction({ $0.reduce(0, +) }, { try $0.sum($1, keepsAxes: $2) }),
    "ReduceMean": reduction(
      { $0.reduce(0, +) / Double($0.count) },
      {
        try $0.mean($1, keepsAxes: $2)
      }),
    "ReduceMax": reduction({ $0.max() ?? -.infinity }, { try $0.amax($1, keepsAxes: $2) }),
    "ReduceMin": reduction({ $0.min() ?? .infinity }, { try -(-$0).amax($1, keepsAxes: $2) }),
    "ReduceProd": reduction(
      { $0.reduce(1, *) },
      { x, axes, keepsAxes in
        let kept = x.shape.indices.filter { !axes.contains($0) }
        let count = axes.reduce(1) { $0 * x.shape[$1] }
        guard count <= 1024 else { throw ONNXFault.unsupported("of \(count) factors") }
        let rows = try x.permute(kept + axes).reshape([-1, count])
        var product = try rows.narrow(1, start: 0, length: 1)
        for index in 1..<max(count, 1) {
          product = try product * rows.narrow(1, start: index, length: 1)
        }
        return try product.reshape(reduced(x.shape, axes, keepsAxes))
      }),
    "ReduceL1": reduction {
      try $0.abs().sum($1, keepsAxes: $2)
    } identity: {
      try $0.abs()
    },
    "ReduceL2": reduction {
      try $0.square().sum($1, keepsAxes: $2).sqrt()
    } identity: {
      try $0.abs()
    },
    "ReduceSumSquare": reduction {
      try $0.square().sum($1, keepsAxes: $2)
    } identity: {
      try $0.square()
    },
    "ReduceLogSum": reduction {
      try $0.sum($1, keepsAxes: $2).log()
    } identity: {
      try $0.log()
    },
    "ReduceLogSumExp": reduction { x, axes, keepsAxes in
      // Less the largest, as ex would overflow.
      let largest = try x.amax(axes, keepsAxes: true)
      let sum = try (x - largest).exp().sum(axes, keepsAxes: true).log() + largest
      return try sum.reshape(reduced(x.shape, axes, keepsAxes))
    },
  ]

  private static func reduced(_ shape: Shape, _ axes: [Int], _ keepsAxes: Bool) -> Shape {
    Shape(
      shape.indices.compactMap { axes.contains($0) ? (keepsAxes ? 1 : nil) : shape[$0] })
  }

  private static func search(isMinimum: Bool) -> ONNXOperator {
    .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(call.int("axis", 0), rank: x.shape.rank)
      let place = try position(
        ofMaximum: isMinimum ? -x : x, axis: axis, takesLast: call.flag("select_last_index"))
      return try call.result(
        try place.reshape(reduced(x.shape, [axis], call.flag("keepdims", true))), .int64)
    }
  }

  static let searches: [String: ONNXOperator] = [
    "ArgMax": search(isMinimum: false),
    "ArgMin": search(isMinimum: true),
    "CumSum": .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(Int(call.constant(1).scalar()), rank: x.shape.rank)
      let (isExclusive, isReverse) = (try call.flag("exclusive"), try call.flag("reverse"))
      let count = x.shape[axis]
      guard count <= 4096 else { throw ONNXFault.unsupported("along \(count) elements") }
      // A product with a triangle of ones.
      var ones = [Float](repeating: 0, count: count * count)
      for to in 0..<count {
        for from in 0..<count
        where isReverse
          ? (isExclusive ? from > to : from >= to)
          : (isExclusive ? from < to : from <= to)
        {
          ones[to * count + from] = 1
        }
      }
      let triangle = call.builder.constant(HostTensor([count, count], ones))
      let last = x.shape.rank - 1
      return try call.result(
        try x.transpose(axis, last).linear(weight: triangle).transpose(axis, last))
    },
    "TopK": .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(call.int("axis", -1), rank: x.shape.rank)
      let count =
        try call.integers(1)?.first ?? call.int("k", 0)
      guard (1...min(64, x.shape[axis])).contains(count) else {
        throw ONNXFault.unsupported("of \(count) elements, not of 1 to \(min(64, x.shape[axis]))")
      }
      let isMinimum = try !call.flag("largest", true)
      var rest = isMinimum ? try -x : x
      let places = call.builder.constant(counting(x.shape, axis))
      let lowest = call.number(-Float.greatestFiniteMagnitude)
      var (values, indices): ([Tensor], [Tensor]) = ([], [])
      // The largest, then the largest of the others, and so on.
      for _ in 0..<count {
        let value = try rest.amax([axis], keepsAxes: true)
        let place = try position(ofMaximum: rest, axis: axis, takesLast: false)
        values.append(isMinimum ? try -value : value)
        indices.append(place)
        let isTaken = try place.equal(places)
        rest = try rest * isTaken.affine(scale: -1, shift: 1) + isTaken * lowest
      }
      return [
        .device(try Tensor.cat(values, dim: axis), try call.type(0)),
        .device(try Tensor.cat(indices, dim: axis), .int64),
      ]
    },
  ]
}

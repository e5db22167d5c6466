import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  /// Indices of an axis of `extent` elements, counted from the end where they are negative.
  private static func places(_ indices: HostArray, _ extent: Int) throws -> [Int] {
    try indices.integers.map { index in
      guard (-extent..<extent).contains(index) else {
        throw ONNXFault.invalid("index \(index) of \(extent)")
      }
      return index < 0 ? index + extent : index
    }
  }

  /// GatherElements with indices that are known.
  private static let elements = mapped { call, shape in
    let indices = try call.constant(1)
    let axis = try call.axis(call.int("axis", 0), rank: shape.count)
    guard indices.shape.count == shape.count else {
      throw ONNXFault.invalid("indices of shape \(indices.shape) for \(shape)")
    }
    let (taken, own, strides) = (
      try places(indices, shape[axis]), IndexMap.strides(indices.shape), IndexMap.strides(shape)
    )
    return try IndexMap(indices.shape) { position in
      var place = position
      place[axis] = taken[zip(position, own).reduce(0) { $0 + $1.0 * $1.1 }]
      guard zip(place, shape).allSatisfy({ $0 < $1 }) else {
        throw ONNXFault.invalid("indices of shape \(indices.shape) for \(shape)")
      }
      return zip(place, strides).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }

  /// Indices that a device computes, and so holds as float32.
  private static func computedPlaces(_ call: ONNXCall) throws -> Tensor? {
    guard case .device(let places, let type, known: nil) = try call.value(1), type.isInteger,
      places.type.dataType == .float32
    else { return nil }
    return places
  }

  /// [R, count]: 1 at the place that each of [R] names, counted from the end where it is negative.
  private static func marks(_ places: Tensor, _ count: Int) throws -> Tensor {
    let rows = places.shape.elementCount
    guard rows.multipliedReportingOverflow(by: count).partialValue <= 1 << 24 else {
      throw ONNXFault.unsupported("by \(rows) computed indices of \(count)")
    }
    let zero = places.builder.constant(0)
    let plain = try places + greater(zero, places).affine(scale: Float(count))
    let counting = places.builder.constant(
      HostTensor([1, count], (0..<count).map { Float($0) }))
    return try plain.reshape([rows, 1]).equal(counting)
  }

  /// Along an axis the elements that computed indices name.
  private static func gathered(_ call: ONNXCall, _ x: Tensor, _ places: Tensor) throws -> Tensor {
    let axis = try call.axis(call.int("axis", 0), rank: x.shape.rank)
    guard places.shape.rank == x.shape.rank else {
      throw ONNXFault.invalid("indices of shape \(places.shape) for \(x.shape)")
    }
    let order = (0..<x.shape.rank).filter { $0 != axis } + [axis]
    var part = x
    for other in order.dropLast() {
      part = try part.narrow(other, start: 0, length: places.shape[other])
    }
    let (count, taken) = (x.shape[axis], places.shape[axis])
    let turned = try places.permute(order)
    let rows = turned.shape.elementCount / taken
    let values = try part.permute(order).reshape([rows, 1, count])
    let marked = try marks(turned.reshape([rows * taken]), count).reshape([rows, taken, count])
    return try (values * marked).sum([2]).reshape(turned.shape)
      .permute(order.indices.map { order.firstIndex(of: $0)! })
  }

  /// Whether known indices name all elements of a vector in their order, for the batch of the file.
  private static func namesAll(_ call: ONNXCall, _ indices: HostArray) -> Bool {
    guard let shape = try? call.shape(0), shape.count == 1, !indices.integers.isEmpty else {
      return false
    }
    let own = call.importer.fixedBatch?.shape(call.node.inputs[0]) ?? shape
    return own == [indices.integers.count]
      && indices.integers.elementsEqual(0..<indices.integers.count)
  }

  static let indexing: [String: ONNXOperator] = [
    "Gather": ONNXOperator(
      host: { call in
        let (x, indices) = (try call.constant(0), try call.constant(1))
        let axis = try call.axis(call.int("axis", 0), rank: x.shape.count)
        let taken = try places(indices, x.shape[axis])
        var lists = x.shape.map { Array(0..<$0) }
        lists[axis] = taken
        let shape = x.shape[..<axis] + indices.shape + x.shape[(axis + 1)...]
        return [
          .host(x.taking(try IndexMap.select(x.shape, lists)).reshaped(Array(shape)))
        ]
      },
      device: { call in
        let x = try call.tensor(0)
        let axis = try call.axis(call.int("axis", 0), rank: x.shape.rank)
        let indexShape = try call.shape(1)
        let shape = Shape(
          x.shape.dimensions[..<axis] + indexShape + x.shape.dimensions[(axis + 1)...])
        let known = try? call.constant(1)
        if let known, namesAll(call, known) {
          // PyTorch writes a memory layout that it leaves so.
          return try call.result(
            try x.reshape(
              Shape(call.reshaped(x.shape.dimensions, to: known.shape, keepsZeros: true))))
        }
        if let known, !isPlain(call, known) {
          let positions = try places(known, x.shape[axis])
          guard !positions.isEmpty else { throw ONNXFault.unsupported("of nothing") }
          return try call.result(try selecting(positions, along: axis, of: x).reshape(shape))
        }
        let order = [axis] + (0..<x.shape.rank).filter { $0 != axis }
        let rows = try x.permute(order)
        let count = x.shape[axis]
        let table = try rows.reshape([count, x.shape.elementCount / count])
        let (taken, indexCount): (Tensor, Int)
        if let places = try computedPlaces(call) {
          indexCount = places.shape.elementCount
          taken = try marks(places.reshape([indexCount]), count).matmul(table)
        } else {
          let indices = try call.importer.indices(call.value(1))
          indexCount = indices.shape.elementCount
          taken = try indices.reshape([indexCount]).embedding(weight: table)
        }
        let wide = try taken.reshape(Shape([indexCount] + rows.shape.dimensions.dropFirst()))
        return try call.result(
          try wide.permute(order.indices.map { order.firstIndex(of: $0)! }).reshape(shape))
      }),
    "GatherElements": ONNXOperator(
      host: elements.host,
      device: { call in
        guard let places = try computedPlaces(call) else { return try elements.device!(call) }
        return try call.result(try gathered(call, call.tensor(0), places))
      }),
    "GatherND": mapped { call, shape in
      let indices = try call.constant(1)
      let batch = try call.int("batch_dims", 0)
      guard let depth = indices.shape.last, (0..<indices.shape.count).contains(batch),
        depth >= 1, batch + depth <= shape.count,
        Array(indices.shape[..<batch]) == Array(shape[..<batch])
      else { throw ONNXFault.invalid("indices of shape \(indices.shape) for \(shape)") }
      let rows = Array(indices.shape.dropLast())
      let rest = Array(shape[(batch + depth)...])
      let strides = IndexMap.strides(shape)
      let values = indices.integers
      let width = rest.reduce(1, *)
      return try IndexMap(rows + rest) { position in
        var row = 0
        for (axis, extent) in rows.enumerated() { row = row * extent + position[axis] }
        var source = 0
        for axis in 0..<batch { source += position[axis] * strides[axis] }
        for part in 0..<depth {
          let (index, extent) = (values[row * depth + part], shape[batch + part])
          guard (-extent..<extent).contains(index) else {
            throw ONNXFault.invalid("index \(index) of \(extent)")
          }
          source += (index < 0 ? index + extent : index) * strides[batch + part]
        }
        var inner = 0
        for (axis, extent) in rest.enumerated() {
          inner = inner * extent + position[rows.count + axis]
        }
        return source + inner % max(width, 1)
      }
    },
    "Scatter": scatterElements,
    "ScatterElements": scatterElements,
    "ScatterND": .device { call in
      try requirePlainScatter(call)
      let (x, indices, updates) = (
        try call.tensor(0), try call.constant(1), try call.tensor(2)
      )
      let shape = x.shape.dimensions
      guard let depth = indices.shape.last, (1...shape.count).contains(depth) else {
        throw ONNXFault.invalid("indices of shape \(indices.shape) for \(shape)")
      }
      let width = shape[depth...].reduce(1, *)
      let strides = IndexMap.strides(shape)
      let values = indices.integers
      var sources = Array(0..<x.shape.elementCount)
      for row in 0..<indices.count / depth {
        var start = 0
        for part in 0..<depth {
          let (index, extent) = (values[row * depth + part], shape[part])
          guard (-extent..<extent).contains(index) else {
            throw ONNXFault.invalid("index \(index) of \(extent)")
          }
          start += (index < 0 ? index + extent : index) * strides[part]
        }
        for inner in 0..<width {
          sources[start + inner] = x.shape.elementCount + row * width + inner
        }
      }
      return try call.result(
        try scattered(x, updates, IndexMap(shape, sources)))
    },
    "Compress": mapped { call, shape in
      let condition = try call.constant(1).integers
      guard call.node.attributes["axis"] != nil else {
        let chosen = condition.indices.filter { condition[$0] != 0 }
        guard (chosen.last ?? 0) < shape.reduce(1, *) else {
          throw ONNXFault.invalid("a condition of \(condition.count) for \(shape)")
        }
        return IndexMap([chosen.count], chosen)
      }
      let axis = try call.axis(call.int("axis", 0), rank: shape.count)
      var lists = shape.map { Array(0..<$0) }
      lists[axis] = condition.indices.filter { condition[$0] != 0 }
      guard (lists[axis].last ?? 0) < shape[axis] else {
        throw ONNXFault.invalid("a condition of \(condition.count) for \(shape)")
      }
      return try IndexMap.select(shape, lists)
    },
    "ReverseSequence": mapped { call, shape in
      let lengths = try call.constant(1).integers
      let time = try call.axis(call.int("time_axis", 0), rank: shape.count)
      let batch = try call.axis(call.int("batch_axis", 1), rank: shape.count)
      let strides = IndexMap.strides(shape)
      guard lengths.count == shape[batch], lengths.allSatisfy({ (0...shape[time]).contains($0) })
      else { throw ONNXFault.invalid("lengths \(lengths) for \(shape)") }
      return try IndexMap(shape) { position in
        var place = position
        let length = lengths[position[batch]]
        if place[time] < length { place[time] = length - 1 - place[time] }
        return zip(place, strides).reduce(0) { $0 + $1.0 * $1.1 }
      }
    },
    "Trilu": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        let mask = try triangle(call, x.shape)
        return [
          .host(HostArray(x.type, x.shape, rounding: zip(x.doubles, mask).map { $1 ? $0 : 0 }))
        ]
      },
      device: { call in
        let x = try call.tensor(0)
        let mask = try triangle(call, x.shape.dimensions)
        return try call.result(
          try x * call.builder.constant(HostTensor(x.shape, mask.map { $0 ? Float(1) : 0 })))
      }),
    "OneHot": .device { call in
      let depth = Int(try call.constant(1).scalar())
      let values = try call.constant(2).doubles
      guard values.count == 2, (1...1 << 24).contains(depth) else {
        throw ONNXFault.invalid("\(depth) classes and the values \(values)")
      }
      let indices = try call.tensor(0)
      let rank = indices.shape.rank + 1
      let axis = try call.axis(call.int("axis", -1), rank: rank)
      var wide = indices.shape.dimensions
      wide.insert(1, at: axis)
      var classes = [Int](repeating: 1, count: rank)
      classes[axis] = depth
      func isAt(_ start: Int) throws -> Tensor {
        try indices.reshape(Shape(wide)).equal(
          call.builder.constant(
            HostTensor(Shape(classes), (start..<start + depth).map(Float.init))))
      }
      // Also counted from the end.
      let isOn = try isAt(0) + isAt(-depth)
      return try call.result(
        try isOn.affine(scale: Float(values[1] - values[0]), shift: Float(values[0])),
        call.type(2))
    },
  ]

  /// Whether the device's own indices do: an input, none of which counts from the end.
  private static func isPlain(_ call: ONNXCall, _ known: HostArray) -> Bool {
    guard case .device(let tensor, _, _)? = try? call.value(1), tensor.type.dataType == .int32
    else {
      return false
    }
    return known.integers.allSatisfy { $0 >= 0 }
  }

  private static func requirePlainScatter(_ call: ONNXCall) throws {
    let reduction = try call.string("reduction", "none")
    guard reduction == "none" else { throw ONNXFault.unsupported("with reduction \(reduction)") }
  }

  private static func scattered(_ x: Tensor, _ updates: Tensor, _ map: IndexMap) throws -> Tensor {
    let all = try Tensor.cat([
      x.reshape([x.shape.elementCount]), updates.reshape([updates.shape.elementCount]),
    ])
    return try taking(map, of: all)
  }

  private static let scatterElements = ONNXOperator.device { call in
    try requirePlainScatter(call)
    let (x, indices, updates) = (try call.tensor(0), try call.constant(1), try call.tensor(2))
    let shape = x.shape.dimensions
    let axis = try call.axis(call.int("axis", 0), rank: shape.count)
    guard indices.shape.count == shape.count, indices.shape == updates.shape.dimensions,
      zip(indices.shape, shape).enumerated().allSatisfy({ $0 == axis || $1.0 <= $1.1 })
    else { throw ONNXFault.invalid("indices of shape \(indices.shape) for \(shape)") }
    let taken = try places(indices, shape[axis])
    let strides = IndexMap.strides(shape)
    var sources = Array(0..<x.shape.elementCount)
    var next = 0
    _ = try IndexMap(indices.shape) { position in
      var place = position
      place[axis] = taken[next]
      sources[zip(place, strides).reduce(0) { $0 + $1.0 * $1.1 }] = x.shape.elementCount + next
      next += 1
      return 0
    }
    return try call.result(try scattered(x, updates, IndexMap(shape, sources)))
  }

  private static func triangle(_ call: ONNXCall, _ shape: [Int]) throws -> [Bool] {
    guard shape.count >= 2 else { throw ONNXFault.invalid("the shape \(shape)") }
    let isUpper = try call.flag("upper", true)
    let offset = Int(try call.optionalConstant(1)?.scalar() ?? 0)
    try IndexMap.check(shape)
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    return (0..<shape.reduce(1, *)).map { index in
      let (row, column) = (index / columns % rows, index % columns)
      return isUpper ? column - row >= offset : column - row <= offset
    }
  }
}

import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  /// An operator that moves elements, known or computed.
  static func moving(
    _ host: @escaping @Sendable (ONNXCall, HostArray) throws -> HostArray,
    _ device: @escaping @Sendable (ONNXCall, Tensor) throws -> Tensor
  ) -> ONNXOperator {
    ONNXOperator(
      host: { [.host(try host($0, $0.constant(0)))] },
      device: { call in
        // Indices may take another shape, and stay indices.
        if case .device(let tensor, let type, _) = try call.value(0), tensor.type.dataType == .int32
        {
          return [.device(try device(call, tensor), type)]
        }
        return try call.result(try device(call, call.tensor(0)))
      })
  }

  /// An operator that says where each element of its result comes from.
  static func mapped(_ map: @escaping @Sendable (ONNXCall, [Int]) throws -> IndexMap)
    -> ONNXOperator
  {
    moving(
      { $1.taking(try map($0, $1.shape)) },
      { call, x in
        try taking(map(call, x.shape.dimensions), of: x)
      })
  }

  /// The elements of a tensor at these places.
  static func taking(_ map: IndexMap, of x: Tensor) throws -> Tensor {
    guard Shape(map.shape).isUsable else {
      throw ONNXFault.unsupported("a result of shape \(map.shape), without elements")
    }
    // A run of elements that stay together is one row of a table.
    var width = 1
    while map.sources.count % (width * 2) == 0, x.shape.elementCount % (width * 2) == 0,
      stride(from: 0, to: map.sources.count, by: width * 2).allSatisfy({ start in
        map.sources[start] % (width * 2) == 0
          && (1..<width * 2).allSatisfy { map.sources[start + $0] == map.sources[start] + $0 }
      })
    { width *= 2 }
    let rows = stride(from: 0, to: map.sources.count, by: width).map { map.sources[$0] / width }
    let indices = x.builder.constant(HostTensor([rows.count], rows.map { Int32($0) }))
    return try indices.embedding(weight: x.reshape([x.shape.elementCount / width, width]))
      .reshape(Shape(map.shape))
  }

  private static func reshaping(_ target: @escaping @Sendable (ONNXCall, [Int]) throws -> [Int])
    -> ONNXOperator
  {
    moving(
      { call, x in
        let shape = try target(call, x.shape)
        guard shape.reduce(1, *) == x.count else {
          throw ONNXFault.invalid("the shape \(shape) for \(x.shape)")
        }
        return x.reshaped(shape)
      }, { call, x in try x.reshape(Shape(target(call, x.shape.dimensions))) })
  }

  static let movement: [String: ONNXOperator] = [
    "Reshape": reshaping { call, shape in
      let given = try call.integers(1, orAttribute: "shape") ?? []
      return try call.reshaped(shape, to: given, keepsZeros: call.flag("allowzero"))
    },
    "Flatten": reshaping { call, shape in
      let axis = try call.int("axis", 1)
      guard (-shape.count...shape.count).contains(axis) else {
        throw ONNXFault.invalid("axis \(axis) of \(shape)")
      }
      let at = axis < 0 ? axis + shape.count : axis
      return [shape[..<at].reduce(1, *), shape[at...].reduce(1, *)]
    },
    "Squeeze": reshaping { call, shape in
      guard let given = try call.integers(1, orAttribute: "axes") else {
        return shape.filter { $0 != 1 }
      }
      let axes = try call.axes(given, rank: shape.count)
      guard axes.allSatisfy({ shape[$0] == 1 }) else {
        throw ONNXFault.invalid("the axes \(given) of \(shape) are not all of extent 1")
      }
      return shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
    },
    "Unsqueeze": reshaping { call, shape in
      let given = try call.integers(1, orAttribute: "axes") ?? []
      guard given.count <= 32 else { throw ONNXFault.invalid("\(given.count) axes") }
      let rank = shape.count + given.count
      let axes = try call.axes(given, rank: rank)
      var rest = shape[...]
      return (0..<rank).map { axes.contains($0) ? 1 : rest.removeFirst() }
    },
    "Transpose": moving(
      { call, x in
        x.taking(try IndexMap.permute(x.shape, order(call, x.shape.count)))
      }, { call, x in try x.permute(order(call, x.shape.rank)) }),
    "Expand": moving(
      { call, given in
        let x = try call.withoutBatch(given, for: call.constant(1).integers)
        let target = try expandedShape(call, x.shape)
        try IndexMap.check(target)
        return try x.expanded(to: target)
      }, { call, x in try x.expand(Shape(expandedShape(call, x.shape.dimensions))) }),
    "Tile": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        let repeats = try tileRepeats(call, x.shape.count)
        return [
          .host(
            x.taking(
              try IndexMap.select(
                x.shape, zip(x.shape, repeats).map { n, r in (0..<n * r).map { $0 % n } })))
        ]
      },
      device: { call in
        var x = try call.tensor(0)
        for (axis, times) in try tileRepeats(call, x.shape.rank).enumerated() where times > 1 {
          var wide = x.shape.dimensions
          wide.insert(1, at: axis)
          var repeated = wide
          repeated[axis] = times
          var target = x.shape
          target[axis] *= times
          x = try x.reshape(Shape(wide)).expand(Shape(repeated)).reshape(target)
        }
        return try call.result(x)
      }),
    "Concat": ONNXOperator(
      host: { call in
        let parts = try call.inputs.indices.map { try call.constant($0) }
        guard let first = parts.first else { throw ONNXFault.invalid("nothing to join") }
        let axis = try call.axis(call.int("axis", 0), rank: first.shape.count)
        return [.host(try joined(parts, axis))]
      },
      device: { call in
        let axis = try call.axis(call.int("axis", 0), rank: try call.shape(0).count)
        let parts = try call.inputs.indices.compactMap { index in
          // A part without elements adds nothing.
          try call.shape(index).contains(0)
            ? nil : axis == 0 ? call.tensor(index) : call.rebatched(index, axis: 0)
        }
        return try call.result(try Tensor.cat(parts, dim: axis))
      }),
    "Split": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        let (axis, lengths) = try splitLengths(call, x.shape)
        var start = 0
        return try lengths.map { length in
          defer { start += length }
          var indices = x.shape.map { Array(0..<$0) }
          indices[axis] = Array(start..<start + length)
          return .host(x.taking(try IndexMap.select(x.shape, indices)))
        }
      },
      device: { call in
        let x = try call.tensor(0)
        let (axis, lengths) = try splitLengths(call, x.shape.dimensions)
        var start = 0
        return try lengths.map { length in
          defer { start += length }
          guard length > 0 else {
            return .host(HostArray(try call.type(0), without(x.shape, axis), real: []))
          }
          return .device(try x.narrow(axis, start: start, length: length), try call.type(0))
        }
      }),
    "Slice": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        return [.host(x.taking(try IndexMap.select(x.shape, sliceIndices(call, x.shape))))]
      },
      device: { call in
        var x = try call.tensor(0)
        let indices = try sliceIndices(call, x.shape.dimensions)
        guard !indices.contains(where: \.isEmpty) else {
          throw ONNXFault.unsupported("to nothing: tensors without elements are not computed with")
        }
        for (axis, list) in indices.enumerated() { x = try selecting(list, along: axis, of: x) }
        return try call.result(x)
      }),
    "DepthToSpace": .device { call in
      let (x, block) = (try call.tensor(0), try call.int("blocksize", 1))
      let s = x.shape
      guard s.rank == 4, block > 0, block < 1 << 15, s[1] % (block * block) == 0 else {
        throw ONNXFault.invalid("blocks of \(block) of \(s)")
      }
      let channels = s[1] / (block * block)
      let isColumnFirst = try call.string("mode", "DCR") == "CRD"
      let parts =
        isColumnFirst
        ? try x.reshape([s[0], channels, block, block, s[2], s[3]]).permute([0, 1, 4, 2, 5, 3])
        : try x.reshape([s[0], block, block, channels, s[2], s[3]]).permute([0, 3, 4, 1, 5, 2])
      return try call.result(try parts.reshape([s[0], channels, s[2] * block, s[3] * block]))
    },
    "SpaceToDepth": .device { call in
      let (x, block) = (try call.tensor(0), try call.int("blocksize", 1))
      let s = x.shape
      guard s.rank == 4, block > 0, s[2] % block == 0, s[3] % block == 0 else {
        throw ONNXFault.invalid("blocks of \(block) of \(s)")
      }
      return try call.result(
        try x.reshape([s[0], s[1], s[2] / block, block, s[3] / block, block])
          .permute([0, 3, 5, 1, 2, 4])
          .reshape([s[0], s[1] * block * block, s[2] / block, s[3] / block]))
    },
  ]

  /// The elements at these positions of an axis: a part where they follow each other, else one by one.
  static func selecting(_ positions: [Int], along axis: Int, of x: Tensor) throws -> Tensor {
    if positions == Array(0..<x.shape[axis]) { return x }
    if zip(positions, positions.dropFirst()).allSatisfy({ $1 == $0 + 1 }) {
      return try x.narrow(axis, start: positions[0], length: positions.count)
    }
    let order = [axis] + (0..<x.shape.rank).filter { $0 != axis }
    let rows = try x.permute(order)
    let width = x.shape.elementCount / x.shape[axis]
    let indices = x.builder.constant(HostTensor([positions.count], positions.map { Int32($0) }))
    let taken = try indices.embedding(weight: rows.reshape([x.shape[axis], width]))
      .reshape(Shape([positions.count] + rows.shape.dimensions.dropFirst()))
    return try taken.permute(order.indices.map { order.firstIndex(of: $0)! })
  }

  static func without(_ shape: Shape, _ axis: Int) -> [Int] {
    shape.indices.map { $0 == axis ? 0 : shape[$0] }
  }

  static func joined(_ parts: [HostArray], _ axis: Int) throws -> HostArray {
    let first = parts[0]
    guard
      parts.allSatisfy({ part in
        part.shape.count == first.shape.count
          && part.shape.indices.allSatisfy { $0 == axis || part.shape[$0] == first.shape[$0] }
      })
    else { throw ONNXFault.invalid("the shapes \(parts.map(\.shape)) do not join") }
    var shape = first.shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    try IndexMap.check(shape)
    let outer = shape[..<axis].reduce(1, *)
    func gather<T>(_ values: [[T]]) -> [T] {
      (0..<outer).flatMap { row in
        values.flatMap { list in
          let width = outer == 0 ? 0 : list.count / outer
          return list[row * width..<(row + 1) * width]
        }
      }
    }
    if case .real = first.values {
      return HostArray(first.type, shape, real: gather(parts.map(\.doubles)))
    }
    return HostArray(first.type, shape, integers: gather(parts.map { $0.integers.map(Int64.init) }))
  }

  private static func order(_ call: ONNXCall, _ rank: Int) throws -> [Int] {
    let order = try call.axes(call.ints("perm") ?? Array((0..<rank).reversed()), rank: rank)
    guard order.count == rank else { throw ONNXFault.invalid("the order \(order) of \(rank) axes") }
    return order
  }

  private static func expandedShape(_ call: ONNXCall, _ shape: [Int]) throws -> [Int] {
    let given = call.expanded(shape, to: try call.constant(1).integers)
    guard given.allSatisfy({ $0 >= 0 }), let target = Shape.broadcast(Shape(shape), Shape(given))
    else {
      throw ONNXFault.invalid("the shape \(given) for \(shape)")
    }
    return target.dimensions
  }

  private static func tileRepeats(_ call: ONNXCall, _ rank: Int) throws -> [Int] {
    let repeats = try call.constant(1).integers
    guard repeats.count == rank, repeats.allSatisfy({ (1...1 << 24).contains($0) }) else {
      throw ONNXFault.unsupported("\(repeats) repetitions of \(rank) axes")
    }
    return repeats
  }

  private static func splitLengths(_ call: ONNXCall, _ shape: [Int]) throws -> (Int, [Int]) {
    let axis = try call.axis(call.int("axis", 0), rank: shape.count)
    let count = try call.int("num_outputs", call.node.outputs.count)
    guard count > 0 else { throw ONNXFault.invalid("\(count) parts") }
    // As many parts of equal length, the last perhaps shorter.
    let length = (shape[axis] + count - 1) / count
    let lengths =
      try call.integers(1, orAttribute: "split")
      ?? (0..<count).map { min(length, max(shape[axis] - $0 * length, 0)) }
    guard lengths.allSatisfy({ $0 >= 0 && $0 <= shape[axis] }), lengths.reduce(0, +) == shape[axis]
    else { throw ONNXFault.invalid("parts of \(lengths) of \(shape[axis])") }
    return (axis, lengths)
  }

  /// Which positions of each axis a slice takes.
  private static func sliceIndices(_ call: ONNXCall, _ shape: [Int]) throws -> [[Int]] {
    let starts = try call.integers(1, orAttribute: "starts") ?? []
    let ends = try call.integers(2, orAttribute: "ends") ?? []
    let axes = try call.axes(
      call.integers(3, orAttribute: "axes") ?? Array(starts.indices), rank: shape.count)
    let steps = try call.integers(4) ?? starts.map { _ in 1 }
    guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count,
      !steps.contains(0)
    else { throw ONNXFault.invalid("from \(starts) to \(ends) along \(axes) by \(steps)") }
    try IndexMap.check(shape.map { min($0, IndexMap.largest) })
    var result = shape.map { Array(0..<$0) }
    for (index, axis) in axes.enumerated() {
      let (extent, step) = (shape[axis], steps[index])
      func place(_ given: Int, _ low: Int, _ high: Int) -> Int {
        let value = given < 0 ? max(given, -extent - 1) + extent : given
        return min(max(value, low), high)
      }
      result[axis] =
        step > 0
        ? Array(
          stride(
            from: place(starts[index], 0, extent), to: place(ends[index], 0, extent),
            by: min(step, extent + 1)))
        : Array(
          stride(
            from: place(starts[index], -1, extent - 1), to: place(ends[index], -1, extent - 1),
            by: max(step, -extent - 1)))
    }
    return result
  }
}

import TernCore

/// A tensor of any of ONNX's types of numbers, for what is computed when a network is read: the arithmetic
/// of shapes.
package struct HostArray: Sendable, Equatable {
  package enum Values: Sendable, Equatable {
    case real([Double])
    case integer([Int64])
  }

  package let type: ElementType
  package let shape: [Int]
  package let values: Values

  package init(_ type: ElementType, _ shape: [Int], real values: [Double]) {
    precondition(values.count == shape.reduce(1, *), "values for \(shape)")
    (self.type, self.shape, self.values) = (type, shape, .real(values))
  }

  package init(_ type: ElementType, _ shape: [Int], integers values: [Int64]) {
    precondition(values.count == shape.reduce(1, *), "values for \(shape)")
    (self.type, self.shape, self.values) = (type, shape, .integer(values))
  }

  /// A row of int64, as shapes are.
  package init(_ extents: [Int]) {
    self.init(.int64, [extents.count], integers: extents.map(Int64.init))
  }

  package init(_ type: ElementType, _ shape: [Int], rounding values: [Double]) {
    if type.isReal {
      self.init(type, shape, real: values.map(type.rounded))
    } else {
      self.init(type, shape, integers: values.map { type.wrapped(Int64(clampingTruncated: $0)) })
    }
  }

  package var count: Int { shape.reduce(1, *) }

  package var doubles: [Double] {
    switch values {
    case .real(let values): values
    case .integer(let values): values.map(Double.init)
    }
  }

  package var integers: [Int] {
    switch values {
    case .real(let values): values.map { Int(Int64(clampingTruncated: $0)) }
    case .integer(let values): values.map { Int($0) }
    }
  }

  /// The one number of a tensor of one element.
  package func scalar() throws -> Double {
    guard count == 1 else { throw ONNXFault.invalid("expected one number, got the shape \(shape)") }
    return doubles[0]
  }

  package func reshaped(_ shape: [Int]) -> HostArray {
    switch values {
    case .real(let values): HostArray(type, shape, real: values)
    case .integer(let values): HostArray(type, shape, integers: values)
    }
  }

  package func cast(to target: ElementType) -> HostArray {
    switch values {
    case .integer(let values) where target.isInteger:
      HostArray(target, shape, integers: values.map(target.wrapped))
    case .real(let values) where target == .bool:
      HostArray(target, shape, integers: values.map { $0 == 0 ? 0 : 1 })
    default: HostArray(target, shape, rounding: doubles)
    }
  }

  /// The elements at these places, under a shape.
  package func taking(_ map: IndexMap) -> HostArray {
    switch values {
    case .real(let values): HostArray(type, map.shape, real: map.sources.map { values[$0] })
    case .integer(let values):
      HostArray(type, map.shape, integers: map.sources.map { values[$0] })
    }
  }

  /// Repeats along axes of extent 1, by the usual rule.
  package func expanded(to target: [Int]) throws -> HostArray {
    try target == shape ? self : taking(IndexMap.expand(shape, to: target))
  }

  /// As a device holds it: float32.
  ///
  /// - Throws: ``ONNXFault`` where an integer is not exact in float32, or the shape is none of a device.
  package func tensor(_ name: String = "a constant") throws -> HostTensor {
    guard Shape(shape).isUsable else {
      throw ONNXFault.unsupported(
        "\(name) has the shape \(shape): tensors without elements are not computed with")
    }
    switch values {
    case .real(let values): return HostTensor(Shape(shape), values.map { Float($0) })
    case .integer(let values):
      return HostTensor(
        Shape(shape),
        try values.map { value in
          guard let number = Float(exactly: value) else {
            throw ONNXFault.unsupported("\(name) holds \(value), which is not exact in float32")
          }
          return number
        })
    }
  }

  /// As a device holds indices: int32.
  package func indexTensor() throws -> HostTensor {
    guard Shape(shape).isUsable else {
      throw ONNXFault.unsupported(
        "indices of shape \(shape): tensors without elements are not computed with")
    }
    return HostTensor(
      Shape(shape),
      try integers.map { value in
        guard let index = Int32(exactly: value) else {
          throw ONNXFault.unsupported("the index \(value) does not fit 32 bits")
        }
        return index
      })
  }
}

extension Int64 {
  /// The integer part of a number, the nearest there is where it is out of range, 0 for NaN.
  package init(clampingTruncated value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self = Int64(value)
    }
  }
}

/// Where each element of a result comes from: what moves elements, written once for constants and for
/// tensors of a device.
package struct IndexMap: Sendable {
  package let shape: [Int]
  /// A position in the source, row by row, for each element.
  package let sources: [Int]

  package init(_ shape: [Int], _ sources: [Int]) { (self.shape, self.sources) = (shape, sources) }

  /// More elements than this are not listed one by one.
  static let largest = 1 << 26

  /// Refuses a result of too many elements before any memory is taken.
  package static func check(_ shape: [Int]) throws {
    guard Shape.elementCount(ofExtents: shape, limit: largest) != nil else {
      throw ONNXFault.unsupported("a result of shape \(shape), computed element by element")
    }
  }

  /// A map whose element at a position is what `source` says.
  package init(_ shape: [Int], source: ([Int]) throws -> Int) throws {
    try Self.check(shape)
    var sources: [Int] = []
    sources.reserveCapacity(shape.reduce(1, *))
    if !shape.contains(0) {
      var position = [Int](repeating: 0, count: shape.count)
      counting: while true {
        sources.append(try source(position))
        var axis = shape.count - 1
        while axis >= 0 {
          position[axis] += 1
          if position[axis] < shape[axis] { continue counting }
          position[axis] = 0
          axis -= 1
        }
        break
      }
    }
    self.init(shape, sources)
  }

  package static func strides(_ shape: [Int]) -> [Int] { Shape(shape).strides }

  static func expand(_ shape: [Int], to target: [Int]) throws -> IndexMap {
    let strides = Shape(shape).broadcastStrides(to: Shape(target))
    return try IndexMap(target) { position in zip(position, strides).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }

  package static func permute(_ shape: [Int], _ order: [Int]) throws -> IndexMap {
    let strides = Self.strides(shape)
    let moved = order.map { strides[$0] }
    return try IndexMap(order.map { shape[$0] }) { position in
      zip(position, moved).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }

  /// Along each axis the elements `indices` of it.
  package static func select(_ shape: [Int], _ indices: [[Int]]) throws -> IndexMap {
    let strides = Self.strides(shape)
    return try IndexMap(indices.map(\.count)) { position in
      var source = 0
      for axis in position.indices { source += indices[axis][position[axis]] * strides[axis] }
      return source
    }
  }
}

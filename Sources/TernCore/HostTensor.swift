/// A tensor in host memory, stored densely, row by row.
public struct HostTensor: Sendable, Equatable {
  package enum Storage: Sendable, Equatable {
    case float32([Float])
    case int32([Int32])
  }

  /// The extents, outermost first.
  public let shape: Shape
  package private(set) var storage: Storage

  /// - Precondition: `values` holds as many elements as `shape` has.
  public init(_ shape: Shape, _ values: [Float]) {
    precondition(values.count == shape.elementCount, "\(values.count) values for shape \(shape)")
    self.shape = shape
    storage = .float32(values)
  }

  /// - Precondition: `values` holds as many elements as `shape` has.
  public init(_ shape: Shape, _ values: [Int32]) {
    precondition(values.count == shape.elementCount, "\(values.count) values for shape \(shape)")
    self.shape = shape
    storage = .int32(values)
  }

  /// A tensor of one repeated value.
  public init(repeating value: Float, _ shape: Shape) {
    self.init(shape, [Float](repeating: value, count: shape.elementCount))
  }

  /// Its shape and the type of its elements.
  public var type: TensorType {
    switch storage {
    case .float32: TensorType(shape, .float32)
    case .int32: TensorType(shape, .int32)
    }
  }

  /// The elements as floats; integers are converted.
  public var floats: [Float] {
    switch storage {
    case .float32(let values): values
    case .int32(let values): values.map(Float.init)
    }
  }

  /// The elements as doubles.
  public var doubles: [Double] {
    switch storage {
    case .float32(let values): values.map(Double.init)
    case .int32(let values): values.map(Double.init)
    }
  }

  /// The elements as integers.
  /// - Precondition: the data type is `int32`.
  public var integers: [Int32] {
    guard case .int32(let values) = storage else { preconditionFailure("not an int32 tensor") }
    return values
  }

  /// The same elements under another shape of equal element count.
  public func reshaped(_ shape: Shape) -> HostTensor {
    switch storage {
    case .float32(let values): HostTensor(shape, values)
    case .int32(let values): HostTensor(shape, values)
    }
  }

  /// Calls `body` with the elements as they lie in memory: row by row, four bytes each.
  ///
  /// - Throws: what `body` throws.
  public func withUnsafeBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    switch storage {
    case .float32(let values):
      let result = values.withUnsafeBytes { bytes in Result { () throws(E) -> R in try body(bytes) }
      }
      return try result.get()
    case .int32(let values):
      let result = values.withUnsafeBytes { bytes in Result { () throws(E) -> R in try body(bytes) }
      }
      return try result.get()
    }
  }

  /// A tensor of `type` whose bytes `fill` writes.
  public init(_ type: TensorType, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let count = type.elementCount
    switch type.dataType {
    case .float32:
      var values = [Float](repeating: 0, count: count)
      try values.withUnsafeMutableBytes { try fill($0) }
      self.init(type.shape, values)
    case .int32:
      var values = [Int32](repeating: 0, count: count)
      try values.withUnsafeMutableBytes { try fill($0) }
      self.init(type.shape, values)
    }
  }
}

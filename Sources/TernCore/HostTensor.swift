/// A tensor in host memory, stored densely, row by row.
public struct HostTensor: Sendable, Equatable {
  package enum Storage: Sendable, Equatable {
    case float32([Float])
    case int32([Int32])
    case uint8([UInt8])
    /// The bits of numbers of 16 bits; see ``HalfPrecision``.
    case float16([UInt16])
    case bfloat16([UInt16])
  }

  /// The extents, outermost first.
  public let shape: Shape
  package private(set) var storage: Storage

  private init(_ shape: Shape, count: Int, _ storage: Storage) {
    precondition(count == shape.elementCount, "\(count) values for shape \(shape)")
    self.shape = shape
    self.storage = storage
  }

  /// - Precondition: `values` holds as many elements as `shape` has.
  public init(_ shape: Shape, _ values: [Float]) {
    self.init(shape, count: values.count, .float32(values))
  }

  /// - Precondition: `values` holds as many elements as `shape` has.
  public init(_ shape: Shape, _ values: [Int32]) {
    self.init(shape, count: values.count, .int32(values))
  }

  /// - Precondition: `values` holds as many elements as `shape` has.
  public init(_ shape: Shape, _ values: [UInt8]) {
    self.init(shape, count: values.count, .uint8(values))
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
    case .uint8: TensorType(shape, .uint8)
    case .float16: TensorType(shape, .float16)
    case .bfloat16: TensorType(shape, .bfloat16)
    }
  }

  /// The elements as floats; integers are converted.
  public var floats: [Float] {
    switch storage {
    case .float32(let values): values
    case .int32(let values): values.map(Float.init)
    case .uint8(let values): values.map(Float.init)
    case .float16(let values): values.map { HalfPrecision.float($0) }
    case .bfloat16(let values): values.map { HalfPrecision.brainFloat($0) }
    }
  }

  /// The elements as doubles.
  public var doubles: [Double] {
    // A float holds every other element exactly.
    if case .int32(let values) = storage { return values.map(Double.init) }
    return floats.map(Double.init)
  }

  /// The elements as integers.
  /// - Precondition: the data type is `int32`.
  public var integers: [Int32] {
    guard case .int32(let values) = storage else { preconditionFailure("not an int32 tensor") }
    return values
  }

  /// The same elements under another shape of equal element count.
  public func reshaped(_ shape: Shape) -> HostTensor {
    HostTensor(shape, count: self.shape.elementCount, storage)
  }

  /// The elements as another type: the nearest number of it, ties to even. What becomes an integer loses its
  /// fraction, and ends at the type's range; NaN becomes zero.
  public func cast(to dataType: DataType) -> HostTensor {
    if dataType == type.dataType { return self }
    let storage: Storage =
      switch dataType {
      case .float32: .float32(floats)
      case .float16: .float16(floats.map(HalfPrecision.bits))
      case .bfloat16: .bfloat16(floats.map(HalfPrecision.brainBits))
      case .int32: .int32(doubles.map(Int32.init(saturating:)))
      case .uint8: .uint8(doubles.map(UInt8.init(saturating:)))
      }
    return HostTensor(shape, count: shape.elementCount, storage)
  }

  /// Calls `body` with the elements as they lie in memory, row by row.
  ///
  /// - Throws: what `body` throws.
  public func withUnsafeBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    let result =
      switch storage {
      case .float32(let values): Self.result(values, body)
      case .int32(let values): Self.result(values, body)
      case .uint8(let values): Self.result(values, body)
      case .float16(let values), .bfloat16(let values): Self.result(values, body)
      }
    return try result.get()
  }

  private static func result<Element, R, E: Error>(
    _ values: [Element], _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) -> Result<R, E> {
    values.withUnsafeBytes { bytes in Result { () throws(E) -> R in try body(bytes) } }
  }

  /// A tensor of `type` whose bytes `fill` writes.
  public init(_ type: TensorType, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let count = type.elementCount
    let storage: Storage =
      switch type.dataType {
      case .float32: .float32(try Self.filled(count, fill))
      case .int32: .int32(try Self.filled(count, fill))
      case .uint8: .uint8(try Self.filled(count, fill))
      case .float16: .float16(try Self.filled(count, fill))
      case .bfloat16: .bfloat16(try Self.filled(count, fill))
      }
    self.init(type.shape, count: count, storage)
  }

  private static func filled<Element: ExpressibleByIntegerLiteral>(
    _ count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows -> [Element] {
    var values = [Element](repeating: 0, count: count)
    try values.withUnsafeMutableBytes { try fill($0) }
    return values
  }
}

extension FixedWidthInteger {
  /// The whole part of a number, or the nearest there is; 0 for NaN.
  package init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}

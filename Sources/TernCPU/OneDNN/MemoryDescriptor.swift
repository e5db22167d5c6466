import COneDNN
import TernCore

/// oneDNN's description of a tensor: extents, element type and where each element is stored.
struct MemoryDescriptor: @unchecked Sendable {
  private(set) var raw: dnnl_memory_desc_t

  init(_ raw: dnnl_memory_desc_t) { self.raw = raw }

  /// A tensor stored row by row.
  init(dense type: TensorType) throws {
    // oneDNN knows no scalars.
    let shape = type.shape.rank == 0 ? [1] : type.shape
    try self.init(shape, type.dataType, strides: shape.strides)
  }

  /// A tensor whose neighbours along axis i are `strides[i]` elements apart.
  init(_ shape: Shape, _ dataType: DataType = .float32, strides: [Int]) throws {
    raw = dnnl_memory_desc_t()
    try check(
      "dnnl_memory_desc_init_by_strides",
      dnnl_memory_desc_init_by_strides(
        &raw, Int32(shape.rank), shape.map(Int64.init), dataType.oneDNN,
        strides.map(Int64.init)))
  }

  /// A tensor in a format oneDNN has a name for.
  init(_ shape: Shape, _ dataType: DataType = .float32, tag: dnnl_format_tag_t) throws {
    raw = dnnl_memory_desc_t()
    try check(
      "dnnl_memory_desc_init_by_tag",
      dnnl_memory_desc_init_by_tag(
        &raw, Int32(shape.rank), shape.map(Int64.init), dataType.oneDNN, tag))
  }

  /// A tensor in whichever format a primitive likes best.
  static func any(_ shape: Shape, _ dataType: DataType = .float32) throws -> MemoryDescriptor {
    try MemoryDescriptor(shape, dataType, tag: dnnl_format_tag_any)
  }

  /// The same format of elements of another type.
  func with(_ dataType: DataType) -> MemoryDescriptor {
    var copy = self
    copy.raw.data_type = dataType.oneDNN
    return copy
  }

  /// The size of an element, in bytes.
  var elementByteCount: Int {
    DataType.allCases.first { $0.oneDNN == raw.data_type }?.byteCount ?? 0
  }

  /// The memory the tensor takes, padding included.
  var byteCount: Int { withUnsafePointer(to: raw) { dnnl_memory_desc_get_size($0) } }

  var shape: Shape {
    withUnsafeBytes(of: raw.dims) { bytes in
      Shape(bytes.bindMemory(to: Int64.self).prefix(Int(raw.ndims)).map(Int.init))
    }
  }

  /// How the elements are stored: the distance between outer blocks along each axis, and the inner
  /// blocks from outermost to innermost.
  var blocking: (strides: [Int], inner: [(axis: Int, size: Int)]) {
    var strides = [Int64](repeating: 0, count: Int(DNNL_MAX_NDIMS))
    var sizes = strides
    var axes = strides
    let count = withUnsafePointer(to: raw) { tern_dnnl_blocking($0, &strides, &sizes, &axes) }
    precondition(count >= 0, "a format without strides")
    return (
      strides.prefix(Int(raw.ndims)).map(Int.init),
      (0..<Int(count)).map { (Int(axes[$0]), Int(sizes[$0])) }
    )
  }

  /// Where an element is stored, counted in elements.
  func offset(of position: [Int]) -> Int {
    let (strides, inner) = blocking
    var outer = position
    var offset = 0
    var stride = 1
    for (axis, size) in inner.reversed() {
      offset += outer[axis] % size * stride
      outer[axis] /= size
      stride *= size
    }
    return zip(outer, strides).reduce(offset) { $0 + $1.0 * $1.1 }
  }

  /// The format as oneDNN spells it: `abcd` is row by row, an upper-case letter an axis that is also
  /// blocked: `aBcd16b`.
  var formatName: String {
    let (strides, inner) = blocking
    let blocked = Set(inner.map(\.axis))
    func letter(_ axis: Int) -> Character { Character(UnicodeScalar(UInt8(97 + axis))) }
    // Axes of extent 1 may share a stride with their neighbour: keep their order.
    let order = strides.indices.sorted { (strides[$1], $0) < (strides[$0], $1) }
    return order.map { blocked.contains($0) ? letter($0).uppercased() : String(letter($0)) }
      .joined() + inner.map { "\($0.size)\(letter($0.axis))" }.joined()
  }
}

extension MemoryDescriptor: Equatable {
  static func == (a: Self, b: Self) -> Bool {
    withUnsafePointer(to: a.raw) { a in
      withUnsafePointer(to: b.raw) { b in dnnl_memory_desc_equal(a, b) != 0 }
    }
  }
}

extension DataType {
  var oneDNN: dnnl_data_type_t {
    switch self {
    case .float32: dnnl_f32
    case .float16: dnnl_f16
    case .bfloat16: dnnl_bf16
    case .int32: dnnl_s32
    case .uint8: dnnl_u8
    }
  }
}

import TernCore
import TernGraph
import TernRuntime

/// A dense tensor in a reference buffer: its type, and its elements row by row.
///
/// Every element is stored as a `Double`, which holds each type's exactly.
struct View {
  let type: TensorType
  /// The number of elements.
  let count: Int
  private let elements: UnsafeMutablePointer<UInt64>

  /// The tensor that stands `offset` bytes of the plan into a buffer.
  init(_ type: TensorType, in buffer: any DeviceBuffer, offset: Int = 0, layout: Layout) {
    precondition(layout == .dense, "the reference backend has no layout \(layout)")
    guard let buffer = buffer as? ReferenceBuffer else {
      preconditionFailure("a buffer of another device")
    }
    count = type.elementCount
    precondition(offset + count <= buffer.byteCount, "a tensor beyond its buffer")
    self.type = type
    elements = buffer.elements + offset
  }

  var shape: Shape { type.shape }

  subscript(index: Int) -> Double {
    get { Double(bitPattern: elements[index] ^ ReferenceBuffer.poison) }
    nonmutating set { elements[index] = newValue.bitPattern ^ ReferenceBuffer.poison }
  }

  /// An element of an int32 tensor.
  func integer(_ index: Int) -> Int { Int(self[index]) }

  /// An element of an int32 tensor that names one of `count` things.
  ///
  /// - Throws: ``TernError`` where it names none of them.
  func integer(_ index: Int, below count: Int, _ subject: String) throws -> Int {
    let value = integer(index)
    guard value >= 0, value < count else {
      throw TernError(.badData, "\(subject): element \(index) is \(value), outside 0..<\(count)")
    }
    return value
  }

  func fill(_ value: Double) {
    for i in 0..<count { self[i] = value }
  }

  func copy(from other: View) {
    for i in 0..<count { elements[i] = other.elements[i] }
  }

  /// Rounds every element to the nearest of its type; what becomes an integer loses its fraction.
  func round() {
    switch type.dataType {
    case .float32: round { Double(Float($0)) }
    case .float16: round { Double(HalfPrecision.float(HalfPrecision.bits(Float($0)))) }
    case .bfloat16: round { Double(HalfPrecision.brain(Float($0))) }
    case .int32: round { Double(Int32(saturating: $0)) }
    case .uint8: round { Double(UInt8(saturating: $0)) }
    }
  }

  private func round(_ nearest: (Double) -> Double) {
    for i in 0..<count { self[i] = nearest(self[i]) }
  }

  /// The extents before, along and after an axis: the tensor as [outer, extent, inner].
  func split(at axis: Int) -> (outer: Int, extent: Int, inner: Int) {
    (
      shape.elementCount(in: 0..<axis), shape[axis],
      shape.elementCount(in: axis + 1..<shape.rank)
    )
  }
}

extension View {
  /// Takes the elements of a dense tensor of this type in host memory.
  func load(_ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == type.byteCount, "\(bytes.count) bytes for \(type)")
    switch type.dataType {
    case .float32: load(bytes, as: Float.self) { Double($0) }
    case .float16: load(bytes, as: UInt16.self) { Double(HalfPrecision.float($0)) }
    case .bfloat16: load(bytes, as: UInt16.self) { Double(HalfPrecision.brainFloat($0)) }
    case .int32: load(bytes, as: Int32.self) { Double($0) }
    case .uint8: load(bytes, as: UInt8.self) { Double($0) }
    }
  }

  private func load<Element: BitwiseCopyable>(
    _ bytes: UnsafeRawBufferPointer, as _: Element.Type, _ convert: (Element) -> Double
  ) {
    for i in 0..<count {
      self[i] = convert(
        bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<Element>.stride, as: Element.self))
    }
  }

  func hostTensor() -> HostTensor {
    // Poison, which only a tensor never written shows, is no integer.
    type.dataType == .int32
      ? HostTensor(shape, doubles.map { Int32(exactly: $0) ?? .min })
      : HostTensor(shape, doubles.map { Float($0) }).cast(to: type.dataType)
  }

  var doubles: [Double] { (0..<count).map { self[$0] } }
}

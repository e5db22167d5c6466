import Foundation
import TernCore
import TernData

/// A tensor of an ONNX file: its values stay in the file until they are asked for.
package struct ONNXTensor: Sendable {
  /// Where the values are.
  enum Payload: Sendable {
    case raw(WireSlice)
    case words([UInt64])
    case floats([Float])
    case doubles([Double])
    case none
  }

  package let name: String
  package let type: ElementType
  package let shape: [Int]
  let payload: Payload

  package var elementCount: Int { shape.reduce(1, *) }

  init(name: String, type: ElementType, shape: [Int], payload: Payload) throws {
    (self.name, self.type, self.shape, self.payload) = (name, type, shape, payload)
    // Before any memory is taken on the file's word.
    guard let count = Shape.elementCount(ofExtents: shape, limit: 1 << 44) else {
      throw WireFault(description: "tensor '\(name)' has the shape \(shape)")
    }
    guard let size = type.byteCount else { return }
    let held: Int =
      switch payload {
      case .raw(let slice) where slice.byteCount == count * size: count
      case .raw(let slice):
        throw WireFault(
          description: "tensor '\(name)' has \(slice.byteCount) bytes where \(count * size) belong")
      case .words(let values): values.count
      case .floats(let values): values.count
      case .doubles(let values): values.count
      case .none: 0
      }
    guard held == count else {
      throw WireFault(description: "tensor '\(name)' has \(held) elements where \(count) belong")
    }
  }

  /// The values, for arithmetic on the host.
  package func array() throws -> HostArray {
    guard type.byteCount != nil else {
      throw ONNXFault.unsupported("elements of type \(type.name) are not read")
    }
    if type.isReal {
      let values: [Double] =
        if case .doubles(let values) = payload { values } else {
          type == .double ? try doubles() : try floats().map(Double.init)
        }
      return HostArray(type, shape, real: values)
    }
    return HostArray(type, shape, integers: try integers())
  }

  /// The values as a device holds them.
  package func hostTensor() throws -> HostTensor {
    guard type == .float, case .raw(let slice) = payload else {
      return try array().tensor(name)
    }
    return HostTensor(TensorType(Shape(shape))) { target in
      slice.withUnsafeBytes { target.copyMemory(from: $0) }
    }
  }

  private func doubles() throws -> [Double] {
    if case .raw(let slice) = payload {
      return try slice.words(UInt64.self).map(Double.init(bitPattern:))
    }
    if case .floats(let values) = payload { return values.map(Double.init) }
    return []
  }

  private func floats() throws -> [Float] {
    switch (payload, type) {
    case (.floats(let values), _): return values
    case (.doubles(let values), _): return values.map { Float($0) }
    case (.words(let words), .float16):
      return words.map { HalfPrecision.float(UInt16(truncatingIfNeeded: $0)) }
    case (.words(let words), .bfloat16):
      return words.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0) << 16) }
    case (.raw(let slice), .float16):
      return try slice.words(UInt16.self).map { HalfPrecision.float($0) }
    case (.raw(let slice), .bfloat16):
      return try slice.words(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
    case (.raw(let slice), _): return try slice.words(UInt32.self).map(Float.init(bitPattern:))
    default:
      guard elementCount == 0 else {
        throw WireFault(description: "tensor '\(name)' holds no values of type \(type.name)")
      }
      return []
    }
  }

  private func integers() throws -> [Int64] {
    switch payload {
    case .words(let words): return words.map { type.wrapped(Int64(bitPattern: $0)) }
    case .none: return []
    case .floats, .doubles:
      throw WireFault(description: "tensor '\(name)' holds no values of type \(type.name)")
    case .raw(let slice):
      switch type {
      case .uint8, .bool: return try slice.words(UInt8.self).map(Int64.init)
      case .int8: return try slice.words(Int8.self).map(Int64.init)
      case .uint16: return try slice.words(UInt16.self).map(Int64.init)
      case .int16: return try slice.words(Int16.self).map(Int64.init)
      case .int32: return try slice.words(Int32.self).map(Int64.init)
      case .uint32: return try slice.words(UInt32.self).map(Int64.init)
      default: return try slice.words(Int64.self)
      }
    }
  }
}

/// What is wrong with a network, or not known here.
package enum ONNXFault: Error, CustomStringConvertible {
  /// Something that a network may well do, and Tern does not.
  case unsupported(String)
  /// Something that no network may do.
  case invalid(String)
  /// A value that has to be known when the network is read, and is computed.
  case notConstant(String)

  package var description: String {
    switch self {
    case .unsupported(let text), .invalid(let text): text
    case .notConstant(let input):
      "\(input) has to be known when the network is read, and is computed by it"
    }
  }
}

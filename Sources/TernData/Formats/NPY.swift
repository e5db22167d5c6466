import Foundation
import TernCore

/// An array as NumPy writes it: numbers of either byte order, in C's or Fortran's order of axes.
///
/// Source: "A simple file format for NumPy arrays", NumPy Enhancement Proposal 1.
struct NPYArray {
  let shape: [Int]
  /// Such as `u1` or `f4`: kind and bytes per element.
  let type: String
  private let isBigEndian: Bool
  /// How far apart, in elements, neighbours along each axis are.
  private let strides: [Int]
  private let data: Data
  private let name: String

  static let types = ["u1", "i1", "b1", "u2", "i2", "u4", "i4", "i8", "u8", "f2", "f4", "f8"]
  private static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
  private static let headerLimit = 1 << 16

  /// - Parameter name: what an error calls it.
  init(_ data: Data, name: String) throws {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(name): \(text)") }
    let head = [UInt8](data.prefix(12))
    guard head.starts(with: Self.magic), head.count == 12 else { throw fault("not an NPY file") }
    guard (1...3).contains(head[6]) else { throw fault("NPY version \(head[6])") }
    let isOld = head[6] == 1
    let length =
      Int(head[8]) | Int(head[9]) << 8 | (isOld ? 0 : Int(head[10]) << 16 | Int(head[11]) << 24)
    let start = isOld ? 10 : 12
    guard length <= Self.headerLimit, start + length <= data.count else {
      throw fault("truncated in its header")
    }
    let header: NPYHeader
    do {
      header = try NPYHeader(
        String(decoding: data.dropFirst(start).prefix(length), as: UTF8.self))
    } catch let error as NPYHeader.Fault { throw fault(error.text) }
    guard let type = header.type.wholeMatch(of: /([<>|=]?)([A-Za-z][0-9]*)/) else {
      throw fault("elements of type \(header.type.prefix(40)), which is none of NumPy's")
    }
    guard Self.types.contains(String(type.2)) else {
      throw fault(
        "elements of type \(type.1)\(type.2) (\(Self.meaning(type.2))); known are "
          + Self.types.joined(separator: ", "))
    }
    let size = Int(type.2.dropFirst())!
    guard let count = Shape.elementCount(ofExtents: header.shape, size: size), count > 0 else {
      throw fault("a shape of \(header.shape)")
    }
    guard data.count - start - length == count else {
      throw fault(
        "\(data.count - start - length) bytes of elements where its shape \(header.shape) needs "
          + "\(count)")
    }
    shape = header.shape
    self.type = String(type.2)
    isBigEndian = type.1 == ">"
    var strides = [Int](repeating: 1, count: shape.count)
    if header.isFortranOrder {
      for axis in shape.indices.dropFirst() { strides[axis] = strides[axis - 1] * shape[axis - 1] }
    } else {
      for axis in shape.indices.dropLast().reversed() {
        strides[axis] = strides[axis + 1] * shape[axis + 1]
      }
    }
    self.strides = strides
    self.name = name
    self.data = data.dropFirst(start + length)
  }

  /// Elements that are at hand in this machine's order, the last axis fastest.
  ///
  /// - Precondition: `data` holds as many of `type`.
  init(_ data: Data, shape: [Int], type: String, name: String) {
    (self.data, self.shape, self.type, self.name) = (data, shape, type, name)
    isBigEndian = UInt16(bigEndian: 1) == 1
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    self.strides = strides
  }

  /// What a type's letter says, for those that are no numbers.
  private static func meaning(_ type: Substring) -> String {
    switch type.first {
    case "U", "S", "a": "text"
    case "O": "Python's objects"
    case "c": "complex numbers"
    case "M", "m": "times"
    default: "not a number"
    }
  }

  var elementCount: Int { shape.reduce(1, *) }
  var isFloating: Bool { type.hasPrefix("f") }

  /// The bytes of an array of type `u1`.
  ///
  /// - Parameter axes: the axes in the order that they are to be in, the last runs fastest.
  func bytes(axes: [Int]? = nil) -> [UInt8] {
    elements(axes, UInt8.self) { $0 }
  }

  /// All elements as numbers, divided by `divisor`.
  func floats(axes: [Int]? = nil, divisor: Float = 1) -> [Float] {
    switch type {
    case "f2": elements(axes, UInt16.self) { Float(Float16(bitPattern: $0)) / divisor }
    case "f4": elements(axes, UInt32.self) { Float(bitPattern: $0) / divisor }
    case "f8": elements(axes, UInt64.self) { Float(Double(bitPattern: $0)) / divisor }
    case "u1", "b1": elements(axes, UInt8.self) { Float($0) / divisor }
    case "i1": elements(axes, Int8.self) { Float($0) / divisor }
    case "u2": elements(axes, UInt16.self) { Float($0) / divisor }
    case "i2": elements(axes, Int16.self) { Float($0) / divisor }
    case "u4": elements(axes, UInt32.self) { Float($0) / divisor }
    case "i4": elements(axes, Int32.self) { Float($0) / divisor }
    case "u8": elements(axes, UInt64.self) { Float($0) / divisor }
    default: elements(axes, Int64.self) { Float($0) / divisor }
    }
  }

  /// All elements as whole numbers, each changed by `convert`.
  ///
  /// - Throws: ``TernError`` where they are not integers.
  func integers<T>(_ convert: (Int) -> T) throws -> [T] {
    switch type {
    case "u1", "b1": elements(nil, UInt8.self) { convert(Int($0)) }
    case "i1": elements(nil, Int8.self) { convert(Int($0)) }
    case "u2": elements(nil, UInt16.self) { convert(Int($0)) }
    case "i2": elements(nil, Int16.self) { convert(Int($0)) }
    case "u4": elements(nil, UInt32.self) { convert(Int($0)) }
    case "i4": elements(nil, Int32.self) { convert(Int($0)) }
    case "u8": elements(nil, UInt64.self) { convert(Int(clamping: $0)) }
    case "i8": elements(nil, Int64.self) { convert(Int($0)) }
    default:
      throw TernError(.badData, "\(name): labels of type \(type) where integers belong")
    }
  }

  /// The elements in the order of `axes`, each read once and converted where it goes.
  private func elements<E: FixedWidthInteger, T>(
    _ axes: [Int]?, _: E.Type, _ convert: (E) -> T
  ) -> [T] {
    let axes = axes ?? Array(shape.indices)
    let extents = axes.map { shape[$0] }
    let steps = axes.map { strides[$0] }
    let total = elementCount
    return data.withUnsafeBytes { bytes in
      func load(_ place: Int) -> E {
        let value = bytes.loadUnaligned(
          fromByteOffset: place * MemoryLayout<E>.size, as: E.self)
        return isBigEndian ? E(bigEndian: value) : E(littleEndian: value)
      }
      return [T](unsafeUninitializedCapacity: total) { target, count in
        count = total
        guard let width = extents.last, let step = steps.last else {
          target.initializeElement(at: 0, to: convert(load(0)))
          return
        }
        // Row by row; a row is one run along the last axis.
        var position = [Int](repeating: 0, count: extents.count)
        var source = 0
        for start in Swift.stride(from: 0, to: total, by: width) {
          for i in 0..<width {
            target.initializeElement(at: start + i, to: convert(load(source + i * step)))
          }
          for axis in extents.indices.dropLast().reversed() {
            position[axis] += 1
            source += steps[axis]
            if position[axis] < extents[axis] { break }
            source -= steps[axis] * extents[axis]
            position[axis] = 0
          }
        }
      }
    }
  }
}

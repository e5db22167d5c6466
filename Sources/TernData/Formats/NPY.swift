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
  /// Whether the first axis runs fastest, not the last.
  private let isFortranOrder: Bool
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
    let header = String(
      decoding: data.dropFirst(start).prefix(length), as: UTF8.self)
    guard let type = Self.value("descr", in: header)?.firstMatch(of: /^'([<>|=]?)([A-Za-z][0-9]*)'/)
    else { throw fault("the header names no simple type: \(Self.excerpt(header))") }
    guard Self.types.contains(String(type.2)) else {
      throw fault(
        "elements of type \(type.1)\(type.2) (\(Self.meaning(type.2))); known are "
          + Self.types.joined(separator: ", "))
    }
    guard let order = Self.value("fortran_order", in: header)?.firstMatch(of: /^(True|False)/)
    else { throw fault("the header does not say the order of axes: \(Self.excerpt(header))") }
    guard let axes = Self.value("shape", in: header)?.firstMatch(of: /^\(([0-9, ]*)\)/) else {
      throw fault("the header has no shape: \(Self.excerpt(header))")
    }
    let texts = axes.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let extents = texts.filter { !$0.isEmpty }.compactMap { Int($0) }
    var count = Int(type.2.dropFirst())!
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, extent > 0 else { throw fault("a shape of \(extents)") }
      count = product
    }
    guard data.count - start - length == count else {
      throw fault(
        "\(data.count - start - length) bytes of elements where its shape \(extents) needs \(count)"
      )
    }
    shape = extents
    self.type = String(type.2)
    isBigEndian = type.1 == ">"
    isFortranOrder = order.1 == "True" && extents.count > 1
    self.name = name
    self.data = data.dropFirst(start + length)
  }

  private static func value(_ key: String, in header: String) -> Substring? {
    guard let range = header.firstRange(of: "'\(key)':") else { return nil }
    return header[range.upperBound...].drop { $0 == " " }
  }

  private static func excerpt(_ header: String) -> String {
    String(header.prefix(80).filter { !$0.isNewline })
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

  /// The bytes of an array of type `u1`.
  var bytes: [UInt8] { inOrder([UInt8](data)) }

  /// All elements as numbers.
  var floats: [Float] {
    elements {
      Float($0)
    } integer: {
      Float($0)
    }
  }

  /// All elements as whole numbers.
  ///
  /// - Throws: ``TernError`` where they are not integers.
  func integers() throws -> [Int] {
    guard !type.hasPrefix("f") else {
      throw TernError(.badData, "\(name): labels of type \(type) where integers belong")
    }
    return elements {
      Int($0)
    } integer: {
      $0
    }
  }

  private func elements<T>(_ number: (Double) -> T, integer: (Int) -> T) -> [T] {
    let elements = data.withUnsafeBytes { bytes in
      func load<E: FixedWidthInteger, U>(_: E.Type, _ convert: (E) -> U) -> [U] {
        (0..<bytes.count / MemoryLayout<E>.size).map {
          let value = bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<E>.size, as: E.self)
          return convert(isBigEndian ? E(bigEndian: value) : E(littleEndian: value))
        }
      }
      func integers<E: FixedWidthInteger>(_ type: E.Type) -> [T] {
        load(type) { integer(Int(clamping: $0)) }
      }
      switch type {
      case "u1", "b1": return integers(UInt8.self)
      case "i1": return integers(Int8.self)
      case "u2": return integers(UInt16.self)
      case "i2": return integers(Int16.self)
      case "u4": return integers(UInt32.self)
      case "i4": return integers(Int32.self)
      case "u8": return integers(UInt64.self)
      case "i8": return integers(Int64.self)
      case "f2": return load(UInt16.self) { number(Double(Float16(bitPattern: $0))) }
      case "f4": return load(UInt32.self) { number(Double(Float(bitPattern: $0))) }
      default: return load(UInt64.self) { number(Double(bitPattern: $0)) }
      }
    }
    return inOrder(elements)
  }

  /// Elements as they are in the file, with the last axis made the one that runs fastest.
  private func inOrder<T>(_ values: [T]) -> [T] {
    guard isFortranOrder else { return values }
    var strides = [1]
    for extent in shape.dropLast() { strides.append(strides.last! * extent) }
    return Array(unsafeUninitializedCapacity: values.count) { target, count in
      var place = [Int](repeating: 0, count: shape.count)
      var source = 0
      for i in values.indices {
        target.initializeElement(at: i, to: values[source])
        for axis in shape.indices.reversed() {
          place[axis] += 1
          source += strides[axis]
          if place[axis] < shape[axis] { break }
          source -= strides[axis] * shape[axis]
          place[axis] = 0
        }
      }
      count = values.count
    }
  }
}

import Foundation
import TernCore

/// An array as NumPy writes it.
///
/// Source: "A simple file format for NumPy arrays", NumPy Enhancement Proposal 1.
struct NPYArray {
  let shape: [Int]
  /// Such as `u1` or `f4`: kind and bytes per element.
  let type: String
  private let data: Data
  private let name: String

  static let types = ["u1", "i1", "b1", "u2", "i2", "u4", "i4", "i8", "u8", "f4", "f8"]
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
    guard let type = Self.value("descr", in: header)?.firstMatch(of: /^'([<>|=]?)([a-z][0-9]+)'/)
    else { throw fault("the header names no simple type: \(Self.excerpt(header))") }
    guard Self.types.contains(String(type.2)), type.1 != ">" || type.2.hasSuffix("1") else {
      throw fault(
        "elements of type \(type.1)\(type.2); known are \(Self.types.joined(separator: ", ")), "
          + "little-endian")
    }
    guard Self.value("fortran_order", in: header)?.hasPrefix("False") == true else {
      throw fault("in Fortran order; save numpy.ascontiguousarray of it")
    }
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

  /// The bytes of an array of type `u1`.
  var bytes: [UInt8] { [UInt8](data) }

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
    data.withUnsafeBytes { bytes in
      func load<E: FixedWidthInteger>(_: E.Type) -> [T] {
        (0..<bytes.count / MemoryLayout<E>.size).map {
          let value = bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<E>.size, as: E.self)
          return integer(Int(clamping: E(littleEndian: value)))
        }
      }
      switch type {
      case "u1", "b1": return load(UInt8.self)
      case "i1": return load(Int8.self)
      case "u2": return load(UInt16.self)
      case "i2": return load(Int16.self)
      case "u4": return load(UInt32.self)
      case "i4": return load(Int32.self)
      case "u8": return load(UInt64.self)
      case "i8": return load(Int64.self)
      case "f4":
        return (0..<bytes.count / 4).map {
          number(Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)))
        }
      default:
        return (0..<bytes.count / 8).map {
          number(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self))
        }
      }
    }
  }
}

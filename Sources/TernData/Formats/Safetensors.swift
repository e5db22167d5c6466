import Foundation
import TernCore

/// A file of named tensors: an 8-byte header length, a JSON header, and the tensors' bytes.
///
/// A file is bounded before it is believed: header length, element counts, overlaps, gaps and
/// trailing bytes are checked, and a fault is one line that names the file.
///
/// Source: the safetensors format, version 0.x, as its documentation states it.
public struct Safetensors: Sendable {
  public var tensors: [String: HostTensor]
  public var metadata: [String: String]

  public init(tensors: [String: HostTensor] = [:], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }
}

// MARK: - Reading

extension Safetensors {
  private static let maximumHeaderByteCount = 100 << 20

  /// Reads a file.
  ///
  /// Elements of types F64, F16 and BF16 become float32, I64 become int32 if they fit.
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  public init(contentsOf path: String) throws {
    let data = try OpenFile(path).mapped()
    do { try self.init(data) } catch let fault as Fault {
      throw TernError(.badData, "\(path): \(fault.text)")
    }
  }

  private struct Fault: Error { let text: String }

  private struct Entry {
    let name: String
    let type: String
    let shape: Shape
    let range: Range<Int>
  }

  private init(_ data: Data) throws {
    guard data.count >= 8 else { throw Fault(text: "truncated: no header") }
    let length = data.prefix(8).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << UInt64(8 * $1.offset)
    }
    guard length <= UInt64(Self.maximumHeaderByteCount), length + 8 <= UInt64(data.count) else {
      throw Fault(text: "truncated or not a safetensors file (header of \(length) bytes)")
    }
    let start = data.startIndex + 8
    let body = start + Int(length)
    guard
      let object = try? JSONSerialization.jsonObject(with: data[start..<body]),
      let header = object as? [String: Any]
    else { throw Fault(text: "the header is not a JSON object") }

    metadata = [:]
    var entries: [Entry] = []
    for (name, value) in header {
      if name == "__metadata__" {
        guard let map = value as? [String: String] else {
          throw Fault(text: "the metadata is not a map of strings")
        }
        metadata = map
      } else {
        entries.append(try Self.entry(name, value, available: data.endIndex - body))
      }
    }
    var position = 0
    for entry in entries.sorted(by: {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }) {
      guard entry.range.lowerBound == position else {
        throw Fault(text: "the bytes of \(entry.name) overlap others or leave a gap")
      }
      position = entry.range.upperBound
    }
    guard body + position == data.endIndex else {
      throw Fault(text: "\(data.endIndex - body - position) bytes too many")
    }
    tensors = [:]
    for entry in entries {
      let bytes = data[(body + entry.range.lowerBound)..<(body + entry.range.upperBound)]
      tensors[entry.name] = try bytes.withUnsafeBytes { try Self.decode(entry, $0) }
    }
  }

  private static let byteCounts = ["F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2]

  private static func entry(_ name: String, _ value: Any, available: Int) throws -> Entry {
    guard let map = value as? [String: Any], let type = map["dtype"] as? String,
      let extents = map["shape"] as? [Int], let offsets = map["data_offsets"] as? [Int],
      offsets.count == 2
    else { throw Fault(text: "the header of \(name) is malformed") }
    guard let size = byteCounts[type] else {
      throw Fault(text: "\(name) has the unsupported type \(type)")
    }
    var count = size
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { throw Fault(text: "\(name) has the shape \(extents)") }
      count = product
    }
    guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= available else {
      throw Fault(text: "truncated: \(name) ends at byte \(offsets[1]) of \(available)")
    }
    guard offsets[1] - offsets[0] == count else {
      throw Fault(text: "\(name) has \(offsets[1] - offsets[0]) bytes where \(count) belong")
    }
    return Entry(name: name, type: type, shape: Shape(extents), range: offsets[0]..<offsets[1])
  }

  private static func decode(_ entry: Entry, _ bytes: UnsafeRawBufferPointer) throws -> HostTensor {
    func words<T: FixedWidthInteger>(_: T.Type) -> [T] {
      (0..<bytes.count / MemoryLayout<T>.size).map {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))
      }
    }
    switch entry.type {
    case "F32":
      return HostTensor(TensorType(entry.shape)) { $0.copyMemory(from: bytes) }
    case "I32":
      return HostTensor(TensorType(entry.shape, .int32)) { $0.copyMemory(from: bytes) }
    case "F64":
      return HostTensor(entry.shape, words(UInt64.self).map { Float(Double(bitPattern: $0)) })
    case "BF16":
      return HostTensor(entry.shape, words(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
    case "F16":
      return HostTensor(entry.shape, words(UInt16.self).map(Self.float(half:)))
    default:
      return HostTensor(
        entry.shape,
        try words(Int64.self).map {
          guard let value = Int32(exactly: $0) else {
            throw Fault(text: "\(entry.name) holds \($0), which does not fit 32 bits")
          }
          return value
        })
    }
  }

  /// IEEE 754 binary16 widened. (`Float16` is not available on every platform.)
  private static func float(half bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 0x1F)
    let fraction = Float(bits & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction * 0x1p-10)
        * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }
}

// MARK: - Writing

extension Safetensors {
  /// The file's bytes: tensors in the order of their names, so equal content gives equal bytes.
  public func encoded() throws -> Data {
    var header: [String: Any] = [:]
    if !metadata.isEmpty { header["__metadata__"] = metadata }
    var position = 0
    let names = tensors.keys.sorted()
    for name in names {
      let type = tensors[name]!.type
      header[name] = [
        "dtype": type.dataType == .float32 ? "F32" : "I32", "shape": type.shape.dimensions,
        "data_offsets": [position, position + type.byteCount],
      ]
      position += type.byteCount
    }
    var json = try JSONSerialization.data(
      withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
    // The tensors start at a multiple of 8 bytes.
    json.append(Data(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    var data = Data(capacity: 8 + json.count + position)
    withUnsafeBytes(of: UInt64(json.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(json)
    for name in names { tensors[name]!.withUnsafeBytes { data.append(contentsOf: $0) } }
    return data
  }
}

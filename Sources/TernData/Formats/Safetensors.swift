import Foundation
import TernCore

/// A file of named tensors: an 8-byte header length, a JSON header, and the tensors' bytes.
///
/// A file is bounded before it is believed: header length, element counts, overlaps, gaps and
/// trailing bytes are checked, and a fault is one line that names the file.
///
/// Source: the safetensors format, version 0.x, as its documentation states it.
public struct Safetensors: Sendable {
  /// The tensors by name.
  public var tensors: [String: HostTensor]
  /// Texts by name.
  public var metadata: [String: String]
  /// What of a file was not read, by its name, and why: tensors of types that no network here has, or
  /// of numbers that do not fit. Somebody may not need them.
  package var unread: [String: String] = [:]

  /// A file of these tensors and texts.
  public init(tensors: [String: HostTensor] = [:], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }
}

// MARK: - Reading

extension Safetensors {
  /// Of a million tensors the header is no longer, and has no more values.
  private static let maximumHeaderByteCount = 64 << 20
  private static let maximumHeaderValueCount = 1 << 22

  /// Reads a file.
  ///
  /// Elements of types F64, F16 and BF16 become float32, I64 become int32 if they fit. A tensor that
  /// cannot become either is not read, see ``unread``.
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
    metadata = [:]
    var entries: [Entry] = []
    for member in try Self.header(data[start..<body]) {
      if member.name == "__metadata__" {
        guard case .object(let members) = member.value else {
          throw Fault(text: "the metadata is not a map of strings")
        }
        for member in members {
          guard let text = member.value.stringValue else {
            throw Fault(text: "the metadata is not a map of strings")
          }
          metadata[member.name] = text
        }
      } else {
        entries.append(try Self.entry(member.name, member.value, data.endIndex - body))
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
      do {
        tensors[entry.name] = try bytes.withUnsafeBytes { try Self.decode(entry, $0) }
      } catch let fault as Unread { unread[entry.name] = fault.reason }
    }
  }

  private static func header(_ bytes: Data) throws -> [JSON.Member] {
    let header: JSON
    do {
      header = try bytes.withUnsafeBytes {
        try JSON(parsing: $0, limit: maximumHeaderValueCount)
      }
    } catch { throw Fault(text: "the header is not JSON: \(error)") }
    guard case .object(let members) = header else {
      throw Fault(text: "the header is not a JSON object")
    }
    return members
  }

  /// The tensor, or one line of the reason why it was not read.
  ///
  /// - Throws: ``TernError`` of kind `badData` where the file has no such tensor, or it was not read.
  package func tensor(_ name: String, in path: String) throws -> HostTensor {
    if let tensor = tensors[name] { return tensor }
    if let reason = unread[name] { throw TernError(.badData, "\(path): \(name) \(reason)") }
    throw TernError(.badData, "\(path): holds no tensor \(name)")
  }

  /// The same with names that start after `prefix`; what does not start with it is left out.
  package func withoutPrefix(_ prefix: String) -> Safetensors {
    func renamed<Value>(_ values: [String: Value]) -> [String: Value] {
      Dictionary(
        uniqueKeysWithValues: values.filter { $0.key.hasPrefix(prefix) }.map {
          (String($0.key.dropFirst(prefix.count)), $0.value)
        })
    }
    var result = Safetensors(tensors: renamed(tensors), metadata: metadata)
    result.unread = renamed(unread)
    return result
  }

  /// What is to be said of tensors that were not read; `nil` where there are none.
  package var unreadNote: String? {
    guard !unread.isEmpty else { return nil }
    let shown = unread.sorted { $0.key < $1.key }.prefix(4).map { "\($0.key) \($0.value)" }
    return "left out: \(unread.count) tensor\(unread.count == 1 ? "" : "s"): "
      + shown.joined(separator: ", ") + (unread.count > 4 ? ", …" : "")
  }

  /// The types of the format, and the bytes of an element.
  private static let byteCounts = [
    "F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "U64": 8, "U32": 4, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "C64": 8,
  ]

  /// Why a tensor is not read.
  private struct Unread: Error { let reason: String }

  private static func entry(_ name: String, _ value: JSON, _ available: Int) throws -> Entry {
    func integers(_ key: String) -> [Int]? {
      guard case .array(let values)? = value[key] else { return nil }
      let integers = values.compactMap(\.intValue)
      return integers.count == values.count ? integers : nil
    }
    guard let type = value["dtype"]?.stringValue, let extents = integers("shape"),
      let offsets = integers("data_offsets"), offsets.count == 2
    else { throw Fault(text: "the header of \(name) is malformed") }
    guard let count = Shape.elementCount(ofExtents: extents, size: byteCounts[type] ?? 1) else {
      throw Fault(text: "\(name) has the shape \(extents)")
    }
    guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= available else {
      throw Fault(text: "truncated: \(name) ends at byte \(offsets[1]) of \(available)")
    }
    guard offsets[1] - offsets[0] == count || byteCounts[type] == nil else {
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
      return HostTensor(entry.shape, words(UInt16.self).map(HalfPrecision.float))
    case "I64":
      return HostTensor(
        entry.shape,
        try words(Int64.self).map {
          guard let value = Int32(exactly: $0) else {
            throw Unread(reason: "holds \($0), which does not fit 32 bits")
          }
          return value
        })
    default:
      throw Unread(reason: "has the unsupported type \(entry.type)")
    }
  }
}

// MARK: - Writing

extension Safetensors {
  /// How the format spells a type.
  private static func code(_ type: DataType) -> String {
    switch type {
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .int32: "I32"
    case .uint8: "U8"
    }
  }

  /// The file's bytes: tensors in the order of their names, so equal content gives equal bytes.
  public func encoded() throws -> Data {
    var header: [String: Any] = [:]
    if !metadata.isEmpty { header["__metadata__"] = metadata }
    var position = 0
    let names = tensors.keys.sorted()
    for name in names {
      let type = tensors[name]!.type
      header[name] = [
        "dtype": Self.code(type.dataType), "shape": type.shape.dimensions,
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

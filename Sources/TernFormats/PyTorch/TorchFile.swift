import Foundation
import TernCore
import TernData

/// The weights of a file of PyTorch's: a zip archive (since 1.6) or the form before it.
///
/// Nothing is executed. Sizes are held against the bytes there are before memory is taken.
package enum TorchFile {
  /// Whether a file is one of PyTorch's, by its first bytes.
  package static func isTorch(_ path: String) -> Bool {
    guard let head = FileSystem.contents(of: path, upToCount: 4096) else { return false }
    if head.starts(with: [0x80]) && (2...5).contains(head.dropFirst().first ?? 0) { return true }
    if head.starts(with: Array(legacyMark.utf8)) { return true }
    return head.starts(with: [0x50, 0x4B, 3, 4]) && head.range(of: Data("data.pkl".utf8)) != nil
  }

  /// How the older form begins in protocols 0 and 1: its mark, in digits.
  private static let legacyMark = "L119547037146038801333356L"

  /// Whether a file is a program of TorchScript's.
  package static func isScript(_ path: String) -> Bool {
    guard let archive = try? ZipArchive(contentsOf: path) else { return false }
    return archive.members.contains { $0.name.hasSuffix("/constants.pkl") }
  }

  /// Weights, and where they lay in the file, if that is worth a word.
  package typealias Contents = (file: Safetensors, place: String?)

  /// Reads a state dict, alone or under `state_dict`, `model`, `model_state_dict` or another name.
  ///
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package static func weights(contentsOf path: String) throws -> Contents {
    do {
      let data = try InputFile.contents(of: path)
      if data.starts(with: [0x50, 0x4B]) { return try zipped(path) }
      return try legacy(data)
    } catch let fault as PickleFault { throw TernError(.badData, "\(path): \(fault)") }
  }

  // MARK: The two forms

  private static func zipped(_ path: String) throws -> Contents {
    let archive = try ZipArchive(contentsOf: path)
    var members: [String: ZipArchive.Member] = [:]
    for member in archive.members {
      // The folder around all members is called as the file was.
      let name = member.name.split(separator: "/", maxSplits: 1).last.map(String.init) ?? ""
      members[name] = member
    }
    guard let pickle = members["data.pkl"] else {
      throw PickleFault(description: "holds no data.pkl")
    }
    guard pickle.size <= largestPickle else {
      throw PickleFault(description: "data.pkl has \(pickle.size) bytes")
    }
    if let order = members["byteorder"], order.size <= 16,
      try archive.contents(of: order) != Data("little".utf8)
    {
      throw PickleFault(description: "its numbers are not in the order of bytes 'little'")
    }
    let bytes = try archive.contents(of: pickle)
    let (reader, root) = try bytes.withUnsafeBytes { bytes in
      var reader = PickleReader(bytes)
      let root = try reader.value()
      return (reader.contents, root)
    }
    var storages: [String: Data] = [:]
    return try tensors(reader, root) { storage in
      if let known = storages[storage.key] { return known }
      guard let member = members["data/\(storage.key)"] else {
        throw PickleFault(description: "holds no data/\(storage.key)")
      }
      let data = try archive.contents(of: member)
      storages[storage.key] = data
      return data
    }
  }

  private static let largestPickle = 1 << 28

  /// The mark, the version, a description of the machine, the value, the keys of the storages, and then for
  /// each of these the number of its elements and the elements.
  private static func legacy(_ data: Data) throws -> Contents {
    let (reader, root, storages) = try data.withUnsafeBytes { bytes in
      var reader = PickleReader(bytes)
      guard case .opaque = try reader.value() else {
        throw PickleFault(description: "a pickle, and none of PyTorch's")
      }
      guard case .int(1001) = try reader.value() else {
        throw PickleFault(description: "a pickle, and none of PyTorch's")
      }
      _ = try reader.value()
      let root = try reader.value()
      guard case .list(let keys) = try reader.value() else {
        throw PickleFault(description: "lists no storages")
      }
      let contents = reader.contents
      var sizes: [String: Int] = [:]
      for case .tensor(let tensor) in contents.allValues {
        sizes[tensor.storage.key] = PickledGlobals.storages[tensor.storage.kind]
      }
      var (position, ranges) = (reader.position, [String: Range<Int>]())
      for case .string(let key) in contents.lists[keys] {
        guard position + 8 <= bytes.count else { throw PickleFault(description: "truncated") }
        let count = bytes.loadUnaligned(fromByteOffset: position, as: Int64.self)
        position += 8
        guard let size = sizes[key] else {
          throw PickleFault(description: "storage \(key) belongs to no tensor")
        }
        guard count >= 0, count <= Int64((bytes.count - position) / size) else {
          throw PickleFault(description: "truncated")
        }
        ranges[key] = position..<position + Int(count) * size
        position += Int(count) * size
      }
      return (contents, root, ranges)
    }
    return try tensors(reader, root) { storage in
      guard let range = storages[storage.key] else {
        throw PickleFault(description: "holds no storage \(storage.key)")
      }
      return data[range]
    }
  }

  // MARK: The state dict

  private static func tensors(
    _ contents: PickleContents, _ root: PickleValue, _ data: (PickledStorage) throws -> Data
  ) throws -> Contents {
    guard case .dictionary(let outer) = root, let (found, place) = contents.weights(in: outer)
    else { throw PickleFault(description: "holds no dictionary of tensors") }
    var file = Safetensors()
    var byteCount = 0
    for (name, tensor) in found {
      let count = try elementCount(tensor, name)
      byteCount += count * 4
      guard byteCount <= 1 << 38 else {
        throw PickleFault(description: "more than 2^38 bytes of tensors")
      }
      let bytes = try data(tensor.storage)
      guard let size = PickledGlobals.storages[tensor.storage.kind],
        bytes.count / size >= tensor.storage.count
      else {
        throw PickleFault(
          description:
            "\(name) needs \(tensor.storage.count) numbers of storage \(tensor.storage.key), "
            + "which has \(bytes.count) bytes")
      }
      switch bytes.withUnsafeBytes({ decode(tensor, count, $0) }) {
      case .success(let value): file.tensors[name] = value
      case .failure(let reason): file.unread[name] = reason.description
      }
    }
    return (file, place)
  }

  /// The elements of a view, which has to lie within its storage.
  private static func elementCount(_ tensor: PickledTensor, _ name: String) throws -> Int {
    func fault() -> PickleFault {
      PickleFault(
        description: "\(name) has the shape \(tensor.shape) and the strides \(tensor.strides) in "
          + "\(tensor.storage.count) numbers")
    }
    guard tensor.shape.count == tensor.strides.count, tensor.shape.count <= 64, tensor.offset >= 0
    else {
      throw fault()
    }
    var (count, last) = (1, tensor.offset)
    for (extent, stride) in zip(tensor.shape, tensor.strides) {
      guard extent >= 0, stride >= 0 else { throw fault() }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      let (reach, tooFar) = max(extent - 1, 0).multipliedReportingOverflow(by: stride)
      let (end, beyond) = last.addingReportingOverflow(reach)
      guard !overflow, !tooFar, !beyond else { throw fault() }
      (count, last) = (product, end)
    }
    // A repeated axis has stride 0: the elements may be more than the numbers, but not without end.
    guard count == 0 || (last < tensor.storage.count && count <= max(tensor.storage.count, 1 << 24))
    else {
      throw fault()
    }
    return count
  }

  private static func decode(
    _ tensor: PickledTensor, _ count: Int, _ bytes: UnsafeRawBufferPointer
  ) -> Result<HostTensor, PickleFault> {
    let shape = Shape(tensor.shape)
    if let type = tensor.otherType {
      return .failure(PickleFault(description: "has the unsupported type \(type)"))
    }
    func elements<Word: FixedWidthInteger, T>(_: Word.Type, _ body: (Word) throws -> T) rethrows
      -> [T]
    {
      let size = MemoryLayout<Word>.size
      func load(_ index: Int) throws -> T {
        try body(
          Word(littleEndian: bytes.loadUnaligned(fromByteOffset: index * size, as: Word.self)))
      }
      let isDense = tensor.strides == shape.strides
      if isDense || count == 0 { return try (tensor.offset..<tensor.offset + count).map(load) }
      var (result, position) = ([T](), [Int](repeating: 0, count: shape.rank))
      result.reserveCapacity(count)
      var index = tensor.offset
      for _ in 0..<count {
        result.append(try load(index))
        for axis in (0..<shape.rank).reversed() {
          position[axis] += 1
          index += tensor.strides[axis]
          if position[axis] < shape[axis] { break }
          index -= tensor.strides[axis] * shape[axis]
          position[axis] = 0
        }
      }
      return result
    }
    func whole<Word: FixedWidthInteger>(_: Word.Type) -> Result<HostTensor, PickleFault> {
      do {
        return .success(
          HostTensor(
            shape,
            try elements(Word.self) { value in
              guard let integer = Int32(exactly: value) else {
                throw PickleFault(description: "holds \(value), which does not fit 32 bits")
              }
              return integer
            }))
      } catch let fault as PickleFault { return .failure(fault) } catch {
        return .failure(PickleFault(description: "\(error)"))
      }
    }
    switch tensor.storage.kind {
    case "FloatStorage":
      return .success(HostTensor(shape, elements(UInt32.self) { Float(bitPattern: $0) }))
    case "HalfStorage":
      return .success(HostTensor(shape, elements(UInt16.self) { HalfPrecision.float($0) }))
    case "BFloat16Storage":
      return .success(
        HostTensor(shape, elements(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }))
    case "DoubleStorage":
      return .success(HostTensor(shape, elements(UInt64.self) { Float(Double(bitPattern: $0)) }))
    case "LongStorage": return whole(Int64.self)
    case "IntStorage": return whole(Int32.self)
    default:
      return .failure(PickleFault(description: "has the unsupported type \(tensor.storage.kind)"))
    }
  }
}

/// What a reader has read, without the bytes it read it from.
struct PickleContents: Sendable {
  let lists: [[PickleValue]]
  let dictionaries: [[(key: PickleValue, value: PickleValue)]]

  /// Every value in a container.
  var allValues: [PickleValue] { lists.flatMap { $0 } + dictionaries.flatMap { $0.map(\.value) } }
}

extension PickleContents {
  /// Where programs put the weights of a network beside other things.
  private static let places = [
    "state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module",
  ]
  /// How deep dictionaries of weights lie in others.
  private static let depth = 3

  /// The tensors of a dictionary that have names.
  private func tensors(in index: Int) -> [(String, PickledTensor)] {
    dictionaries[index].compactMap { key, value in
      if case .string(let name) = key, case .tensor(let tensor) = value {
        (name, tensor)
      } else {
        nil
      }
    }
  }

  /// The weights of a network that a dictionary holds, alone or in dictionaries in it: those that lie where
  /// programs put them, unless there are more beside; else the most that lie together.
  ///
  /// - Returns: also where they were found, if programs do not put them there.
  func weights(in root: Int) -> (tensors: [(String, PickledTensor)], place: String?)? {
    var best: (index: Int, count: Int, isUsual: Bool, place: String?)?
    func offer(_ index: Int, isUsual: Bool, _ place: String?) {
      let count = tensors(in: index).count
      guard count > 0 else { return }
      if let best {
        guard
          isUsual
            ? !best.isUsual || count > best.count
            : (!best.isUsual || best.index == root) && count > best.count
        else { return }
      }
      best = (index, count, isUsual, place)
    }
    offer(root, isUsual: true, nil)
    // Breadth first; what was seen is not gone through again.
    var (open, seen) = ([(index: root, place: "", isUsual: true)], Set([root]))
    for _ in 0..<Self.depth {
      var next: [(index: Int, place: String, isUsual: Bool)] = []
      for (index, place, isUsual) in open {
        let inner = dictionaries[index].compactMap { key, value -> (String, Int)? in
          guard case .string(let name) = key, case .dictionary(let index) = value else {
            return nil
          }
          // What optimizers keep of each parameter.
          return name.hasPrefix("optim") ? nil : (name, index)
        }
        let usual = Self.places.compactMap { name in inner.first { $0.0 == name } }
        let others = inner.filter { !Self.places.contains($0.0) }
        for (position, (name, index)) in (usual + others).enumerated()
        where seen.insert(index).inserted {
          let isUsual = isUsual && position < usual.count
          let place = place.isEmpty ? name : "\(place).\(name)"
          next.append((index, place, isUsual))
          offer(index, isUsual: isUsual, isUsual ? nil : place)
        }
      }
      open = next
    }
    return best.map { (tensors(in: $0.index), $0.place) }
  }
}

extension PickleReader {
  var contents: PickleContents { PickleContents(lists: lists, dictionaries: dictionaries) }
}

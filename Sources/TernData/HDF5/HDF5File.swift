import CHDF5
import Foundation
import TernCore

/// An HDF5 file: the data sets of its root, read by libhdf5.
///
/// The library is looked for when a file is read, in a process of its own that a damaged file may end.
struct HDF5File: ArrayFile {
  let path: String
  let contents: [String]
  private let sets: [tern_hdf5_set]
  private let byteCount: Int

  private static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
  /// What the library needs besides what it reads.
  private static let ownMemory = 256 << 20
  /// Bytes that even a slow disk gives in a second.
  private static let slowestRate = 1 << 22
  private static let leastSeconds = 60

  /// Whether a file has HDF5's signature: at its start, or behind a block that another program put there.
  static func isHDF5(_ path: String) throws -> Bool {
    let file = try OpenFile(path)
    var place = 0
    while place + signature.count <= file.byteCount {
      var bytes = [UInt8](repeating: 0, count: signature.count)
      _ = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: place) }
      if bytes == signature { return true }
      place = place == 0 ? 512 : 2 * place
    }
    return false
  }

  /// Lists what a file holds.
  ///
  /// - Throws: ``TernError`` where the file is missing or damaged, or libhdf5 is not there.
  init(_ path: String) throws {
    self.path = path
    byteCount = try OpenFile(path).byteCount
    var list = tern_hdf5_list()
    let limits = Self.limits(reading: 0, of: byteCount)
    try Self.check(path) { reason, capacity in
      path.withFilePath { tern_hdf5_list_sets($0, limits, &list, reason, capacity) }
    }
    let count = Int(list.count)
    sets = withUnsafeBytes(of: &list.sets) {
      Array($0.assumingMemoryBound(to: tern_hdf5_set.self)[..<count])
    }
    contents =
      sets.map(\.text) + (list.others > 0 ? ["\(list.others) more"] : [])
  }

  var arrayNames: [String] { sets.map(\.text) }

  /// The extents of a data set, and the type of its elements as NumPy calls it.
  ///
  /// - Throws: ``TernError`` where it cannot be read, or is said to hold more than it can.
  func type(of name: String) throws -> (shape: [Int], type: String) {
    let set = sets.first { $0.text == name }!
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(name): \(text)") }
    if let text = set.faultText { throw fault(text) }
    let extents = set.shape
    guard let count = Shape.elementCount(ofExtents: extents, size: Int(set.size)), count > 0 else {
      throw fault("a shape of \(extents)")
    }
    // Elements that nobody wrote take no room in a file.
    let stored = Int(clamping: set.stored)
    guard stored <= byteCount else {
      throw fault("\(stored) bytes of elements in a file of \(byteCount)")
    }
    guard count <= PackedSize.limit(stored) else {
      throw fault("a shape of \(extents): \(PackedSize.fault(count, packed: stored))")
    }
    let letter = set.kind == tern_hdf5_floating ? "f" : set.kind == tern_hdf5_signed ? "i" : "u"
    return (extents, "\(letter)\(set.size)")
  }

  func array(_ name: String) throws -> NPYArray {
    let (shape, type) = try type(of: name)
    let count = shape.reduce(Int(type.dropFirst())!, *)
    try SystemMemory.require(count, for: "\(path): \(name)")
    let memory = try SharedMemory(count)
    try read(name, into: memory.bytes)
    return NPYArray(memory.data, shape: shape, type: type, name: "\(path): \(name)")
  }

  /// Reads a data set into memory that processes share, of as many bytes as it has.
  func read(_ name: String, into bytes: UnsafeMutableRawBufferPointer) throws {
    var set = sets.first { $0.text == name }!
    let limits = Self.limits(reading: bytes.count, of: byteCount)
    try Self.check("\(path): \(name)") { reason, capacity in
      path.withFilePath {
        tern_hdf5_read_set($0, limits, &set, bytes.baseAddress, reason, capacity)
      }
    }
  }

  private static func limits(reading count: Int, of byteCount: Int) -> tern_hdf5_limits {
    tern_hdf5_limits(
      memory: UInt64(ownMemory + 2 * count),
      seconds: UInt32(clamping: leastSeconds + (count + byteCount) / slowestRate))
  }

  private static func check(
    _ subject: String,
    _ body: (UnsafeMutablePointer<CChar>, Int) -> tern_hdf5_result
  ) throws {
    var reason = [CChar](repeating: 0, count: 256)
    let result = reason.withUnsafeMutableBufferPointer { body($0.baseAddress!, $0.count) }
    let text = String(
      decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    switch result {
    case tern_hdf5_done: return
    case tern_hdf5_no_library:
      throw TernError(
        .runtime, "\(subject): \(text), which reads HDF5; apt-get install hdf5-tools")
    case tern_hdf5_no_process: throw TernError(.runtime, "\(subject): \(text)")
    default: throw TernError(.badData, "\(subject): \(text)")
    }
  }
}

extension tern_hdf5_set {
  fileprivate var text: String {
    withUnsafeBytes(of: name) { FileName.text($0.prefix { $0 != 0 }) }
  }

  fileprivate var faultText: String? {
    let text = withUnsafeBytes(of: fault) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return text.isEmpty ? nil : text
  }

  fileprivate var shape: [Int] {
    withUnsafeBytes(of: extents) {
      $0.assumingMemoryBound(to: UInt64.self)[..<Int(axis_count)].map { Int(clamping: $0) }
    }
  }
}

/// Memory that this process shares with those it starts.
final class SharedMemory {
  let bytes: UnsafeMutableRawBufferPointer
  private var isOwned = true

  init(_ count: Int) throws {
    guard
      let start = mmap(
        nil, max(count, 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else {
      throw TernError(
        .runtime, "no memory for \(count) bytes (\(String(cString: strerror(errno))))")
    }
    bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
  }

  deinit { if isOwned { munmap(bytes.baseAddress!, max(bytes.count, 1)) } }

  /// The same memory, which goes with the last copy of this.
  var data: Data {
    isOwned = false
    return Data(bytesNoCopy: bytes.baseAddress!, count: bytes.count, deallocator: .unmap)
  }
}

import Foundation
import TernCore

/// Looks over the pages of an LMDB file before liblmdb does, which believes what they say: a number that is
/// wrong in a page sends it anywhere in memory.
///
/// Every page of the tree is visited once, that is keys and the places of values, not the values themselves.
/// Source: the structures of lmdb's mdb.c, version 0.9, on a machine of 64 bits.
struct LMDBCheck {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var pageSize = 0
  private var pageCount = 0
  private var visited = 0
  private var entries = 0

  private static let headerSize = 16
  private static let noPage = UInt64.max
  private static let magic: UInt32 = 0xBEEF_C0DE
  /// Deeper trees have no use, and liblmdb no room for them.
  private static let deepest = 32

  private enum Flag {
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08
    /// Of a node: its value is on pages of its own.
    static let big: UInt16 = 0x01
  }

  /// - Throws: ``TernError`` of kind `badData` where a page is not what the format allows.
  static func check(_ path: String) throws {
    let data = try OpenFile(path).mapped()
    try data.withUnsafeBytes {
      var check = LMDBCheck(bytes: $0, path: path)
      try check.run()
    }
  }

  private init(bytes: UnsafeRawBufferPointer, path: String) {
    (self.bytes, self.path) = (bytes, path)
  }

  private func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }

  private func load<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
    T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  private mutating func run() throws {
    guard bytes.count >= 2 * 512 else { throw fault("too short for an LMDB file") }
    pageSize = try pageSize(ofMeta: 0)
    guard bytes.count >= 2 * pageSize, try pageSize(ofMeta: pageSize) == pageSize else {
      throw fault("its two first pages do not agree")
    }
    // The page that was written last counts.
    let isSecond =
      load(Self.headerSize + 128, UInt64.self) < load(pageSize + Self.headerSize + 128, UInt64.self)
    let meta = (isSecond ? pageSize : 0) + Self.headerSize
    let last = load(meta + 120, UInt64.self)
    guard last < UInt64(bytes.count / pageSize) else {
      throw fault(
        "truncated: \(bytes.count) bytes where \(last) pages of \(pageSize) and one belong")
    }
    pageCount = Int(last) + 1
    let tree = meta + 72
    let (flags, depth) = (load(tree + 4, UInt16.self), load(tree + 6, UInt16.self))
    let (count, root) = (load(tree + 32, UInt64.self), load(tree + 40, UInt64.self))
    guard flags == 0 else {
      throw fault("a database with keys or values of another kind (flags \(flags)) than Caffe's")
    }
    guard root != Self.noPage else {
      guard count == 0 else { throw fault("no pages for \(count) entries") }
      return
    }
    guard depth >= 1, Int(depth) <= Self.deepest else { throw fault("a tree of depth \(depth)") }
    try visit(root, levels: Int(depth))
    guard UInt64(entries) == count else {
      throw fault("\(entries) entries where \(count) belong")
    }
  }

  private func pageSize(ofMeta page: Int) throws -> Int {
    guard load(page + 10, UInt16.self) & Flag.meta != 0,
      load(page + Self.headerSize, UInt32.self) == Self.magic
    else { throw fault("not an LMDB file") }
    let version = load(page + Self.headerSize + 4, UInt32.self)
    guard version == 1 else { throw fault("version \(version) of LMDB; 1 is read") }
    let size = Int(load(page + Self.headerSize + 24, UInt32.self))
    guard size >= 512, size <= 1 << 16, size & (size - 1) == 0 else {
      throw fault("pages of \(size) bytes")
    }
    return size
  }

  private func start(of page: UInt64) throws -> Int {
    guard page >= 2, page < UInt64(pageCount) else {
      throw fault("page \(page) of \(pageCount)")
    }
    return Int(page) * pageSize
  }

  private mutating func visit(_ page: UInt64, levels: Int) throws {
    visited += 1
    guard visited <= pageCount else { throw fault("pages that lie in each other") }
    let start = try start(of: page)
    let wrong = fault("page \(page) is damaged")
    let flags = load(start + 10, UInt16.self)
    let (lower, upper) = (Int(load(start + 12, UInt16.self)), Int(load(start + 14, UInt16.self)))
    guard load(start, UInt64.self) == page, flags == (levels > 1 ? Flag.branch : Flag.leaf),
      lower >= Self.headerSize, lower % 2 == 0, lower <= upper, upper <= pageSize
    else { throw wrong }
    let count = (lower - Self.headerSize) / 2
    guard count >= 1 else { throw wrong }
    for index in 0..<count {
      let offset = Int(load(start + Self.headerSize + 2 * index, UInt16.self))
      guard offset >= upper, offset + 8 <= pageSize, offset % 2 == 0 else { throw wrong }
      let node = start + offset
      let size = UInt64(load(node, UInt16.self)) | UInt64(load(node + 2, UInt16.self)) << 16
      let nodeFlags = load(node + 4, UInt16.self)
      let keySize = Int(load(node + 6, UInt16.self))
      guard offset + 8 + keySize <= pageSize else { throw wrong }
      guard levels == 1 else {
        try visit(size | UInt64(nodeFlags) << 32, levels: levels - 1)
        continue
      }
      guard keySize >= 1 else { throw wrong }
      entries += 1
      switch nodeFlags {
      case 0: guard UInt64(offset + 8 + keySize) + size <= UInt64(pageSize) else { throw wrong }
      case Flag.big:
        guard offset + 8 + keySize + 8 <= pageSize else { throw wrong }
        try checkValue(on: load(node + 8 + keySize, UInt64.self), size: size)
      default: throw fault("holds databases of their own names, or several values of a key")
      }
    }
  }

  private func checkValue(on page: UInt64, size: UInt64) throws {
    let start = try start(of: page)
    let count = UInt64(load(start + 12, UInt32.self))
    guard load(start, UInt64.self) == page, load(start + 10, UInt16.self) == Flag.overflow,
      page + count <= UInt64(pageCount), size + UInt64(Self.headerSize) <= count * UInt64(pageSize)
    else { throw fault("page \(page) is damaged") }
  }
}

import CZlib
import Foundation
import TernCore

/// Reads a file from front to back, unpacking it on the way if its first bytes say gzip.
///
/// Nothing is read beyond what is asked for, so a file that unpacks to far more than it should costs
/// no memory.
final class GzipReader {
  /// No more bytes than this can come: what a caller may allocate for.
  let byteCountLimit: Int

  private let path: String
  private let file: OpenFile
  private let inflater: Inflater?
  private var isAtEnd = false

  /// Whether the file has to be unpacked.
  var isPacked: Bool { inflater != nil }
  /// The bytes of the file itself.
  var fileByteCount: Int { file.byteCount }

  /// - Throws: ``TernError`` of kind `notFound` where the file is missing or cannot be read.
  init(_ path: String) throws {
    self.path = path
    file = try OpenFile(path)
    if try file.startsWith([0x1F, 0x8B]) {
      inflater = try Inflater(path)
      byteCountLimit = PackedSize.limit(file.byteCount)
    } else {
      inflater = nil
      byteCountLimit = file.byteCount
    }
  }

  /// Fills `destination` as far as the content goes.
  ///
  /// At the content's end the checksum has been verified.
  /// - Returns: the number of bytes written, fewer than asked for only at the end.
  /// - Throws: ``TernError`` of kind `badData` where the packed data is truncated or corrupt.
  func read(into destination: UnsafeMutableRawBufferPointer) throws -> Int {
    var count = 0
    while count < destination.count, !isAtEnd {
      let rest = UnsafeMutableRawBufferPointer(rebasing: destination[count...])
      if let inflater {
        count += try unpack(into: rest, inflater)
      } else {
        let produced = try file.read(into: rest)
        isAtEnd = produced == 0
        count += produced
      }
    }
    return count
  }

  private func unpack(into destination: UnsafeMutableRawBufferPointer, _ inflater: Inflater) throws
    -> Int
  {
    if inflater.isOutOfInput { try inflater.refill { try file.read(into: $0) } }
    let (status, produced) = inflater.unpack(into: destination)
    switch status {
    case Z_OK: break
    case Z_STREAM_END:
      // Packed data may lie behind packed data, as programs write it that pack several parts at once.
      let next = try inflater.next(2) { try file.read(into: $0) }
      isAtEnd = next.isEmpty
      guard isAtEnd || next == [0x1F, 0x8B] else {
        throw fault("bytes follow the end of the gzip data")
      }
      if !isAtEnd { inflater.begin() }
    case Z_BUF_ERROR: throw fault("the gzip data is truncated")
    default: throw fault("the gzip data is corrupt (\(inflater.message ?? "error \(status)"))")
    }
    return produced
  }

  private func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
}

/// zlib's state while it unpacks gzip, with the packed bytes that come next.
private final class Inflater {
  // zlib keeps a pointer to the stream, so it may not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

  init(_ path: String) throws {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 16: a gzip header is expected, and its checksum verified.
    guard
      inflateInit2_(stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        == Z_OK
    else { throw TernError(.runtime, "\(path): zlib cannot start") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  var isOutOfInput: Bool { stream.pointee.avail_in == 0 }
  var message: String? { stream.pointee.msg.map { String(cString: $0) } }

  func refill(_ read: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
    stream.pointee.avail_in = UInt32(try read(input))
    stream.pointee.next_in = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
  }

  /// The bytes that come next, up to `count`, which stay.
  func next(
    _ count: Int, _ read: (UnsafeMutableRawBufferPointer) throws -> Int
  ) rethrows -> [UInt8] {
    var rest = Int(stream.pointee.avail_in)
    if rest < count {
      // What is left goes to the front.
      let left = UnsafeRawBufferPointer(start: stream.pointee.next_in, count: rest)
      UnsafeMutableRawBufferPointer(rebasing: input[..<rest]).copyMemory(from: left)
      rest += try read(UnsafeMutableRawBufferPointer(rebasing: input[rest...]))
      stream.pointee.avail_in = UInt32(rest)
      stream.pointee.next_in = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
    }
    return [UInt8](UnsafeRawBufferPointer(start: stream.pointee.next_in, count: min(rest, count)))
  }

  /// Expects a header again.
  func begin() { inflateReset(stream) }

  func unpack(into destination: UnsafeMutableRawBufferPointer) -> (status: Int32, produced: Int) {
    // zlib counts in 32 bits.
    let capacity = UInt32(clamping: destination.count)
    stream.pointee.next_out = destination.baseAddress!.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = capacity
    let status = inflate(stream, Z_NO_FLUSH)
    return (status, Int(capacity - stream.pointee.avail_out))
  }
}

import CZlib
import Foundation
import TernCore

/// Reads whole files, gzipped or plain.
public enum GzipFile {
  /// The largest content that is read; a larger one is taken for damage.
  static let maximumByteCount = 8 << 30

  /// The content of a file, unpacked if its first bytes say gzip.
  ///
  /// - Throws: ``TernError`` naming the file: not there, truncated, corrupt.
  public static func contents(of path: String) throws -> [UInt8] {
    guard FileManager.default.fileExists(atPath: path) else {
      throw TernError(.notFound, "\(path): no such file")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TernError(.notFound, "\(path): cannot be read")
    }
    let bytes = [UInt8](data)
    guard bytes.starts(with: [0x1F, 0x8B]) else { return bytes }
    return try unpack(bytes, path: path)
  }

  private static func unpack(_ packed: [UInt8], path: String) throws -> [UInt8] {
    var stream = z_stream()
    // 16: a gzip header is expected, and its checksum verified.
    guard
      inflateInit2_(
        &stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw TernError(.runtime, "\(path): zlib cannot start") }
    defer { inflateEnd(&stream) }

    var packed = packed
    var unpacked: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    var status = Z_OK
    try packed.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      repeat {
        let produced = chunk.withUnsafeMutableBufferPointer { output in
          stream.next_out = output.baseAddress
          stream.avail_out = UInt32(output.count)
          status = inflate(&stream, Z_NO_FLUSH)
          return output.count - Int(stream.avail_out)
        }
        switch status {
        case Z_OK, Z_STREAM_END: unpacked += chunk[..<produced]
        case Z_BUF_ERROR: throw TernError(.badData, "\(path): the gzip data is truncated")
        default:
          let reason = stream.msg.map { String(cString: $0) } ?? "error \(status)"
          throw TernError(.badData, "\(path): the gzip data is corrupt (\(reason))")
        }
        guard unpacked.count <= maximumByteCount else {
          throw TernError(.badData, "\(path): unpacks to more than \(maximumByteCount) bytes")
        }
      } while status != Z_STREAM_END
    }
    guard stream.avail_in == 0 else {
      throw TernError(.badData, "\(path): \(stream.avail_in) bytes after the end of the gzip data")
    }
    return unpacked
  }
}

import CZlib
import Foundation
import TernCore

/// Small IDX data sets in a temporary folder.
struct FixtureFiles {
  let directory: String

  init() throws {
    directory = NSTemporaryDirectory() + "tern-data-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  func remove() { try? FileManager.default.removeItem(atPath: directory) }

  func path(_ name: String) -> String { directory + "/" + name }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }

  static func header(_ extents: [Int]) -> [UInt8] {
    [0, 0, 8, UInt8(extents.count)]
      + extents.flatMap { extent in
        (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) }
      }
  }

  static func images(_ count: Int, height: Int = 3, width: Int = 4) -> [UInt8] {
    header([count, height, width])
      + (0..<count * height * width).map { UInt8(truncatingIfNeeded: $0 * 7) }
  }

  static func labels(_ count: Int, classes: Int = 10) -> [UInt8] {
    header([count]) + (0..<count).map { UInt8($0 % classes) }
  }

  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
      &stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1000)
    input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        deflate(&stream, Z_FINISH)
      }
    }
    return Array(output.prefix(Int(stream.total_out)))
  }

  /// CRC-32, the most significant byte first.
  static func checksum(_ bytes: [UInt8]) -> [UInt8] {
    let value = UInt32(crc32(0, bytes, UInt32(bytes.count)))
    return withUnsafeBytes(of: value.bigEndian, Array.init)
  }

  /// The four files of a data set.
  func writeDataset(train: Int = 23, test: Int = 7, compressed: Bool = false) throws {
    for (set, count) in [("train", train), ("t10k", test)] {
      let (images, labels) = (Self.images(count), Self.labels(count))
      let suffix = compressed ? ".gz" : ""
      try write("\(set)-images-idx3-ubyte\(suffix)", compressed ? Self.gzip(images) : images)
      try write("\(set)-labels-idx1-ubyte\(suffix)", compressed ? Self.gzip(labels) : labels)
    }
  }
}

import Foundation
import TernCore
import TernData
import TernFormats

/// A file of events that TensorBoard shows: scalars, histograms and images by step.
///
/// Each record is its length, a checksum of that, a serialised `Event` message, and a checksum of
/// that. A process appends to a file of its own; the first event tells which steps of an earlier file
/// no longer count.
package final class EventFile {
  package let path: String
  private let clock: () -> Double

  package enum Value: Sendable {
    case scalar(Double)
    case histogram(Histogram)
    /// A PNG file.
    case image(Data, width: Int, height: Int, channels: Int)
  }

  /// Starts a file in `directory`.
  ///
  /// - Parameters:
  ///   - step: the steps done before; what an earlier file says of later ones is void.
  ///   - clock: the seconds since 1970.
  /// - Throws: ``TernError`` of kind `cannotWrite`.
  package init(
    directory: String, step: Int, clock: @escaping () -> Double = { Date().timeIntervalSince1970 }
  ) throws {
    self.clock = clock
    let base = "events.out.tfevents.\(Int(clock())).tern"
    var (name, number) = (base, 1)
    func path(_ name: String) -> String { directory.appendingPath(name) }
    while true {
      // Created here, so that no two processes append to one file.
      let file = FileSystem.open(path(name), O_WRONLY | O_CREAT | O_EXCL)
      if file >= 0 {
        close(file)
        break
      }
      guard errno == EEXIST else {
        throw TernError(
          .cannotWrite, "\(path(name)): cannot create: \(String(cString: strerror(errno)))")
      }
      number += 1
      name = "\(base).\(number)"
    }
    self.path = path(name)
    try append { $0.string(3, "brain.Event:2") }
    if step > 0 {
      // SessionLog: a session starts at this step; what earlier files say of it and later ones is
      // dropped, and the steps done stay.
      try append(step: step + 1) { $0.message(7) { $0.int(1, 1) } }
    }
  }

  /// Appends values of one step, by their tags.
  package func append(_ values: [(tag: String, value: Value)], step: Int) throws {
    try append(step: step) { event in
      event.message(5) { summary in
        for (tag, value) in values {
          summary.message(1) { Self.encode(tag, value, &$0) }
        }
      }
    }
  }

  private static func encode(_ tag: String, _ value: Value, _ message: inout WireWriter) {
    message.string(1, tag)
    switch value {
    case .scalar(let number): message.float(2, Float(number))
    case .image(let data, let width, let height, let channels):
      message.message(4) {
        $0.int(1, height)
        $0.int(2, width)
        $0.int(3, channels)
        $0.bytes(4, data)
      }
    case .histogram(let histogram):
      message.message(5) {
        $0.double(1, histogram.minimum)
        $0.double(2, histogram.maximum)
        $0.double(3, Double(histogram.count))
        $0.double(4, histogram.sum)
        $0.double(5, histogram.sumOfSquares)
        $0.doubles(6, histogram.buckets.map(\.limit))
        $0.doubles(7, histogram.buckets.map { Double($0.count) })
      }
    }
  }

  private func append(step: Int = 0, _ body: (inout WireWriter) -> Void) throws {
    var event = WireWriter()
    event.double(1, clock())
    event.int(2, step)
    body(&event)
    let length = withUnsafeBytes(of: UInt64(event.data.count).littleEndian) { Data($0) }
    var record = length
    record += Self.checksum(length)
    record += event.data
    record += Self.checksum(event.data)
    try AppendedFile.append(record, to: path)
  }

  // MARK: Checksums

  /// CRC-32C (Castagnoli), rotated and offset, so that a checksum of checksums says something.
  private static func checksum(_ data: Data) -> Data {
    let crc = crc32c(data)
    return withUnsafeBytes(of: ((crc >> 15 | crc << 17) &+ 0xA282_EAD8).littleEndian) { Data($0) }
  }

  /// The reflected polynomial 0x82F63B78, a byte at a time.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
  }

  static func crc32c(_ data: Data) -> UInt32 {
    ~data.reduce(~UInt32(0)) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }
}

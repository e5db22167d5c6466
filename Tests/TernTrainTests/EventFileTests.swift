import Foundation
import Testing

@testable import TernTrain

/// What TensorBoard reads. `Tests/check_formats.py` lets TensorBoard itself read a run.
@Suite struct EventFileTests {
  /// The check value of CRC-32C, and one of RFC 3720.
  @Test func checksums() {
    #expect(EventFile.crc32c(Data("123456789".utf8)) == 0xE306_9283)
    #expect(EventFile.crc32c(Data(repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  @Test func messagesFollowTheWireFormat() {
    var writer = ProtobufWriter()
    writer.int(1, 300)
    writer.string(2, "ab")
    writer.message(3) { $0.int(1, 1) }
    writer.float(4, 1)
    #expect(
      writer.data
        == Data([
          0x08, 0xAC, 0x02, 0x12, 2, 0x61, 0x62, 0x1A, 2, 0x08, 1, 0x25, 0, 0, 0x80, 0x3F,
        ]))
  }

  @Test func histogramsCountEveryValue() {
    let values: [Float] = [-2, -0.5, 0, 0, 1e-3, 0.5, 3, .nan]
    let histogram = Histogram(values)
    #expect(histogram.count == 7)
    #expect(histogram.minimum == -2 && histogram.maximum == 3)
    #expect(histogram.buckets.map(\.count).reduce(0, +) == 7)
    let limits = histogram.buckets.map(\.limit)
    #expect(zip(limits, limits.dropFirst()).allSatisfy(<))
    // Each value is above the limit before its bucket and not above the bucket's own.
    let below = histogram.buckets.filter { $0.limit < -0.4 }.map(\.count).reduce(0, +)
    #expect(below == 2)
    #expect(Histogram([]).buckets.isEmpty)
  }
}

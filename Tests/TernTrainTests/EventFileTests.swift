import Foundation
import Tern
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
    var writer = WireWriter()
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

  /// TensorBoard drops what earlier files say of the step at which a session starts: the one after
  /// those that are done.
  @Test func aSessionStartsAfterTheStepsDone() throws {
    let directory = NSTemporaryDirectory() + "tern-events-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    _ = try EventFile(directory: directory, step: 48, clock: { 0 })
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)"))
    // The second event: its time, its step 49, and a session log that says it starts.
    #expect(bytes.dropLast(4).suffix(6) == Data([0x10, 49, 0x3A, 2, 0x08, 1]))
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

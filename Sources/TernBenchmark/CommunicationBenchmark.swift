import Foundation
import Tern

/// Measures how fast members of a group reach each other, per size of a message.
package struct CommunicationBenchmark {
  /// What was measured of a size.
  package struct Result: Sendable {
    package let byteCount: Int
    /// Half of the way there and back between the first two members, in seconds; the median.
    package let latency: Double
    /// To add up so much over all members, in seconds; the median.
    package let sumSeconds: Double
    /// The time that the sum takes of a processor, in seconds.
    package let processorSeconds: Double

    /// Bytes per second in one direction.
    package var bandwidth: Double { Double(byteCount) / latency }

    package var json: JSON {
      .object([
        "bytes": .int(byteCount), "latency_us": .double(latency * 1e6),
        "gbs": .double(bandwidth * 1e-9), "sum_us": .double(sumSeconds * 1e6),
        "sum_processor_us": .double(processorSeconds * 1e6),
      ])
    }
  }

  private let group: any ProcessGroup
  private let sum: AllSum
  private let own: UnsafeMutableBufferPointer<Float>
  private let total: UnsafeMutableBufferPointer<Float>

  /// - Parameters:
  ///   - group: two members at least.
  ///   - largestByteCount: the largest message.
  package init(_ group: any ProcessGroup, largestByteCount: Int) {
    let count = largestByteCount / MemoryLayout<Float>.stride
    self.group = group
    sum = AllSum(group, largestCount: count)
    own = .allocate(capacity: count)
    total = .allocate(capacity: count)
    own.initialize(repeating: 1)
    total.initialize(repeating: 0)
  }

  /// Gives back the memory.
  package func end() {
    own.deallocate()
    total.deallocate()
  }

  /// Measures a size; all members call it.
  ///
  /// - Parameters:
  ///   - byteCount: a multiple of 4, at most the largest.
  ///   - seconds: about how long to measure.
  /// - Throws: ``TernError`` where a member cannot be reached.
  package func measure(_ byteCount: Int, seconds: Double) throws -> Result {
    let count = byteCount / MemoryLayout<Float>.stride
    let part = UnsafeMutableBufferPointer(rebasing: total[..<count])
    let bytes = UnsafeMutableRawBufferPointer(part)
    func bounce() throws {
      switch group.rank {
      case 0:
        try group.exchange([.send(UnsafeRawBufferPointer(bytes), to: 1)])
        try group.exchange([.receive(bytes, from: 1)])
      case 1:
        try group.exchange([.receive(bytes, from: 0)])
        try group.exchange([.send(UnsafeRawBufferPointer(bytes), to: 0)])
      default: break
      }
    }
    let bounces = try samples(seconds / 2, bounce)
    let sums = try samples(seconds / 2) { try sum(own.baseAddress!, into: part) }
    return Result(
      byteCount: byteCount, latency: bounces.median / 2, sumSeconds: sums.median,
      processorSeconds: sums.processor)
  }

  /// Times calls that all members make together, as often as the first has time for.
  private func samples(_ seconds: Double, _ body: () throws -> Void) throws -> (
    median: Double, processor: Double
  ) {
    let clock = ContinuousClock()
    func time(_ count: Int) throws -> [Double] {
      // All begin together.
      _ = try group.allGather([0])
      return try (0..<count).map { _ in
        let start = clock.now
        try body()
        return (clock.now - start) / .seconds(1)
      }
    }
    let first = try time(3).min()!
    var count = UInt32(max(3, min(10_000, seconds / first)))
    try withUnsafeMutableBytes(of: &count) { try group.broadcast($0, from: 0) }
    let before = Self.processorSeconds
    let all = try time(Int(count)).sorted()
    return (all[all.count / 2], (Self.processorSeconds - before) / Double(count))
  }

  /// What all threads of the process have taken of the processors.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

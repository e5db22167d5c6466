import Foundation
import TernCluster
import TernCore
import TernRuntime

/// How long the members of a group took to add up their sums.
public struct CommunicationTime: Hashable, Sendable {
  /// All of it: from when a member had its part of a bucket to when it had the sums of all, waiting for slower members
  /// included; in seconds.
  public let seconds: Double
  /// What of that time the member computed nothing, in seconds.
  public let exposedSeconds: Double

  init(seconds: Double = 0, exposedSeconds: Double = 0) {
    (self.seconds, self.exposedSeconds) = (seconds, exposedSeconds)
  }

  static func + (left: Self, right: Self) -> Self {
    CommunicationTime(
      seconds: left.seconds + right.seconds,
      exposedSeconds: left.exposedSeconds + right.exposedSeconds)
  }

  /// The part of the time in which the member computed, from 0 to 1.
  public var hiddenShare: Double {
    seconds > 0 ? max(0, 1 - exposedSeconds / seconds) : 0
  }
}

/// Adds up the sums of an update's batches that the members of a group have computed, bucket by bucket, while the
/// batch goes on: the bits do not depend on the number of members. The memory of sums is made once.
final class SharedUpdate {
  /// Where the sums of all go, bucket by bucket.
  final class Totals {
    let buckets: [UnsafeMutableBufferPointer<Float>]
    private let isOwned: Bool

    /// - Parameter places: memory that holds as long as this.
    init(places: [UnsafeMutableBufferPointer<Float>]) { (buckets, isOwned) = (places, false) }

    /// - Parameter counts: the elements of each bucket.
    init(counts: [Int]) {
      buckets = counts.map { .allocate(capacity: $0) }
      isOwned = true
    }

    deinit { if isOwned { for bucket in buckets { bucket.deallocate() } } }
  }

  /// What one thread after the other uses: this one where ``thread`` has nothing to do.
  private final class Work: @unchecked Sendable {
    let sum: BucketSum
    /// The member's blocks of an update but for the last, which is read where it is computed; by block and bucket.
    var stored: [[UnsafeMutableBufferPointer<Float>]]
    /// The member's requests by block, and those of all.
    let requests: [UnsafeMutablePointer<Float>]
    let allRequests = UnsafeMutableBufferPointer<Float>.allocate(capacity: StepRequests.count)
    var seconds = 0.0

    init(_ group: any ProcessGroup, counts: [Int], blockCount: Int, rounds: Bool) {
      sum = BucketSum(
        group, largestCount: max(counts.max() ?? 0, StepRequests.count), blockCount: blockCount,
        rounds: rounds)
      stored = (0..<max(blockCount - 1, 0)).map { _ in counts.map { .allocate(capacity: $0) } }
      requests = (0..<blockCount).map { _ in
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: StepRequests.count)
        memory.initialize(repeating: 0, count: StepRequests.count)
        return memory
      }
    }

    deinit {
      for bucket in stored.joined() { bucket.deallocate() }
      for memory in requests { memory.deallocate() }
      allRequests.deallocate()
    }

    func timing(_ body: () throws -> Void) rethrows {
      let start = DispatchTime.now().uptimeNanoseconds
      try body()
      seconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }

  private let thread: CommunicationThread
  private let work: Work
  private let bucketCount: Int
  /// Whether buckets wait for the end of the batch, because the batch itself talks to the others.
  private let waitsForBatch: Bool
  /// Whether gradients are rounded on their way.
  private let rounds: Bool
  private var schedules: [SumTree: SumSchedule] = [:]
  /// The update under way: how many blocks of it there are, and how many buckets have gone on their way.
  private var blockCount = 0
  private var startedCount = 0
  private var exposedSeconds = 0.0

  /// - Parameters:
  ///   - counts: the elements of each bucket.
  ///   - trees: those of all updates.
  ///   - waitsForBatch: whether batches talk to the other members themselves.
  ///   - rounds: whether all buckets but the first are rounded to 16 bits on their way.
  init(
    _ group: any ProcessGroup, counts: [Int], trees: [SumTree], waitsForBatch: Bool = false,
    rounds: Bool = false
  ) throws {
    self.rounds = rounds
    self.waitsForBatch = waitsForBatch
    bucketCount = counts.count
    thread = try CommunicationThread()
    for tree in trees where schedules[tree] == nil {
      schedules[tree] = SumSchedule(tree, rank: group.rank)
    }
    let blockCount = schedules.values.map(\.blocks.count).max() ?? 0
    work = Work(group, counts: counts, blockCount: blockCount, rounds: rounds)
  }

  /// What all updates took so far; where none is under way.
  var time: CommunicationTime {
    CommunicationTime(seconds: work.seconds, exposedSeconds: exposedSeconds)
  }

  private func schedule(_ tree: SumTree) -> SumSchedule {
    guard let schedule = schedules[tree] else { preconditionFailure("an update of another tree") }
    return schedule
  }

  /// Computes a batch with which a block is complete, and hands over its sums.
  ///
  /// - Parameters:
  ///   - outputs: the buckets.
  ///   - run: runs the batch, and says of each bucket when it is started.
  ///   - requests: what this member asks for, taken with its last block.
  func add(
    _ block: SumTree.Block, of tree: SumTree, _ outputs: any StreamedOutputs, to totals: Totals,
    requests: () -> StepRequests, run: (_ started: (Int) throws -> Void) throws -> Void
  ) throws {
    let schedule = schedule(tree)
    precondition(schedule.blocks[blockCount] == block, "blocks in another order")
    blockCount += 1
    guard blockCount == schedule.blocks.count else {
      try run { _ in }
      for (bucket, place) in work.stored[blockCount - 1].enumerated() {
        UnsafeMutableRawBufferPointer(place).copyMemory(from: try outputs.bytes(bucket))
      }
      return
    }
    // In the order of their numbers, which is the same for all members whatever their devices make of the batch.
    var areStarted = [Bool](repeating: false, count: bucketCount)
    try run { bucket in
      areStarted[bucket] = true
      while !waitsForBatch, startedCount < bucketCount, areStarted[startedCount] {
        start(schedule, outputs, totals)
      }
    }
    let counts = requests().counts
    work.requests[blockCount - 1].update(from: counts, count: counts.count)
    while startedCount < bucketCount { start(schedule, outputs, totals) }
  }

  /// Sends the next bucket on its way.
  private func start(
    _ schedule: SumSchedule, _ outputs: (any StreamedOutputs)?, _ totals: Totals
  ) {
    let (bucket, work) = (startedCount, work)
    startedCount += 1
    let total = UncheckedPlace(totals.buckets[bucket])
    let rounds = rounds && bucket > 0
    thread.start {
      var blocks = schedule.blocks.dropLast().indices.map {
        UnsafePointer(work.stored[$0][bucket].baseAddress!)
      }
      if let outputs {
        blocks.append(try outputs.bytes(bucket).assumingMemoryBound(to: Float.self).baseAddress!)
      }
      try work.timing { try work.sum.sum(blocks, as: schedule, into: total.memory, rounds: rounds) }
    }
  }

  /// Waits for the sums of all batches, the same to the bit for every member.
  ///
  /// - Returns: what any member asked for.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func finish(_ tree: SumTree, to totals: Totals) throws -> StepRequests {
    let (schedule, work) = (schedule(tree), work)
    precondition(blockCount == schedule.blocks.count, "\(blockCount) blocks")
    // A member without a batch.
    while startedCount < bucketCount { start(schedule, nil, totals) }
    thread.start {
      let own = schedule.blocks.indices.map { UnsafePointer(work.requests[$0]) }
      try work.timing { try work.sum.sum(own, as: schedule, into: work.allRequests) }
    }
    let start = DispatchTime.now().uptimeNanoseconds
    try thread.wait()
    exposedSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    (blockCount, startedCount) = (0, 0)
    for memory in work.requests { memory.update(repeating: 0, count: StepRequests.count) }
    return StepRequests(counts: Array(work.allRequests)[...])
  }

  /// Hands memory to another thread, which alone uses it until ``finish(_:to:)``.
  private struct UncheckedPlace: @unchecked Sendable {
    let memory: UnsafeMutableBufferPointer<Float>
    init(_ memory: UnsafeMutableBufferPointer<Float>) { self.memory = memory }
  }
}

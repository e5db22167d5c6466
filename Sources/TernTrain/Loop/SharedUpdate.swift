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

  /// What of the time the member computed, in seconds.
  public var hiddenSeconds: Double { max(0, seconds - exposedSeconds) }

  static func - (left: Self, right: Self) -> Self {
    CommunicationTime(
      seconds: left.seconds - right.seconds,
      exposedSeconds: left.exposedSeconds - right.exposedSeconds)
  }

  /// The part of the time in which the member computed, from 0 to 1.
  public var hiddenShare: Double {
    seconds > 0 ? hiddenSeconds / seconds : 0
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
    /// Whether gradients, all buckets but the first, are rounded on their way.
    let rounds: Bool
    /// The member's blocks of an update but for the last, which is read where it is computed; by bucket and block.
    let stored: [[UnsafeMutableBufferPointer<Float>]]
    /// The member's requests by block, and those of all.
    let requests: [UnsafeMutablePointer<Float>]
    let allRequests = UnsafeMutableBufferPointer<Float>.allocate(capacity: StepRequests.count)
    var seconds = 0.0

    // Of the update under way; the totals keep their memory.
    var schedule: SumSchedule
    /// What is handed over last; `nil` where this member has no batch.
    var outputs: (any StreamedOutputs)?
    var totals: Totals?
    /// The member's blocks of a bucket; the memory of the list is kept.
    private var blocks: [UnsafePointer<Float>] = []

    init(
      _ group: any ProcessGroup, _ schedule: SumSchedule, counts: [Int], blockCount: Int,
      rounds: Bool
    ) {
      sum = BucketSum(
        group, largestCount: max(counts.max() ?? 0, StepRequests.count), blockCount: blockCount,
        rounds: rounds)
      self.schedule = schedule
      self.rounds = rounds
      stored = counts.map { count in
        (0..<max(blockCount - 1, 0)).map { _ in .allocate(capacity: count) }
      }
      requests = (0..<blockCount).map { _ in
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: StepRequests.count)
        memory.initialize(repeating: 0, count: StepRequests.count)
        return memory
      }
      blocks.reserveCapacity(blockCount)
    }

    deinit {
      for block in stored.joined() { block.deallocate() }
      for memory in requests { memory.deallocate() }
      allRequests.deallocate()
    }

    /// Adds up a bucket over all members; behind the last bucket what they ask for.
    func run(_ bucket: Int) throws {
      blocks.removeAll(keepingCapacity: true)
      if bucket == stored.count {
        for memory in requests.prefix(schedule.blocks.count) { blocks.append(memory) }
        try sumTimed(into: allRequests, rounds: false)
        return
      }
      for block in stored[bucket].prefix(max(schedule.blocks.count - 1, 0)) {
        blocks.append(block.baseAddress!)
      }
      if let outputs {
        blocks.append(try outputs.bytes(bucket).assumingMemoryBound(to: Float.self).baseAddress!)
      }
      try sumTimed(into: totals!.buckets[bucket], rounds: rounds && bucket > 0)
    }

    private func sumTimed(into total: UnsafeMutableBufferPointer<Float>, rounds: Bool) throws {
      let start = DispatchTime.now().uptimeNanoseconds
      try sum.sum(blocks, as: schedule, into: total, rounds: rounds)
      seconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }

  private let thread: CommunicationThread
  private let work: Work
  private let bucketCount: Int
  /// Whether buckets wait for the end of the batch, because the batch itself talks to the others.
  private let waitsForBatch: Bool
  private var schedules: [SumTree: SumSchedule] = [:]
  /// The update under way: how many blocks of it there are, and how many buckets have gone on their way.
  private var blockCount = 0
  private var startedCount = 0
  /// Which buckets the batch has started.
  private var areStarted: [Bool]
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
    self.waitsForBatch = waitsForBatch
    bucketCount = counts.count
    areStarted = [Bool](repeating: false, count: counts.count)
    for tree in trees where schedules[tree] == nil {
      schedules[tree] = SumSchedule(tree, rank: group.rank)
    }
    let blockCount = schedules.values.map(\.blocks.count).max() ?? 0
    let work = Work(
      group, schedules[trees[0]]!, counts: counts, blockCount: blockCount, rounds: rounds)
    self.work = work
    thread = try CommunicationThread(capacity: counts.count + 1) { try work.run($0) }
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
      for (bucket, blocks) in work.stored.enumerated() {
        UnsafeMutableRawBufferPointer(blocks[blockCount - 1])
          .copyMemory(from: try outputs.bytes(bucket))
      }
      return
    }
    // In the order of their numbers, which is the same for all members whatever their devices make of the batch.
    prepare(schedule, outputs, totals)
    for bucket in areStarted.indices { areStarted[bucket] = false }
    try run { bucket in
      areStarted[bucket] = true
      while !waitsForBatch, startedCount < bucketCount, areStarted[startedCount] {
        start()
      }
    }
    requests().add(to: work.requests[blockCount - 1])
    while startedCount < bucketCount { start() }
  }

  /// Says what the sums of an update are; nothing of it is under way.
  private func prepare(
    _ schedule: SumSchedule, _ outputs: (any StreamedOutputs)?, _ totals: Totals
  ) {
    (work.schedule, work.outputs, work.totals) = (schedule, outputs, totals)
  }

  /// Sends the next bucket on its way.
  private func start() {
    thread.start(startedCount)
    startedCount += 1
  }

  /// Waits for the sums of all batches, the same to the bit for every member.
  ///
  /// - Returns: what any member asked for.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func finish(_ tree: SumTree, to totals: Totals) throws -> StepRequests {
    let (schedule, work) = (schedule(tree), work)
    precondition(blockCount == schedule.blocks.count, "\(blockCount) blocks")
    // A member without a batch.
    if blockCount == 0 { prepare(schedule, nil, totals) }
    while startedCount < bucketCount { start() }
    thread.start(bucketCount)
    let start = DispatchTime.now().uptimeNanoseconds
    try thread.wait()
    exposedSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    (blockCount, startedCount) = (0, 0)
    for memory in work.requests { memory.update(repeating: 0, count: StepRequests.count) }
    return StepRequests(counts: work.allRequests.baseAddress!)
  }
}

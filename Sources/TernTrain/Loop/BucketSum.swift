import TernCluster

/// Adds up the sums of a bucket that the members of a group have computed, as a ``SumSchedule`` says: the bits do not
/// depend on the number of members. Its memory is made once.
final class BucketSum {
  private let group: any ProcessGroup
  /// What comes from others, by the block that it is added to; then partial sums of the blocks behind the first, whose
  /// are where the result is to be.
  private var received: [UnsafeMutableBufferPointer<Float>] = []
  private var partial: [UnsafeMutableBufferPointer<Float>] = []
  /// The same on the wire, where it has 16 bits.
  private var outgoing: [UnsafeMutableBufferPointer<UInt16>] = []
  private var incoming: [UnsafeMutableBufferPointer<UInt16>] = []
  /// The messages of a round; the memory of the list is kept.
  private var messages: [GroupMessage] = []

  /// - Parameters:
  ///   - largestCount: the most elements that a bucket has.
  ///   - blockCount: the most blocks that this member has of an update.
  ///   - rounds: whether sums may be rounded to 16 bits on their way.
  init(
    _ group: any ProcessGroup, largestCount: Int, blockCount: Int, rounds: Bool = false
  ) {
    self.group = group
    func allocate<Element>(_ count: Int) -> [UnsafeMutableBufferPointer<Element>] {
      (0..<count).map { _ in .allocate(capacity: largestCount) }
    }
    if rounds {
      // A member without a batch receives too.
      outgoing = allocate(max(blockCount, 1))
      incoming = allocate(max(blockCount, 1))
    }
    received = allocate(blockCount)
    partial = allocate(max(blockCount - 1, 0))
  }

  deinit {
    for buffer in received + partial { buffer.deallocate() }
    for buffer in outgoing + incoming { buffer.deallocate() }
  }

  /// - Parameters:
  ///   - blocks: the sums of the member's blocks; they are read where they are.
  ///   - total: where the sums of all go.
  ///   - rounds: whether sums are rounded to bfloat16 whenever they go to another member: the result is the same for
  ///     all, but depends on how many there are.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func sum(
    _ blocks: [UnsafePointer<Float>], as schedule: SumSchedule,
    into total: UnsafeMutableBufferPointer<Float>, rounds: Bool = false
  ) throws {
    precondition(blocks.count == schedule.blocks.count)
    let count = total.count
    guard count > 0 else { return }
    let result = total.baseAddress!
    func added(_ block: Int) -> UnsafeMutablePointer<Float> {
      block == 0 ? result : partial[block - 1].baseAddress!
    }
    func source(_ place: SumSchedule.Place) -> UnsafePointer<Float> {
      place.isAdded ? UnsafePointer(added(place.block)) : blocks[place.block]
    }
    /// - Parameter target: where what comes from others goes.
    func exchange(
      _ round: SumSchedule.Round,
      into target: (SumSchedule.Transfer) -> UnsafeMutablePointer<Float>
    ) throws {
      messages.removeAll(keepingCapacity: true)
      for transfer in round.sends {
        let elements = schedule.elements(transfer.segments, of: count)
        if elements.isEmpty { continue }
        let values = source(transfer.place) + elements.lowerBound
        let bytes: UnsafeRawBufferPointer
        if rounds {
          let bits = outgoing[transfer.place.block][elements]
          BrainFloats.encode(values, to: bits)
          bytes = UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: bits))
        } else {
          bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(start: values, count: elements.count))
        }
        messages.append(.send(bytes, to: transfer.peer))
      }
      for transfer in round.receives {
        let elements = schedule.elements(transfer.segments, of: count)
        if elements.isEmpty { continue }
        let bytes =
          rounds
          ? UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(rebasing: incoming[transfer.place.block][elements]))
          : UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(
              start: target(transfer) + elements.lowerBound, count: elements.count))
        messages.append(.receive(bytes, from: transfer.peer))
      }
      if messages.isEmpty { return }
      try group.exchange(messages)
      if rounds {
        for transfer in round.receives {
          let elements = schedule.elements(transfer.segments, of: count)
          BrainFloats.decode(
            incoming[transfer.place.block][elements], to: target(transfer) + elements.lowerBound)
        }
      }
    }
    for round in schedule.reducing {
      try exchange(round) { received[$0.place.block].baseAddress! }
      for transfer in round.receives {
        Self.add(
          source(transfer.place), received[transfer.place.block].baseAddress!,
          schedule.elements(transfer.segments, of: count), into: added(transfer.place.block))
      }
      for addition in round.additions {
        Self.add(
          source(addition.place), source(addition.other),
          schedule.elements(addition.segments, of: count), into: added(addition.place.block))
      }
    }
    for own in schedule.results {
      let elements = schedule.elements(own.segments, of: count)
      let target = result + elements.lowerBound
      if own.place != .init(block: 0, isAdded: true) {
        target.update(from: source(own.place) + elements.lowerBound, count: elements.count)
      }
      // All have what the others are sent.
      if rounds { BrainFloats.round(target, count: elements.count) }
    }
    for round in schedule.spreading { try exchange(round) { _ in result } }
  }

  private static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ elements: Range<Int>,
    into result: UnsafeMutablePointer<Float>
  ) {
    typealias Lanes = SIMD8<Float>
    let lanes = Lanes.scalarCount
    var i = elements.lowerBound
    while i + lanes <= elements.upperBound {
      let (left, right) = (UnsafeRawPointer(a + i), UnsafeRawPointer(b + i))
      UnsafeMutableRawPointer(result + i).storeBytes(
        of: left.loadUnaligned(as: Lanes.self) + right.loadUnaligned(as: Lanes.self),
        as: Lanes.self)
      i += lanes
    }
    for i in i..<elements.upperBound { result[i] = a[i] + b[i] }
  }
}

import TernCluster

/// Adds up the sums of a bucket that the members of a group have computed, as a ``SumSchedule`` says: the bits do not
/// depend on the number of members. Its memory is made once.
final class BucketSum {
  private let group: any ProcessGroup
  /// What comes from others, by the block that it is added to; then partial sums of the blocks behind the first, whose
  /// are where the result is to be.
  private var received: [UnsafeMutableBufferPointer<Float>] = []
  private var partial: [UnsafeMutableBufferPointer<Float>] = []

  /// - Parameters:
  ///   - largestCount: the most elements that a bucket has.
  ///   - blockCount: the most blocks that this member has of an update.
  init(_ group: any ProcessGroup, largestCount: Int, blockCount: Int) {
    self.group = group
    func allocate(_ count: Int) -> [UnsafeMutableBufferPointer<Float>] {
      (0..<count).map { _ in .allocate(capacity: largestCount) }
    }
    received = allocate(blockCount)
    partial = allocate(max(blockCount - 1, 0))
  }

  deinit { for buffer in received + partial { buffer.deallocate() } }

  /// - Parameters:
  ///   - blocks: the sums of the member's blocks; they are read where they are.
  ///   - total: where the sums of all go.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func sum(
    _ blocks: [UnsafePointer<Float>], as schedule: SumSchedule,
    into total: UnsafeMutableBufferPointer<Float>
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
    func bytes(_ elements: Range<Int>, _ start: UnsafePointer<Float>) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(
        UnsafeBufferPointer(start: start + elements.lowerBound, count: elements.count))
    }
    func exchange(
      _ round: SumSchedule.Round,
      into place: (SumSchedule.Transfer) -> UnsafeMutablePointer<Float>
    ) throws {
      var messages: [GroupMessage] = []
      for transfer in round.sends {
        let elements = schedule.elements(transfer.segments, of: count)
        if elements.isEmpty { continue }
        messages.append(.send(bytes(elements, source(transfer.place)), to: transfer.peer))
      }
      for transfer in round.receives {
        let elements = schedule.elements(transfer.segments, of: count)
        if elements.isEmpty { continue }
        messages.append(
          .receive(
            UnsafeMutableRawBufferPointer(mutating: bytes(elements, place(transfer))),
            from: transfer.peer))
      }
      if !messages.isEmpty { try group.exchange(messages) }
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
    for own in schedule.results where own.place != .init(block: 0, isAdded: true) {
      let elements = schedule.elements(own.segments, of: count)
      (result + elements.lowerBound).update(
        from: source(own.place) + elements.lowerBound, count: elements.count)
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

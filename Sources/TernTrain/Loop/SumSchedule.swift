/// Who sends which part of a bucket to whom, so that the sums of an update's batches are added up along a
/// ``SumTree`` and all members have the result.
///
/// A bucket is cut into segments, one for each member. Where two blocks become one, half of the segments are added
/// up by the member that has the left block and half by the one that has the right: for 2ⁿ members every one sends and
/// adds as much as the others, and no more than any all-reduce has to (Rabenseifner, "Optimization of collective
/// reduction operations", 2004). Who adds two numbers does not change their sum.
struct SumSchedule {
  /// Where a member has a partial sum: its block of that number, as it was computed, or with others added to it.
  struct Place: Hashable {
    let block: Int
    var isAdded = false
  }

  /// Segments that go from one member to another.
  struct Transfer: Equatable {
    var segments: Range<Int>
    let peer: Int
    /// Where the member has them, or what it adds them to.
    let place: Place
  }

  /// Segments of two blocks of one member.
  struct Addition: Equatable {
    var segments: Range<Int>
    let place: Place
    let other: Place
  }

  /// What goes on side by side.
  struct Round {
    var sends: [Transfer] = []
    var receives: [Transfer] = []
    var additions: [Addition] = []
  }

  /// A bucket is cut into so many segments.
  let segmentCount: Int
  /// The blocks that the member has computed.
  let blocks: [SumTree.Block]
  /// Partial sums are added up.
  private(set) var reducing: [Round] = []
  /// Sums of all go to who does not have them.
  private(set) var spreading: [Round] = []
  /// Where the member has sums of all that did not come from another.
  private(set) var results: [Transfer] = []

  /// - Parameter rank: of the member whose part it is.
  init(_ tree: SumTree, rank: Int) {
    var simulation = Simulation(tree)
    segmentCount = simulation.segmentCount
    blocks = simulation.blocks[rank]
    let holders = simulation.reduce(tree.root)!
    let levels = simulation.moves.map(\.level)
    for level in Set(levels).sorted() {
      var round = Round()
      for move in simulation.moves where move.level == level {
        if move.sender == move.receiver {
          if move.sender == rank {
            round.additions.append(
              .init(segments: move.segments, place: move.to, other: move.from))
          }
        } else if move.sender == rank {
          round.sends.append(.init(segments: move.segments, peer: move.receiver, place: move.from))
        } else if move.receiver == rank {
          round.receives.append(.init(segments: move.segments, peer: move.sender, place: move.to))
        }
      }
      reducing.append(round)
    }
    for (segment, holder) in holders.enumerated() where holder.rank == rank {
      results.append(
        .init(segments: segment..<segment + 1, peer: rank, place: holder.place))
    }
    // The way back: who took segments returns their sums.
    var haveTotals = holders.map { Set([$0.rank]) }
    for level in Set(levels).sorted(by: >) {
      spread(
        simulation.moves.filter { $0.level == level && $0.sender != $0.receiver }.flatMap { move in
          move.segments.map { Path(segment: $0, from: move.receiver, to: move.sender) }
        }, rank, &haveTotals)
    }
    // Members that had no batch.
    spread(
      (0..<tree.worldSize).flatMap { member in
        holders.enumerated().map { Path(segment: $0, from: $1.rank, to: member) }
      }, rank, &haveTotals)
  }

  /// The way of a segment's sum to a member.
  private struct Path {
    let segment: Int
    let from: Int
    let to: Int
  }

  /// Appends a round in which sums of all go to those members that do not have them yet.
  private mutating func spread(_ paths: [Path], _ rank: Int, _ haveTotals: inout [Set<Int>]) {
    var round = Round()
    var last: Path?
    for path in paths where haveTotals[path.segment].insert(path.to).inserted {
      // Sender and receiver see the same paths, and so join the same ones.
      let continues =
        last.map { ($0.segment + 1, $0.from, $0.to) == (path.segment, path.from, path.to) } ?? false
      last = path
      if path.from == rank { round.sends.append(path.segment, peer: path.to, continues) }
      if path.to == rank { round.receives.append(path.segment, peer: path.from, continues) }
    }
    spreading.append(round)
  }

  /// The elements of segments of a bucket.
  func elements(_ segments: Range<Int>, of count: Int) -> Range<Int> {
    segments.lowerBound * count / segmentCount..<segments.upperBound * count / segmentCount
  }
}

extension [SumSchedule.Transfer] {
  /// Appends a segment of the sums of all, as a transfer of its own or as the end of the last.
  fileprivate mutating func append(_ segment: Int, peer: Int, _ continues: Bool) {
    if continues {
      self[count - 1].segments = self[count - 1].segments.lowerBound..<segment + 1
    } else {
      append(
        .init(
          segments: segment..<segment + 1, peer: peer,
          place: .init(block: 0, isAdded: true)))
    }
  }
}

/// What all members do, in the order of which each finds its own part.
private struct Simulation {
  typealias Place = SumSchedule.Place

  struct Holder: Equatable {
    let rank: Int
    let place: Place
  }

  /// Segments whose partial sums a member adds to its own.
  struct Move {
    let level: Int
    var segments: Range<Int>
    let sender: Int
    let receiver: Int
    let from: Place
    let to: Place
  }

  let tree: SumTree
  let segmentCount: Int
  /// By member.
  let blocks: [[SumTree.Block]]
  private(set) var moves: [Move] = []

  init(_ tree: SumTree) {
    self.tree = tree
    var count = 1
    while count < tree.worldSize { count *= 2 }
    segmentCount = count
    blocks = (0..<tree.worldSize).map { rank in
      tree.leaves(of: rank).compactMap { tree.handedOver(withLeaf: $0, rank: rank) }
    }
  }

  /// Adds up a block.
  ///
  /// - Returns: who has the sums of each segment; `nil` where no batch is in the block.
  mutating func reduce(_ block: SumTree.Block) -> [Holder]? {
    guard block.start < tree.leafCount else { return nil }
    let first = tree.owner(ofLeaf: block.start)
    if let own = blocks[first].firstIndex(of: block) {
      return .init(repeating: Holder(rank: first, place: Place(block: own)), count: segmentCount)
    }
    let left = reduce(block.halves.left)!
    guard let right = reduce(block.halves.right) else { return left }
    // The last merge deals out neighbouring segments in turn, the one before it pairs, and so on: segments that go
    // the same way lie side by side.
    let bit = (tree.root.level - block.level) % max(1, segmentCount.trailingZeroBitCount)
    return (0..<segmentCount).map { segment in
      let toLeft = segment >> bit & 1 == 0
      let (receiver, sender) =
        toLeft ? (left[segment], right[segment]) : (right[segment], left[segment])
      move(
        Move(
          level: block.level, segments: segment..<segment + 1, sender: sender.rank,
          receiver: receiver.rank, from: sender.place, to: receiver.place))
      return Holder(
        rank: receiver.rank, place: Place(block: receiver.place.block, isAdded: true))
    }
  }

  private mutating func move(_ new: Move) {
    if let last = moves.last, last.level == new.level, last.sender == new.sender,
      last.receiver == new.receiver, last.from == new.from, last.to == new.to,
      last.segments.upperBound == new.segments.lowerBound
    {
      moves[moves.count - 1].segments = last.segments.lowerBound..<new.segments.upperBound
    } else {
      moves.append(new)
    }
  }
}

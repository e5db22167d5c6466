/// The binary tree in which the sums of an update's batches are added up: neighbours first, then
/// neighbouring pairs, and so on. The order of the additions depends on the number of batches alone, not on
/// how many processes compute them, so neither do the bits of the result.
///
/// A block of level n is 2ⁿ batches that start at a multiple of 2ⁿ.
struct SumTree: Hashable {
  /// The batches of the update; those of an epoch's last may be fewer than planned.
  let leafCount: Int
  /// The batches of every other update: what is dealt out to the processes.
  let plannedLeafCount: Int
  /// How many processes compute them.
  let worldSize: Int

  /// The batches that a process computes.
  func leaves(of rank: Int) -> Range<Int> {
    let planned =
      rank * plannedLeafCount / worldSize..<(rank + 1) * plannedLeafCount / worldSize
    return planned.clamped(to: 0..<leafCount)
  }

  /// The process that computes a batch.
  func owner(ofLeaf leaf: Int) -> Int {
    (0..<worldSize).first { leaves(of: $0).contains(leaf) }!
  }

  struct Block: Hashable {
    let start: Int
    let level: Int
    var count: Int { 1 << level }
    var end: Int { start + count }
    var parent: Block {
      Block(start: start - start % (2 * count), level: level + 1)
    }
    var halves: (left: Block, right: Block) {
      (
        Block(start: start, level: level - 1),
        Block(start: start + count / 2, level: level - 1)
      )
    }
  }

  /// The block of all batches.
  var root: Block {
    Block(start: 0, level: Int.bitWidth - max(leafCount - 1, 0).leadingZeroBitCount)
  }

  /// The largest block that is complete once `leaf` is added to what the process has.
  private func completedBlock(byLeaf leaf: Int, in own: Range<Int>) -> Block {
    var block = Block(start: leaf, level: 0)
    while block.parent.end == leaf + 1, block.parent.start >= own.lowerBound {
      block = block.parent
    }
    return block
  }

  /// What a process does with the sums of one of its batches.
  func position(ofLeaf leaf: Int, rank: Int) -> BatchPosition {
    guard plannedLeafCount > 1 else { return .only }
    let own = leaves(of: rank)
    let block = completedBlock(byLeaf: leaf, in: own)
    if worldSize == 1, leaf == leafCount - 1 {
      // What is left are the blocks of the bits of the number of batches before.
      return BatchPosition(
        merges: (0..<Int.bitWidth).filter { leaf >> $0 & 1 == 1 }, result: .update)
    }
    let parent = block.parent
    let isKept =
      worldSize == 1 || (parent.start >= own.lowerBound && parent.end <= own.upperBound)
    return BatchPosition(
      merges: Array(0..<block.level), result: isKept ? .kept(level: block.level) : .handedOver)
  }

  /// The block whose sums a process hands over with a batch; `nil` where it keeps them.
  func handedOver(withLeaf leaf: Int, rank: Int) -> Block? {
    guard position(ofLeaf: leaf, rank: rank).result == .handedOver else { return nil }
    return completedBlock(byLeaf: leaf, in: leaves(of: rank))
  }
}

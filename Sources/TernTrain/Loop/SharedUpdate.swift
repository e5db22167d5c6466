import TernCluster
import TernCore

/// What the members of a group ask for between two steps: all learn of it with the sums of an update, and so
/// stop at the same step.
struct StepRequests: Equatable {
  /// The signal that asks for an end.
  var stop: Int32?
  /// Whether a checkpoint is wanted.
  var checkpoint = false

  init(stop: Int32? = nil, checkpoint: Bool = false) {
    self.stop = stop
    self.checkpoint = checkpoint
  }

  /// As numbers to be summed with those of other members.
  var counts: [Float] {
    [
      stop == Interruption.signals[0] ? 1 : 0, stop == Interruption.signals[1] ? 1 : 0,
      checkpoint ? 1 : 0,
    ]
  }

  /// What any of the members asked for.
  init(counts: ArraySlice<Float>) {
    let counts = Array(counts)
    stop = zip(Interruption.signals, counts).first { $1 > 0 }?.0
    checkpoint = counts[2] > 0
  }

  static let count = 3
}

/// Adds up the sums of an update's batches that the members of a group have computed, along a ``SumTree``: the
/// bits do not depend on the number of members.
final class SharedUpdate {
  private let group: any ProcessGroup
  private var blocks: [SumTree.Block: [Float]] = [:]

  init(_ group: any ProcessGroup) { self.group = group }

  /// Takes the sums of a block that this member computed.
  ///
  /// - Parameter requests: of this member, where they were not handed over with another block.
  func add(_ sums: [Float], of block: SumTree.Block, requests: StepRequests) {
    blocks[block] = sums + requests.counts
  }

  /// The sums of all batches, the same to the bit for every member, and what any member asked for.
  ///
  /// - Parameter count: how many sums there are.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func total(_ tree: SumTree, count: Int) throws -> (sums: [Float], requests: StepRequests) {
    defer { blocks.removeAll(keepingCapacity: true) }
    let length = count + StepRequests.count
    let (owner, block) = try reduce(tree.root, tree, length)!
    var values = blocks.removeValue(forKey: block) ?? [Float](repeating: 0, count: length)
    precondition(values.count == length, "\(values.count) sums of \(length)")
    try values.withUnsafeMutableBytes { try group.broadcast($0, from: owner) }
    let requests = StepRequests(counts: values[count...])
    values.removeLast(StepRequests.count)
    return (values, requests)
  }

  /// Adds up a block: the member that has the left half adds the right half to it.
  ///
  /// - Returns: who has the sum, and the block under which it has it; `nil` where no batch is in the block.
  private func reduce(_ block: SumTree.Block, _ tree: SumTree, _ length: Int) throws -> (
    owner: Int, block: SumTree.Block
  )? {
    guard block.start < tree.leafCount else { return nil }
    let first = tree.owner(ofLeaf: block.start)
    // The member computed all of it.
    if block.end <= tree.leafCount, tree.leaves(of: first).upperBound >= block.end {
      return (first, block)
    }
    let halves = block.halves
    let left = try reduce(halves.left, tree, length)!
    guard let right = try reduce(halves.right, tree, length) else { return left }
    if group.rank == right.owner, right.owner != left.owner {
      let sums = blocks.removeValue(forKey: right.block)!
      try sums.withUnsafeBytes { try group.send($0, to: left.owner) }
    }
    if group.rank == left.owner {
      var sums = blocks.removeValue(forKey: left.block)!
      var others = [Float](repeating: 0, count: length)
      if right.owner == left.owner {
        others = blocks.removeValue(forKey: right.block)!
      } else {
        try others.withUnsafeMutableBytes { try group.receive($0, from: right.owner) }
      }
      for i in sums.indices { sums[i] += others[i] }
      blocks[left.block] = sums
    }
    return left
  }
}

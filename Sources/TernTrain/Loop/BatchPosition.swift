/// Where a batch stands among those whose sums one update takes.
public struct BatchPosition: Hashable, Sendable {
  /// What becomes of the sums.
  enum Result: Hashable {
    /// They are kept as a block of so many levels.
    case kept(level: Int)
    /// They are an output of the graph.
    case handedOver
    /// The parameters are updated by them.
    case update
  }

  /// Whose sums are taken.
  enum Source: Hashable {
    /// Those of the only batch that an update of this run ever has.
    case onlyBatch
    /// Those of a batch among others.
    case batch
    /// Those of all batches, which are an input of the graph.
    case total
  }

  let source: Source
  /// The levels of the blocks that are added to the batch's own sums, in this order.
  let merges: [Int]
  let result: Result

  init(_ source: Source = .batch, merges: [Int], result: Result) {
    self.source = source
    self.merges = merges
    self.result = result
  }

  /// The update's only batch.
  public static let only = BatchPosition(.onlyBatch, merges: [], result: .update)
  /// No batch: the update by the sums of all.
  static let total = BatchPosition(.total, merges: [], result: .update)

  /// A batch among `count` that one process computes one after the other.
  public init(_ number: Int, of count: Int) {
    self = SumTree(leafCount: count, plannedLeafCount: count, worldSize: 1)
      .position(ofLeaf: number, rank: 0)
  }

  /// Whether the parameters are updated.
  public var isEnd: Bool { result == .update }
}

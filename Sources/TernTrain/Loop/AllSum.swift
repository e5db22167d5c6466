import TernCluster

/// Adds up values that every member of a group has: what an update does with a bucket, by itself.
package final class AllSum {
  private let schedule: SumSchedule
  private let sum: BucketSum

  /// - Parameters:
  ///   - group: two members at least.
  ///   - largestCount: the most values of a call.
  package init(_ group: any ProcessGroup, largestCount: Int) {
    let tree = SumTree(
      leafCount: group.size, plannedLeafCount: group.size, worldSize: group.size)
    schedule = SumSchedule(tree, rank: group.rank)
    sum = BucketSum(group, largestCount: largestCount, blockCount: 1)
  }

  /// - Parameters:
  ///   - own: what this member has, as many values as `total` has room for.
  ///   - total: where the sums of all go.
  /// - Throws: ``TernError`` where a member cannot be reached.
  package func callAsFunction(
    _ own: UnsafePointer<Float>, into total: UnsafeMutableBufferPointer<Float>
  ) throws {
    try sum.sum([own], as: schedule, into: total)
  }
}

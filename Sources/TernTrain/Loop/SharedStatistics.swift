import TernCluster
import TernCore
import TernGraph

/// Adds up what members of a group have of a batch while they compute it: the statistics of batch norm.
///
/// Neighbours are added first, then neighbouring pairs, as gradients are.
final class SharedStatistics: SumExchange, @unchecked Sendable {
  private let group: any ProcessGroup
  /// How many members compute a part of the batch under way: the first ones.
  var memberCount: Int
  private var others: [Float] = []

  init(_ group: any ProcessGroup) { (self.group, memberCount) = (group, group.size) }

  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws {
    if others.count < values.count { others = [Float](repeating: 0, count: values.count) }
    let bytes = UnsafeMutableRawBufferPointer(values)
    let rank = group.rank
    // Towards the first member, and back.
    var distance = 1
    while distance < memberCount, rank % (2 * distance) == 0 {
      if rank + distance < memberCount {
        try others.withUnsafeMutableBytes {
          try group.receive(.init(rebasing: $0[..<bytes.count]), from: rank + distance)
        }
        for i in values.indices { values[i] += others[i] }
      }
      distance *= 2
    }
    if rank > 0 {
      try group.send(UnsafeRawBufferPointer(bytes), to: rank - distance)
      try group.receive(bytes, from: rank - distance)
    }
    while distance > 1 {
      distance /= 2
      if rank + distance < memberCount {
        try group.send(UnsafeRawBufferPointer(bytes), to: rank + distance)
      }
    }
  }
}

import TernCore

/// Members that train together, numbered from 0: the processes that a launcher started, or parts of one
/// process. All make the same calls in the same order.
public protocol ProcessGroup: AnyObject, Sendable {
  /// The number of this member.
  var rank: Int { get }
  /// How many members there are.
  var size: Int { get }
  /// The name of this member's machine; `nil` where all have the same for sure.
  var host: String? { get }

  /// Sends bytes to another member, which receives as many.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where the other cannot be reached.
  func send(_ bytes: UnsafeRawBufferPointer, to rank: Int) throws

  /// Receives bytes that another member sends, and waits for them.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where the other cannot be reached.
  func receive(_ bytes: UnsafeMutableRawBufferPointer, from rank: Int) throws

  /// Sends and receives several messages side by side, and waits for all of them. Between two members messages
  /// arrive in the order in which they are listed.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where a member cannot be reached.
  func exchange(_ messages: [GroupMessage]) throws

  /// Brings the bytes of one member to all.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where a member cannot be reached.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws
}

/// What one member of a group sends to another.
public enum GroupMessage {
  /// These bytes go to that member.
  case send(UnsafeRawBufferPointer, to: Int)
  /// That member's bytes come here.
  case receive(UnsafeMutableRawBufferPointer, from: Int)
}

extension ProcessGroup {
  /// For members of one process.
  public var host: String? { nil }

  /// For groups whose sends do not wait for the receiver.
  public func exchange(_ messages: [GroupMessage]) throws {
    for case .send(let bytes, let rank) in messages { try send(bytes, to: rank) }
    for case .receive(let bytes, let rank) in messages { try receive(bytes, from: rank) }
  }

  /// Brings what each member has to all, in the order of their ranks.
  public func allGather(_ own: [UInt8]) throws -> [[UInt8]] {
    var counts = [Int](repeating: 0, count: size)
    counts[rank] = own.count
    try allGather(&counts)
    var result = counts.map { [UInt8](repeating: 0, count: $0) }
    result[rank] = own
    for root in 0..<size where counts[root] > 0 {
      try result[root].withUnsafeMutableBytes { try broadcast($0, from: root) }
    }
    return result
  }

  /// Brings the number that each member has at its own place to all.
  private func allGather(_ numbers: inout [Int]) throws {
    for root in 0..<size {
      try withUnsafeMutableBytes(of: &numbers[root]) { try broadcast($0, from: root) }
    }
  }

  /// Finds out that all members have the same of everything that decides what they compute.
  ///
  /// - Throws: ``TernError`` of kind `usage` at the first member, naming one that differs; the others wait
  ///   for it to end them.
  public func check(_ facts: [(name: String, value: String)]) throws {
    let all = try facts.map { try allGather(Array($0.value.utf8)) }
    let hosts = try allGather(Array((host ?? "").utf8)).map { String(decoding: $0, as: UTF8.self) }
    if rank == 0 {
      for (fact, values) in zip(facts, all) {
        guard let other = values.firstIndex(where: { $0 != values[0] }) else { continue }
        let (own, its) = Self.difference(
          String(decoding: values[0], as: UTF8.self), String(decoding: values[other], as: UTF8.self)
        )
        throw TernError(
          .usage,
          "rank \(other)\(hosts[other].isEmpty ? "" : " on \(hosts[other])") has another \(fact.name): \(its), "
            + "where rank 0 has \(own)")
      }
    }
    var isAgreed: UInt8 = 1
    try withUnsafeMutableBytes(of: &isAgreed) { try broadcast($0, from: 0) }
  }

  /// The first lines in which two texts differ; all of both where they have different numbers of lines.
  private static func difference(_ first: String, _ second: String) -> (String, String) {
    let (a, b) = (first.split(separator: "\n"), second.split(separator: "\n"))
    guard a.count == b.count, let pair = zip(a, b).first(where: { $0 != $1 }) else {
      return (first, second)
    }
    return (String(pair.0), String(pair.1))
  }
}

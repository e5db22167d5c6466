import Foundation
import TernCore

/// Threads of one process as the members of a group.
public final class ThreadGroup: ProcessGroup, @unchecked Sendable {
  public let rank: Int
  public var size: Int { shared.size }
  private let shared: Exchange

  /// What members have sent and others have not received yet; guarded by its condition.
  private final class Exchange: @unchecked Sendable {
    let size: Int
    let condition = NSCondition()
    /// By sender and receiver.
    var messages: [[[UInt8]]]
    /// Why the group is over.
    var failure: TernError?

    init(_ size: Int) {
      self.size = size
      messages = Array(repeating: [], count: size * size)
    }
  }

  private init(_ rank: Int, _ shared: Exchange) {
    self.rank = rank
    self.shared = shared
  }

  /// The members of a group, one for each thread.
  public static func members(_ count: Int) -> [ThreadGroup] {
    let shared = Exchange(count)
    return (0..<count).map { ThreadGroup($0, shared) }
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to rank: Int) throws {
    shared.condition.withLock {
      shared.messages[self.rank * size + rank].append([UInt8](bytes))
      shared.condition.broadcast()
    }
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from rank: Int) throws {
    let place = rank * size + self.rank
    let message = try shared.condition.withLock {
      while shared.messages[place].isEmpty {
        if let failure = shared.failure { throw failure }
        shared.condition.wait()
      }
      return shared.messages[place].removeFirst()
    }
    precondition(
      message.count == bytes.count, "a message of \(message.count) bytes, not \(bytes.count)")
    bytes.copyBytes(from: message)
  }

  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
    guard rank == root else { return try receive(bytes, from: root) }
    for other in 0..<size where other != rank { try send(UnsafeRawBufferPointer(bytes), to: other) }
  }

  /// Ends the group: whoever waits for another member fails with `error`.
  public func abort(_ error: TernError) {
    shared.condition.withLock {
      shared.failure = shared.failure ?? error
      shared.condition.broadcast()
    }
  }
}

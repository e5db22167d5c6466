import Foundation
import TernCore

/// Threads of one process as the members of a group.
public final class ThreadGroup: ProcessGroup, @unchecked Sendable {
  public let rank: Int
  public var size: Int { shared.size }
  private let shared: Exchange
  /// The messages of an exchange, used again by the next.
  private var posted: [Message] = []
  private var spare: [Message] = []

  /// What members have sent and others have not received yet; guarded by its condition.
  private final class Exchange: @unchecked Sendable {
    let size: Int
    let condition = NSCondition()
    /// By sender and receiver.
    var messages: [[Message]]
    /// Why the group is over.
    var failure: TernError?

    init(_ size: Int) {
      self.size = size
      messages = Array(repeating: [], count: size * size)
    }
  }

  /// Bytes on their way; all of it is guarded by the condition.
  private final class Message: @unchecked Sendable {
    var bytes: UnsafeRawBufferPointer
    private let isOwned: Bool
    var isTaken = false

    init(_ bytes: UnsafeRawBufferPointer, isOwned: Bool) {
      (self.bytes, self.isOwned) = (bytes, isOwned)
    }

    deinit { if isOwned { bytes.deallocate() } }
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
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    copy.copyMemory(from: bytes)
    post(Message(UnsafeRawBufferPointer(copy), isOwned: true), to: rank)
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from rank: Int) throws {
    let place = rank * size + self.rank
    let message = try shared.condition.withLock {
      // Memory of a member that has failed may be gone.
      if let failure = shared.failure { throw failure }
      while shared.messages[place].isEmpty {
        if let failure = shared.failure { throw failure }
        shared.condition.wait()
      }
      return shared.messages[place].removeFirst()
    }
    precondition(
      message.bytes.count == bytes.count,
      "a message of \(message.bytes.count) bytes, not \(bytes.count)")
    bytes.copyMemory(from: message.bytes)
    shared.condition.withLock {
      message.isTaken = true
      shared.condition.broadcast()
    }
  }

  /// What is sent is copied once, by who receives it.
  public func exchange(_ messages: [GroupMessage]) throws {
    posted.removeAll(keepingCapacity: true)
    for case .send(let bytes, let rank) in messages {
      let message = spare.popLast() ?? Message(bytes, isOwned: false)
      (message.bytes, message.isTaken) = (bytes, false)
      posted.append(message)
      post(message, to: rank)
    }
    for case .receive(let bytes, let rank) in messages { try receive(bytes, from: rank) }
    try shared.condition.withLock {
      for message in posted {
        while !message.isTaken {
          if let failure = shared.failure { throw failure }
          shared.condition.wait()
        }
      }
    }
    spare.append(contentsOf: posted)
  }

  private func post(_ message: Message, to rank: Int) {
    shared.condition.withLock {
      shared.messages[self.rank * size + rank].append(message)
      shared.condition.broadcast()
    }
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

import Dispatch
import Foundation
import Synchronization
import TernCluster
import TernCore
import TernRuntime

/// The devices of one process that train together, each as a member of a group: the first on the caller's thread, every
/// other on a thread of its own.
///
/// ```swift
/// let members = try DeviceMembers(count: 2) { try Trainer(configuration, catalog: .standard, group: $0) { _ in } }
/// let trainer = try Trainer(configuration, catalog: .standard, group: members.first) { print($0) }
/// let end = try trainer.train(writingTo: run)
/// try members.finish()
/// ```
public final class DeviceMembers: Sendable {
  /// The caller's member of the group.
  public let first: any ProcessGroup
  private let count: Int
  private let members: [ThreadGroup]
  /// What the first that failed has thrown.
  private let failure = Mutex<TernError?>(nil)
  private let ended = DispatchSemaphore(value: 0)

  /// How long members that are told to end may take to leave what they are at.
  private static let patience = DispatchTimeInterval.seconds(10)

  /// Starts the threads.
  ///
  /// - Parameters:
  ///   - count: of the devices.
  ///   - make: prepares what a member behind the first trains; called on its thread.
  /// - Throws: ``TernError`` where the system gives no thread.
  public init(count: Int, _ make: @escaping @Sendable (any ProcessGroup) throws -> Trainer) throws {
    members = ThreadGroup.members(count)
    self.count = count
    first = members[0]
    for member in members.dropFirst() {
      try BackgroundThread.start("tern-device-\(member.rank)") { [self] in
        defer { ended.signal() }
        do { _ = try make(member).train(writingTo: nil) } catch {
          let kind = (error as? TernError)?.kind ?? .runtime
          // That training diverges all find out together: the first one says why.
          if kind == .diverged { return }
          fail(TernError(kind, "device \(member.rank + 1) of \(count): \(error)"))
        }
      }
    }
  }

  private func fail(_ error: TernError) {
    failure.withLock { $0 = $0 ?? error }
    for member in members { member.abort(error) }
  }

  /// Waits until the others have ended, where the first has.
  ///
  /// - Throws: what another has failed with.
  public func finish() throws {
    for _ in 1..<count { ended.wait() }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Ends the others, where the first has failed.
  ///
  /// - Returns: what is to be said: the fault of the member that failed first.
  public func end(_ error: any Error) -> any Error {
    let own = error as? TernError ?? TernError(.runtime, "\(error)")
    let cause = failure.withLock { $0 }
    fail(own)
    let deadline = DispatchTime.now() + Self.patience
    for _ in 1..<count where ended.wait(timeout: deadline) == .timedOut { break }
    return cause ?? error
  }
}

import Foundation
import TernCore

/// The thread of a process that talks to the other members of a group while the process computes: one after the other
/// it does the jobs of the numbers that it is given. Nothing is allocated meanwhile.
final class CommunicationThread {
  private final class State: @unchecked Sendable {
    let condition = NSCondition()
    /// Guarded by the condition, as all of these.
    var jobs: [Int] = []
    var isBusy = false
    var isStopped = false
    /// What the first job that failed has thrown; those behind it are left out.
    var failure: (any Error)?
    let body: @Sendable (_ job: Int) throws -> Void

    /// - Parameter capacity: the most jobs that wait at once.
    init(capacity: Int, _ body: @escaping @Sendable (_ job: Int) throws -> Void) {
      self.body = body
      jobs.reserveCapacity(capacity)
    }

    func run() {
      while true {
        condition.lock()
        isBusy = false
        condition.broadcast()
        while jobs.isEmpty, !isStopped { condition.wait() }
        guard !isStopped else { return condition.unlock() }
        let job = jobs.removeFirst()
        let isSkipped = failure != nil
        isBusy = true
        condition.unlock()
        if isSkipped { continue }
        do { try body(job) } catch {
          condition.withLock { failure = error }
        }
      }
    }
  }

  private let state: State

  /// - Parameters:
  ///   - capacity: the most jobs that wait at once.
  ///   - body: does a job.
  /// - Throws: ``TernError`` where the system gives no thread.
  init(capacity: Int, _ body: @escaping @Sendable (_ job: Int) throws -> Void) throws {
    let state = State(capacity: capacity, body)
    self.state = state
    try BackgroundThread.start("tern-exchange") { state.run() }
  }

  deinit {
    state.condition.withLock {
      state.isStopped = true
      state.condition.broadcast()
    }
  }

  /// Lets the thread do a job behind all that it was given before.
  func start(_ job: Int) {
    state.condition.withLock {
      state.jobs.append(job)
      state.condition.broadcast()
    }
  }

  /// Waits until all is done.
  ///
  /// - Throws: what the first job has thrown that failed.
  func wait() throws {
    try state.condition.withLock {
      while state.isBusy || !state.jobs.isEmpty { state.condition.wait() }
      if let failure = state.failure { throw failure }
    }
  }
}

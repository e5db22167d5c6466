import Dispatch
import Foundation
import Synchronization

/// Threads whose start is checked: a system may refuse one (`ulimit -u`, `ulimit -v`, a container's
/// limit), and who waits for a thread that never ran waits for ever.
package enum BackgroundThread {
  /// The most threads that one part of a program may ask for.
  package static let limit = 1024

  private final class Body {
    let name: String
    let run: @Sendable () -> Void
    init(_ name: String, _ run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// Starts a thread that ends with `body`.
  ///
  /// - Parameter name: how the system's tools show it.
  /// - Throws: ``TernError`` where the system gives no thread.
  package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws {
    pthread_detach(try create(name, body))
  }

  /// A thread that is to be joined or detached.
  private static func create(
    _ name: String, stackByteCount: Int? = nil, _ body: @escaping @Sendable () -> Void
  ) throws -> pthread_t {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if let stackByteCount { pthread_attr_setstacksize(&attributes, stackByteCount) }
    let held = Unmanaged.passRetained(Body(name, body))
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        Thread.current.name = body.name
        body.run()
        return nil
      }, held.toOpaque())
    guard code == 0 else {
      held.release()
      throw TernError(
        .runtime,
        "the system gives no thread for \(name): \(String(cString: strerror(code))); see ulimit -u "
          + "and -v, and ask for fewer threads")
    }
    return thread
  }

  /// Whether the system would give so many threads beside those that run, at this moment.
  ///
  /// - Throws: ``TernError`` where it does not.
  package static func checkAvailable(_ count: Int, for name: String) throws {
    let gate = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    var started = 0
    defer {
      for _ in 0..<started { gate.signal() }
      for _ in 0..<started { ended.wait() }
    }
    for _ in 0..<count {
      try start(name) {
        gate.wait()
        ended.signal()
      }
      started += 1
    }
  }

  /// Calls `body` with 0 ..< `count`, side by side on all processors; on as many threads as the system
  /// gives, at worst on the caller's alone.
  ///
  /// Dispatch's `concurrentPerform` tries for ever where no thread can be started.
  ///
  /// - Parameter limit: so many threads at most, the caller's among them.
  package static func concurrently(
    _ count: Int, name: String, stackByteCount: Int? = nil, threads limit: Int? = nil,
    _ body: @Sendable (Int) -> Void
  ) {
    guard count > 0 else { return }
    let next = Counter()
    let helpers = min(count, limit ?? ProcessInfo.processInfo.activeProcessorCount) - 1
    // Every thread has ended when this returns, and let go of the body.
    withoutActuallyEscaping(body) { body in
      let work: @Sendable () -> Void = {
        while true {
          let index = next.take()
          guard index < count else { return }
          body(index)
        }
      }
      var threads: [pthread_t] = []
      while threads.count < helpers,
        let thread = try? create(name, stackByteCount: stackByteCount, work)
      {
        threads.append(thread)
      }
      work()
      for thread in threads { pthread_join(thread, nil) }
    }
  }

  private final class Counter: Sendable {
    private let value = Atomic(0)
    func take() -> Int { value.add(1, ordering: .relaxed).oldValue }
  }
}

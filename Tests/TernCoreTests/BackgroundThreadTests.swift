import Synchronization
import TernCore
import Testing

@Suite struct BackgroundThreadTests {
  /// Each index once, and all are done when the call returns.
  @Test func concurrentCallsEnd() {
    for count in [0, 1, 2, 7, 100] {
      let hits = Mutex([Int](repeating: 0, count: count))
      for _ in 0..<20 {
        BackgroundThread.concurrently(count, name: "test") { index in
          hits.withLock { $0[index] += 1 }
        }
      }
      #expect(hits.withLock { $0.allSatisfy { $0 == 20 } })
    }
  }

  @Test func aFewThreadsAreAvailable() throws {
    try BackgroundThread.checkAvailable(3, for: "a test")
  }
}

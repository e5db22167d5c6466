import Foundation
import Synchronization
import Tern

// At file scope, because a signal handler cannot capture anything.
private let arrived = Atomic<Int32>(0)
private let wakeUp = Atomic<Int32>(-1)

/// Lets a long measurement that is interrupted give what it has: the first SIGINT or SIGTERM, also
/// that of `timeout`, ends the process with 128 and its number, after a last word; the second at
/// once.
///
/// The last word comes from a thread of its own: a driver's compiler, or a kernel, may run for a
/// minute more.
enum EarlyEnd {
  /// Starts listening.
  ///
  /// - Parameter lastWord: prints what there is; called once, on another thread.
  static func install(_ lastWord: @escaping @Sendable () -> Void) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    arrived.store(0, ordering: .relaxed)
    wakeUp.store(ends[1], ordering: .relaxed)
    let end = ends[0]
    // Without the thread a signal ends the command at once, as it does elsewhere.
    let isListening: ()? = try? BackgroundThread.start("tern-signals") {
      var byte: UInt8 = 0
      while read(end, &byte, 1) != 1 {
        if errno == EINTR { continue }
        // What cannot be waited for ends the command as it does elsewhere.
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
        return
      }
      lastWord()
      // Without the drivers' own clean-up: they are at work.
      _exit(128 + arrived.load(ordering: .relaxed))
    }
    guard isListening != nil else { return }
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        if arrived.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
        var byte: UInt8 = 0
        _ = write(wakeUp.load(ordering: .relaxed), &byte, 1)
      }
    }
    // A parent may have started this process with signals blocked, as a dispatch queue does.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }
}

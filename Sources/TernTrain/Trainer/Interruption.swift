import Foundation
import Synchronization

// At file scope, because a signal handler cannot capture anything.
private let stopSignal = Atomic<Int32>(0)
private let checkpointRequested = Atomic<Bool>(false)

/// Signals as the training loop sees them: it asks between two steps whether one has arrived.
///
/// The first SIGINT or SIGTERM asks for a checkpoint and an end, the second ends the process at
/// once; SIGUSR1 asks for a checkpoint only.
public enum Interruption {
  /// What asks for an end.
  static let signals = [SIGINT, SIGTERM]

  /// Starts listening.
  public static func install() {
    // Touched here, so that no handler runs a global's first access.
    stopSignal.store(0, ordering: .relaxed)
    checkpointRequested.store(false, ordering: .relaxed)
    for number in signals {
      signal(number) { number in
        if stopSignal.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
      }
    }
    signal(SIGUSR1) { _ in checkpointRequested.store(true, ordering: .relaxed) }
    // A parent may have started this process with signals blocked, as a dispatch queue does.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGUSR1] { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Lets writes to a closed pipe, or past a limit on file sizes, fail instead of ending the process:
  /// a run then ends with a message and its checkpoint.
  public static func ignoreWriteSignals() {
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
  }

  /// The signal that asks for an end, if one has arrived.
  public static var stop: Int32? {
    let number = stopSignal.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// What ends something long when a signal has asked for an end.
  struct Stop: Error {}

  static func check() throws {
    if stop != nil { throw Stop() }
  }

  /// Whether a checkpoint was asked for since the last call.
  public static func takeCheckpointRequest() -> Bool {
    checkpointRequested.exchange(false, ordering: .relaxed)
  }
}

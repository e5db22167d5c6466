import Foundation
import Synchronization
import Tern

/// Says which device is at work and how far it is with compiling, where that takes a while: on a terminal
/// in one line that is drawn over, elsewhere in lines now and then.
final class CompilationDisplay: Sendable {
  /// Shorter waits are not spoken of.
  private static let patience = Duration.seconds(1)
  private static let barInterval = Duration.milliseconds(200)
  private static let lineInterval = Duration.seconds(5)

  /// Whether progress goes to a terminal that can draw over a line.
  static var isTerminal: Bool {
    isatty(STDERR_FILENO) != 0
      && ProcessInfo.processInfo.environment["TERM"] ?? "dumb" != "dumb"
  }

  private let isBar: Bool
  private struct State {
    var deviceLine: String?
    var start: ContinuousClock.Instant?
    var last: ContinuousClock.Instant?
    var hasOpenBar = false
  }
  private let state = Mutex(State())

  init(isBar: Bool) { self.isBar = isBar }

  /// The same devices, each of which is spoken of where it compiles for long.
  func watching(_ catalog: DeviceCatalog) -> DeviceCatalog {
    var catalog = catalog
    catalog.didOpen = { device, choice in
      self.state.withLock {
        $0 = State()
        $0.deviceLine = Self.line(
          choice.info.id, choice.info.name, choice.reason, device.precision)
      }
    }
    return catalog
  }

  static func line(
    _ id: String, _ name: String, _ reason: String, _ precision: Precision
  ) -> String {
    "device \(id) (\(name)): \(reason)" + (precision == .fp32 ? "" : ", in \(precision.rawValue)")
  }

  /// Whether the device that was opened last was named already.
  var hasNamedDevice: Bool { state.withLock { $0.last != nil } }

  /// Runs `body`; what it compiles for long is shown.
  func during<R>(_ body: () throws -> R) rethrows -> R {
    defer { finish() }
    return try CompilationProgress.reporting({ self.show($0, of: $1) }, body)
  }

  private func show(_ done: Int, of count: Int) {
    state.withLock { state in
      let now = ContinuousClock.now
      if done == 0 { state.start = now }
      guard let start = state.start, now - start >= Self.patience else { return }
      let interval = isBar ? Self.barInterval : Self.lineInterval
      if let last = state.last, now - last < interval { return }
      state.last = now
      if let line = state.deviceLine { Output.progress(line) }
      state.deviceLine = nil
      let text = "compiling kernels \(done)/\(count), kept for later runs"
      if isBar { Output.control("\r\u{1B}[K\(text)") } else { Output.progress(text) }
      state.hasOpenBar = isBar
    }
  }

  /// Clears the line that is drawn over, before others are written.
  private func finish() {
    state.withLock { state in
      if state.hasOpenBar { Output.control("\r\u{1B}[K") }
      state.hasOpenBar = false
    }
  }
}

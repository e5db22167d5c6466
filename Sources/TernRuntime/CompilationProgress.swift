import Foundation
import Synchronization

/// Who is told how far a device is with compiling kernels: how many are done, of how many.
///
/// ```swift
/// try CompilationProgress.reporting({ done, count in print("\(done)/\(count)") }) {
///   try session.compile(graph)
/// }
/// ```
package enum CompilationProgress {
  /// Called from any thread.
  package typealias Report = @Sendable (_ done: Int, _ count: Int) -> Void

  /// By the thread that compiles a graph.
  private static let reports = Mutex<[pthread_t: Report]>([:])

  /// Calls `body`; graphs that it compiles on this thread are reported.
  package static func reporting<Result>(
    _ report: @escaping Report, _ body: () throws -> Result
  ) rethrows -> Result {
    let thread = pthread_self()
    let outer = reports.withLock { reports in
      defer { reports[thread] = report }
      return reports[thread]
    }
    defer { reports.withLock { $0[thread] = outer } }
    return try body()
  }

  /// Who is told of what this thread compiles.
  package static var report: Report? { reports.withLock { $0[pthread_self()] } }
}

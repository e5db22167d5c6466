/// Who is told how far a device is with compiling kernels: how many are done, of how many. Told from any
/// thread.
///
/// ```swift
/// try CompilationProgress.$report.withValue({ done, count in print("\(done)/\(count)") }) {
///   try session.compile(graph)
/// }
/// ```
public enum CompilationProgress {
  @TaskLocal public static var report: (@Sendable (_ done: Int, _ count: Int) -> Void)?
}

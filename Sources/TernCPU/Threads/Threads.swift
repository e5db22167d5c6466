import COpenMP

/// The team of threads that runs oneDNN's primitives and Tern's own loops.
struct Threads: Sendable {
  let count: Int

  init(count: Int?) { self.count = count ?? Int(omp_get_max_threads()) }

  /// Makes parallel regions that this thread starts use the team. OpenMP keeps the number per
  /// starting thread, so whoever plans or replays says it again.
  func activate() { omp_set_num_threads(Int32(count)) }

  /// A loop over `0..<count`, cut into one part per thread.
  ///
  /// - Parameters:
  ///   - grain: the least number of iterations worth a thread of its own.
  ///   - alignment: parts start at multiples of it.
  ///   - body: runs one part.
  func loop(
    _ count: Int, grain: Int = 1, alignment: Int = 1, _ body: @escaping (Range<Int>) -> Void
  ) -> Step {
    partitioned(count, grain: grain, alignment: alignment) { range, _ in body(range) }
  }

  /// As ``loop(_:grain:alignment:_:)``, but tells the body which of ``count`` parts it runs.
  func partitioned(
    _ count: Int, grain: Int = 1, alignment: Int = 1,
    _ body: @escaping (_ range: Range<Int>, _ part: Int) -> Void
  ) -> Step {
    let parts = min(self.count, max(1, count / max(grain, 1)))
    guard parts > 1 else { return { body(0..<count, 0) } }
    let loop = ParallelLoop(count: count, parts: parts, alignment: alignment, body)
    return { loop.run() }
  }
}

/// A loop with everything prepared, so that running it allocates nothing.
private final class ParallelLoop {
  private let parts: Int
  private let count: Int
  /// The length of every part but the last.
  private let length: Int
  private let body: (Range<Int>, Int) -> Void

  init(
    count: Int, parts: Int, alignment: Int, _ body: @escaping (Range<Int>, Int) -> Void
  ) {
    self.count = count
    self.parts = parts
    let even = (count + parts - 1) / parts
    length = (even + alignment - 1) / alignment * alignment
    self.body = body
  }

  func run() {
    GOMP_parallel(
      { Unmanaged<ParallelLoop>.fromOpaque($0!).takeUnretainedValue().runParts() },
      Unmanaged.passUnretained(self).toOpaque(), UInt32(parts), 0)
  }

  /// Runs this thread's parts: more than one where the system granted fewer threads.
  private func runParts() {
    let threads = Int(omp_get_num_threads())
    for part in stride(from: Int(omp_get_thread_num()), to: parts, by: threads) {
      let start = min(part * length, count)
      let end = min(start + length, count)
      if start < end { body(start..<end, part) }
    }
  }
}

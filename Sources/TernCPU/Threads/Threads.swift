import CTeam
import TernCore

/// The team of threads that runs oneDNN's primitives and Tern's own loops.
///
/// A loop is cut into parts whose number depends on ``count`` alone, and what a part computes on its own
/// number alone. Which thread runs a part is decided while it runs, so the same ``count`` gives the same
/// bits on a busy machine and on a quiet one.
struct Threads: Sendable {
  let count: Int

  init(count: Int?) { self.count = count ?? Int(tern_team_processor_count()) }

  /// Makes loops that this thread starts use the team, or be left to this thread alone; said again by
  /// whoever plans or replays, for it holds per starting thread.
  ///
  /// - Throws: ``TernError`` where the system gives fewer threads.
  func activate(alone: Bool = false) throws {
    guard tern_team_start(Int32(count)) else {
      throw TernError(
        .runtime,
        "the system gives no thread for the CPU's team; see ulimit -u and -v, and ask for fewer threads"
      )
    }
    tern_team_set_size(Int32(count))
    tern_team_set_alone(alone)
  }

  /// What `make` prepares of oneDNN runs on the thread that calls it, alone.
  func onOneThread<Result>(_ make: () throws -> Result) rethrows -> Result {
    tern_team_set_size(1)
    defer { tern_team_set_size(Int32(count)) }
    return try make()
  }

  /// Steps that need nothing of each other, run by whoever is free. The first error is thrown when all have
  /// ended.
  func sideBySide(_ steps: [Step]) -> Step {
    let failures = Failures(count: steps.count)
    let loop = ParallelLoop(count: steps.count, parts: steps.count, alignment: 1) { range, _ in
      for index in range {
        do { try steps[index]() } catch { failures.list[index] = error }
      }
    }
    return {
      loop.run()
      guard let failure = failures.list.lazy.compactMap(\.self).first else { return }
      failures.list = failures.list.map { _ in nil }
      throw failure
    }
  }

  /// Every step has a place of its own.
  private final class Failures {
    var list: [(any Error)?]
    init(count: Int) { list = [(any Error)?](repeating: nil, count: count) }
  }

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
    tern_team_run(
      Int32(parts),
      { Unmanaged<ParallelLoop>.fromOpaque($0!).takeUnretainedValue().runPart(Int($1)) },
      Unmanaged.passUnretained(self).toOpaque())
  }

  private func runPart(_ part: Int) {
    let start = min(part * length, count)
    let end = min(start + length, count)
    if start < end { body(start..<end, part) }
  }
}

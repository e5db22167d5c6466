/// How long a search may take. Every problem gets an equal part of what is left; what it does not
/// need is for the others.
///
/// A compiler cannot be interrupted. So a candidate is not begun where others like it took longer, in
/// the mean, than there is time.
package struct TuningBudget {
  private let clock = ContinuousClock()
  private let end: ContinuousClock.Instant
  private var problemEnd: ContinuousClock.Instant
  /// How often candidates of a kind were compiled and checked, and how long that took in all.
  private var preparations: [Substring: (count: Int, seconds: Double)] = [:]

  /// - Parameter seconds: for all problems together, from now on.
  package init(seconds: Double) {
    end = clock.now + .seconds(seconds)
    problemEnd = end
  }

  /// In seconds; negative where it was exceeded.
  package var remainingSeconds: Double { (end - clock.now) / .seconds(1) }

  /// Gives the next problem its part.
  package mutating func start(problemsLeft: Int) {
    problemEnd = clock.now + (end - clock.now) / max(1, problemsLeft)
  }

  /// The kind of a candidate: `packed` of `packed 8x2`.
  private func kind(_ candidate: String) -> Substring { candidate.prefix { $0 != " " } }

  /// Whether a candidate of the current problem is expected to be compiled and checked in time.
  func admits(_ candidate: String) -> Bool {
    let means = preparations.mapValues { $0.seconds / Double($0.count) }
    let expected = means[kind(candidate)] ?? means.values.max() ?? 0
    return clock.now + .seconds(expected) <= problemEnd
  }

  /// Compiles and checks a candidate, and remembers how long that takes.
  mutating func preparing<Result>(
    _ candidate: String, _ prepare: () throws -> (Result, isRight: Bool)
  ) rethrows -> (Result, isRight: Bool, seconds: Double) {
    let start = clock.now
    let (result, isRight) = try prepare()
    let seconds = (clock.now - start) / .seconds(1)
    preparations[kind(candidate), default: (0, 0)].count += 1
    preparations[kind(candidate)]!.seconds += seconds
    return (result, isRight, seconds)
  }
}

/// Times steps in groups, after a warm-up, and waits for the device once per group: a step by itself
/// would measure the waiting.
package struct StepTimer: Sendable {
  /// How long to measure, in seconds.
  package var seconds: Double
  /// How many steps to time, in place of ``seconds``.
  package var iterations: Int?
  /// The least time of a group, in seconds.
  package var groupSeconds: Double
  /// A step that takes longer, in seconds, is not timed again.
  package var limit: Double

  package init(
    seconds: Double, iterations: Int? = nil, groupSeconds: Double = 0.002,
    limit: Double = .infinity
  ) {
    self.seconds = seconds
    self.iterations = iterations
    self.groupSeconds = groupSeconds
    self.limit = limit
  }

  package struct Timing: Sendable {
    /// The time of a step in each group, in seconds, ascending.
    package let samples: [Double]
    /// All steps that were timed.
    package let iterations: Int

    package init(samples: [Double], iterations: Int) {
      self.samples = samples.sorted()
      self.iterations = iterations
    }

    package var least: Double { samples[0] }
    package var median: Double { samples[samples.count / 2] }
    /// What 95 of 100 samples stay below.
    package var percentile95: Double { samples[min(samples.count - 1, samples.count * 95 / 100)] }
  }

  /// So many groups are timed even where they take longer than ``seconds``, but no more than
  /// ``patience`` times as long: then one is enough.
  private static let minimumGroupCount = 3
  private static let patience = 4.0

  /// The shortest run of something, after one that does not count: what other programs can only add
  /// to.
  ///
  /// - Parameters:
  ///   - repetitions: at least so many.
  ///   - seconds: for at least so long; on a machine that is shared, the more short runs the better.
  ///   - body: does the work and waits for it.
  /// - Returns: seconds.
  package static func shortest(
    of repetitions: Int = 5, seconds: Double = 0, _ body: () throws -> Void
  ) rethrows -> Double {
    try body()
    return try each(repetitions, seconds: seconds, body).least
  }

  /// The time of each run of something.
  ///
  /// - Parameters: as of ``shortest(of:seconds:_:)``.
  package static func each(
    _ repetitions: Int, seconds: Double = 0, _ body: () throws -> Void
  ) rethrows -> Timing {
    let clock = ContinuousClock()
    var (samples, spent) = ([Double](), 0.0)
    while samples.count < repetitions || spent < seconds {
      samples.append(try clock.measure(body) / .seconds(1))
      spent += max(samples.last!, 1e-9)
    }
    return Timing(samples: samples, iterations: samples.count)
  }

  /// Replays a graph whose inputs have been handed over.
  ///
  /// - Parameter isWarm: whether it has been run before; a long first step then counts.
  package func measure(_ executable: Executable, isWarm: Bool = false) throws -> Timing {
    try Turns(self, executable.step, executable.synchronize, isWarm: isWarm)
      .all(Self.minimumGroupCount)
  }

  package func measure(
    _ step: () throws -> Void, synchronize: () throws -> Void
  ) throws -> Timing {
    try withoutActuallyEscaping(step) { step in
      try withoutActuallyEscaping(synchronize) { synchronize in
        try Turns(self, step, synchronize).all(Self.minimumGroupCount)
      }
    }
  }

  /// Measures two things by turns, so that both see the machine in the same state. One that takes
  /// longer than ``seconds`` is run once.
  ///
  /// - Precondition: both have been run before.
  package func measure(
    _ first: Executable, alternatingWith second: Executable
  ) throws -> (Timing, Timing) {
    let count = Self.minimumGroupCount
    var turns = try [first, second].map {
      try Turns(self, $0.step, $0.synchronize, isWarm: true)
    }
    for _ in 0..<count {
      for index in turns.indices where !turns[index].isLong {
        try turns[index].take(1, ofTurns: count)
      }
    }
    return (turns[0].timing, turns[1].timing)
  }

  /// The groups of one thing that is measured.
  private struct Turns {
    private let timer: StepTimer
    private let step: () throws -> Void
    private let synchronize: () throws -> Void
    private let clock = ContinuousClock()
    /// The steps of a group.
    private var size = 1
    private var samples: [Double] = []
    /// Whether the step takes longer than it may.
    private var isOver = false

    /// Finds out how many steps a group needs.
    ///
    /// - Parameter isWarm: whether a long first step may count as a group.
    init(
      _ timer: StepTimer, _ step: @escaping () throws -> Void,
      _ synchronize: @escaping () throws -> Void, isWarm: Bool = false
    ) throws {
      (self.timer, self.step, self.synchronize) = (timer, step, synchronize)
      // The first steps may be slower than those to come; a long one shows it less.
      var elapsed = try time(1)
      // Another program may have had the core, for a moment as long as several short runs.
      for _ in 0..<2 where elapsed > timer.limit && elapsed < timer.seconds {
        elapsed = min(elapsed, try time(1))
      }
      if elapsed > timer.limit {
        (samples, isOver) = ([elapsed], true)
        return
      }
      if elapsed < 10 * timer.groupSeconds {
        elapsed = try time(1)
      } else if isWarm {
        samples = [elapsed]
      }
      while elapsed < timer.groupSeconds, size < 1 << 16 {
        let wanted = Double(size) * timer.groupSeconds / max(elapsed, 1e-9)
        size = max(2 * size, Int(min(wanted, Double(8 * size))))
        elapsed = try time(size)
      }
      if let iterations = timer.iterations {
        size = max(1, min(size, iterations / StepTimer.minimumGroupCount))
      }
    }

    private func time(_ count: Int) throws -> Double {
      let start = clock.now
      for _ in 0..<count { try step() }
      try synchronize()
      return (clock.now - start) / .seconds(1)
    }

    /// Times a turn: its part of the time or of the iterations, at least so many groups.
    mutating func take(_ groupCount: Int, ofTurns turnCount: Int) throws {
      let (start, first) = (clock.now, samples.count)
      func isDone() -> Bool {
        let count = samples.count - first
        if let iterations = timer.iterations { return count * size * turnCount >= iterations }
        let elapsed = (clock.now - start) / .seconds(1) * Double(turnCount)
        if samples.isEmpty || elapsed < timer.seconds { return false }
        return count >= groupCount || elapsed >= StepTimer.patience * timer.seconds
      }
      while !isDone() { samples.append(try time(size) / Double(size)) }
    }

    /// Times everything in one turn.
    consuming func all(_ groupCount: Int) throws -> Timing {
      if isOver { return timing }
      if timer.iterations != nil || spent < StepTimer.patience * timer.seconds {
        try take(groupCount, ofTurns: 1)
      }
      return timing
    }

    /// Whether the time is over already.
    var isLong: Bool { timer.iterations == nil && spent >= timer.seconds }

    /// The time of all groups, in seconds.
    private var spent: Double { Double(size) * samples.reduce(0, +) }

    var timing: Timing { Timing(samples: samples, iterations: samples.count * size) }
  }
}

/// Times steps in groups, after a warm-up, and waits for the device once per group: a step by itself
/// would measure the waiting.
public struct StepTimer: Sendable {
  /// How long to measure, in seconds.
  public var seconds: Double
  /// How many steps to time, in place of ``seconds``.
  public var iterations: Int?
  /// The least time of a group, in seconds.
  public var groupSeconds: Double

  public init(seconds: Double, iterations: Int? = nil, groupSeconds: Double = 0.002) {
    self.seconds = seconds
    self.iterations = iterations
    self.groupSeconds = groupSeconds
  }

  public struct Timing: Sendable {
    /// The time of a step in each group, in seconds, ascending.
    public let samples: [Double]
    /// All steps that were timed.
    public let iterations: Int

    init(samples: [Double], iterations: Int) {
      self.samples = samples.sorted()
      self.iterations = iterations
    }

    public var least: Double { samples[0] }
    public var median: Double { samples[samples.count / 2] }
    /// What 95 of 100 samples stay below.
    public var percentile95: Double { samples[min(samples.count - 1, samples.count * 95 / 100)] }
  }

  /// At least so many groups are timed, however long they take.
  private static let minimumGroupCount = 3

  /// Replays a graph whose inputs have been handed over.
  public func measure(_ executable: Executable) throws -> Timing {
    try Turns(self, executable.step, executable.synchronize).all(Self.minimumGroupCount)
  }

  public func measure(
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
  public func measure(
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
        return count >= groupCount
          && (clock.now - start) / .seconds(1) >= timer.seconds / Double(turnCount)
      }
      while !isDone() { samples.append(try time(size) / Double(size)) }
    }

    /// Times everything in one turn.
    consuming func all(_ groupCount: Int) throws -> Timing {
      try take(groupCount, ofTurns: 1)
      return timing
    }

    /// Whether the time is over already.
    var isLong: Bool {
      timer.iterations == nil && Double(size) * samples.reduce(0, +) >= timer.seconds
    }

    var timing: Timing { Timing(samples: samples, iterations: samples.count * size) }
  }
}

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

    /// Both together.
    public func merging(_ other: Timing) -> Timing {
      Timing(samples: samples + other.samples, iterations: iterations + other.iterations)
    }

    public var median: Double { samples[samples.count / 2] }
    /// What 95 of 100 samples stay below.
    public var percentile95: Double { samples[min(samples.count - 1, samples.count * 95 / 100)] }
  }

  /// At least so many groups are timed, however long they take.
  private static let minimumGroupCount = 5

  public func measure(
    _ step: () throws -> Void, synchronize: () throws -> Void
  ) throws -> Timing {
    let clock = ContinuousClock()
    func time(_ count: Int) throws -> Double {
      let start = clock.now
      for _ in 0..<count { try step() }
      try synchronize()
      return (clock.now - start) / .seconds(1)
    }
    _ = try time(2)
    var size = 1
    // Doubled until a group is long enough: the first steps may be slower than those to come.
    while case let elapsed = try time(size), elapsed < groupSeconds, size < 1 << 16 {
      size = max(2 * size, min(Int(Double(size) * groupSeconds / max(elapsed, 1e-9)), 8 * size))
    }
    if let iterations { size = max(1, min(size, iterations / Self.minimumGroupCount)) }

    var samples: [Double] = []
    let start = clock.now
    func isDone() -> Bool {
      if let iterations { return samples.count * size >= iterations }
      return samples.count >= Self.minimumGroupCount && (clock.now - start) / .seconds(1) >= seconds
    }
    while !isDone() { samples.append(try time(size) / Double(size)) }
    return Timing(samples: samples, iterations: samples.count * size)
  }

  /// Replays a graph whose inputs have been handed over.
  public func measure(_ executable: Executable) throws -> Timing {
    try measure(executable.step, synchronize: executable.synchronize)
  }
}

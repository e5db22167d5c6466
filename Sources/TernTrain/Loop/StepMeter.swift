import Foundation

/// Measures how fast training steps go: wall-clock time, without what is not training.
struct StepMeter {
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var lapStart: ContinuousClock.Instant
  private var pauseStart: ContinuousClock.Instant?
  private var paused = Duration.zero
  private var pausedInLap = Duration.zero
  private var lapSamples = 0
  private var lapSteps = 0
  private var lapWaitSeconds = 0.0
  private var lastLap = (samplesPerSecond: 0.0, waitPerStep: 0.0)
  private(set) var sampleCount = 0

  init() {
    start = clock.now
    lapStart = start
  }

  mutating func count(_ samples: Int) {
    sampleCount += samples
    lapSamples += samples
    lapSteps += 1
  }

  /// Leaves out what happens until ``resume()``: evaluation, checkpoints.
  mutating func pause() { pauseStart = clock.now }

  mutating func resume() {
    guard let pauseStart else { return }
    let length = clock.now - pauseStart
    paused += length
    pausedInLap += length
    self.pauseStart = nil
  }

  /// Training time so far, in seconds.
  var seconds: Double { Self.seconds(clock.now - start - paused) }

  /// The samples per second and the waiting per step since the last lap; that one's again where
  /// nothing was done since.
  ///
  /// - Parameter waitSeconds: all waiting for data so far.
  mutating func lap(waitSeconds: Double) -> (samplesPerSecond: Double, waitPerStep: Double) {
    guard lapSteps > 0 else { return lastLap }
    let now = clock.now
    let length = Self.seconds(now - lapStart - pausedInLap)
    lastLap = (
      Double(lapSamples) / max(length, 1e-9), (waitSeconds - lapWaitSeconds) / Double(lapSteps)
    )
    (lapStart, pausedInLap, lapSamples, lapSteps) = (now, .zero, 0, 0)
    lapWaitSeconds = waitSeconds
    return lastLap
  }

  private static func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}

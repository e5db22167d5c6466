import CTeam
import Dispatch

/// Decides, by measured steps, whether loops are worth more than the starting thread at the moment.
///
/// Where others use the cores too, a helper is often late, and what it computes is waited for longer than
/// it takes to compute. As soon as a good part of the steps is such waiting, a few steps are run alone; what
/// was faster is kept, and the other tried again from time to time. On a quiet machine nobody waits, and
/// nothing is tried. The results do not depend on it, see ``Threads``.
struct ThreadGovernor {
  /// Whether the next step is to run on the starting thread alone.
  private(set) var isAlone = false

  /// What is measured before it is judged: so many steps, and as long.
  private static let windowCount = 3
  private static let windowSeconds = 0.05
  /// How long it takes, after a change, until the system has moved the threads and its neighbours to the
  /// cores that are free now.
  private static let settlingSeconds = 0.03
  /// The part of the time spent waiting from which on it is worth a try to be alone.
  private static let waitingPart = 0.1
  /// By how much the other way must be faster.
  private static let gain = 0.95
  /// How long a decision holds, in seconds and in steps; every time it is confirmed, twice as long.
  private static let firstHold = (seconds: 0.25, count: 16)
  /// How much the latest window counts in what a step takes at present.
  private static let recentPart = 0.3
  private static let longestHold = (seconds: 4.0, count: 256)

  private var hold = (seconds: 0.1, count: 6)
  // Since the last decision.
  private var heldSeconds = 0.0
  private var heldCount = 0
  // Of the window under way.
  private var seconds = 0.0
  private var waited = 0.0
  private var count = 0
  /// What is left of the time to settle in.
  private var settling = 0.0
  /// The seconds of a step since the last change, the latest counting most.
  private var recentStep: Double?
  /// The seconds of a step the other way, while this way is tried.
  private var otherStep: Double?

  /// A step ended.
  ///
  /// - Parameter waited: how much of it was waiting for helpers.
  mutating func note(seconds: Double, waited: Double) {
    heldSeconds += seconds
    heldCount += 1
    if settling > 0 {
      settling -= seconds
      // A step that takes much longer than it takes to settle says enough.
      if seconds < 4 * Self.settlingSeconds { return }
    }
    self.seconds += seconds
    self.waited += waited
    count += 1
    guard count >= Self.windowCount, self.seconds >= Self.windowSeconds else { return }
    let step = self.seconds / Double(count)
    let isWaiting = self.waited > Self.waitingPart * self.seconds
    (self.seconds, self.waited, count) = (0, 0, 0)
    if let otherStep {
      self.otherStep = nil
      if step < Self.gain * otherStep {
        recentStep = step
        decided(isConfirmed: false)
      } else {
        change(from: otherStep)
        decided(isConfirmed: true)
      }
      return
    }
    let recent = recentStep.map { $0 + Self.recentPart * (step - $0) } ?? step
    recentStep = recent
    if heldSeconds >= hold.seconds, heldCount >= hold.count, isAlone || isWaiting {
      otherStep = recent
      change(from: nil)
    }
  }

  /// Goes over to the other way, of which `step` is known.
  private mutating func change(from step: Double?) {
    isAlone.toggle()
    recentStep = step
    settling = Self.settlingSeconds
  }

  private mutating func decided(isConfirmed: Bool) {
    (heldSeconds, heldCount) = (0, 0)
    guard isConfirmed, hold.seconds >= Self.firstHold.seconds else {
      hold = Self.firstHold
      return
    }
    hold.seconds = min(2 * hold.seconds, Self.longestHold.seconds)
    hold.count = min(2 * hold.count, Self.longestHold.count)
  }
}

import CTeam
import Dispatch

/// Decides, by measured steps, whether loops are worth more than the starting thread at the moment.
///
/// Where others use the cores too, a helper is often late, and what it computes is waited for longer than
/// it takes to compute. As soon as a good part of the steps is such waiting, a few steps are run alone. Where they
/// are faster, a few more are run as before: only what is faster than those before and after it is kept, since steps
/// take longer for many reasons, at the start above all. The other way is tried again from time to time, but not for
/// waiting that was there when it was found slower: parts of a loop may be of unequal length. Where nobody
/// waits, nothing is tried. The results do not depend on it, see ``Threads``.
struct ThreadGovernor {
  /// Whether the next step is to run on the starting thread alone.
  private(set) var isAlone = false

  /// What is measured before it is judged: so many steps, and as long.
  private static let windowCount = 3
  private static let windowSeconds = 0.05
  /// How long it takes, after a change, until the system has moved the threads and its neighbours to the
  /// cores that are free now.
  private static let settlingSeconds = 0.03
  /// The first steps touch memory for the first time.
  private static let firstCount = 2
  /// The part of the time spent waiting from which on it is worth a try to be alone, and from which on in any case.
  private static let waitingParts = 0.1...0.3
  /// By how much waiting has to grow until what was slower is tried again: parts may be of unequal length.
  private static let waitingGrowth = 1.25
  /// By how much the other way must be faster.
  private static let gain = 0.95
  /// How long a decision holds, in seconds and in steps; every time it is confirmed, twice as long.
  private static let firstHold = (seconds: 0.25, count: 16)
  /// How much the latest window counts in what a step takes at present.
  private static let recentPart = 0.3
  private static let longestHold = (seconds: 4.0, count: 256)

  /// What is measured while the other way is tried.
  private enum Trial {
    /// The other way; of the usual one it is known what a step takes.
    case other(usual: Double)
    /// The usual way once more, where the other was faster.
    case usual(other: Double)
  }

  private var hold = (seconds: 0.1, count: 6)
  /// The part of the time spent waiting that is no reason to try anything.
  private var toleratedPart = waitingParts.lowerBound
  /// What it was before the trial.
  private var waitedPart = 0.0
  /// How many steps are still left out.
  private var unmeasured = firstCount
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
  private var trial: Trial?

  /// A step ended.
  ///
  /// - Parameter waited: how much of it was waiting for helpers.
  mutating func note(seconds: Double, waited: Double) {
    if unmeasured > 0 {
      unmeasured -= 1
      return
    }
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
    let step = self.seconds / Double(count)
    guard self.seconds >= Self.windowSeconds && count >= Self.windowCount || isHopeless(step) else {
      return
    }
    let part = self.waited / self.seconds
    (self.seconds, self.waited, count) = (0, 0, 0)
    switch trial {
    case .other(let usual):
      let isFaster = step < Self.gain * usual
      trial = isFaster ? .usual(other: step) : nil
      change(knowing: usual)
      if !isFaster { decided(isConfirmed: true) }
      return
    case .usual(let other):
      trial = nil
      let isSlower = other < Self.gain * step
      if isSlower { change(knowing: other) } else { recentStep = step }
      decided(isConfirmed: !isSlower)
      return
    case nil: break
    }
    let recent = recentStep.map { $0 + Self.recentPart * (step - $0) } ?? step
    recentStep = recent
    if heldSeconds >= hold.seconds, heldCount >= hold.count, isAlone || part > toleratedPart {
      waitedPart = part
      // The latest alone: a neighbour may just have come.
      trial = .other(usual: isAlone ? recent : step)
      change(knowing: nil)
    }
  }

  /// Whether the other way is slower beyond doubt, before a whole window of it was measured.
  private func isHopeless(_ step: Double) -> Bool {
    guard case .other(let usual) = trial else { return false }
    return step > usual && (seconds >= Self.windowSeconds || count >= Self.windowCount)
  }

  /// Goes over to the other way, of which it may be known what a step takes.
  private mutating func change(knowing step: Double?) {
    isAlone.toggle()
    recentStep = step
    settling = Self.settlingSeconds
  }

  private mutating func decided(isConfirmed: Bool) {
    (heldSeconds, heldCount) = (0, 0)
    let parts = Self.waitingParts
    toleratedPart =
      isConfirmed
      ? min(max(Self.waitingGrowth * waitedPart, parts.lowerBound), parts.upperBound)
      : parts.lowerBound
    guard isConfirmed, hold.seconds >= Self.firstHold.seconds else {
      hold = Self.firstHold
      return
    }
    hold.seconds = min(2 * hold.seconds, Self.longestHold.seconds)
    hold.count = min(2 * hold.count, Self.longestHold.count)
  }
}

/// What the members of a group ask for between two steps: all learn of it with the sums of an update, and so
/// stop at the same step.
struct StepRequests: Equatable {
  /// The signal that asks for an end.
  var stop: Int32?
  /// Whether a checkpoint is wanted.
  var checkpoint = false

  init(stop: Int32? = nil, checkpoint: Bool = false) {
    self.stop = stop
    self.checkpoint = checkpoint
  }

  /// Adds what is asked for, as numbers to be summed with those of other members.
  func add(to counts: UnsafeMutablePointer<Float>) {
    if let stop, let signal = Interruption.signals.firstIndex(of: stop) { counts[signal] += 1 }
    if checkpoint { counts[2] += 1 }
  }

  /// What any of the members asked for.
  ///
  /// - Parameter counts: ``count`` numbers.
  init(counts: UnsafePointer<Float>) {
    stop = Interruption.signals.indices.first { counts[$0] > 0 }.map { Interruption.signals[$0] }
    checkpoint = counts[2] > 0
  }

  static let count = 3
}

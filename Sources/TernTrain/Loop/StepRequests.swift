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

  /// As numbers to be summed with those of other members.
  var counts: [Float] {
    [
      stop == Interruption.signals[0] ? 1 : 0, stop == Interruption.signals[1] ? 1 : 0,
      checkpoint ? 1 : 0,
    ]
  }

  /// What any of the members asked for.
  init(counts: ArraySlice<Float>) {
    let counts = Array(counts)
    stop = zip(Interruption.signals, counts).first { $1 > 0 }?.0
    checkpoint = counts[2] > 0
  }

  static let count = 3
}

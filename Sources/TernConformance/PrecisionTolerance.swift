import Tern

/// How far a result may be off on a device that computes in 16 bits: so many times the relative error of one
/// rounding, of the largest number of the result. The one table of it.
enum PrecisionTolerance {
  /// The roundings that add up. Those of a sum's operands average out; those of values that each other step
  /// reads do not.
  private static func roundings(_ operation: String) -> Double {
    switch operation {
    // A network's layers, and a training's steps.
    case "train", "model": 64
    case let name where isRecurrent(name): 16
    default: 8
    }
  }

  private static func isRecurrent(_ operation: String) -> Bool {
    ["rnn", "gru", "lstm"].contains { operation.hasPrefix($0) }
  }

  /// What is the largest number of a result to be compared with. The gradients of a cell's gates cancel out in
  /// sums, of which nothing but rounding may be left: there it is the largest of all results.
  static func scale(_ operation: String, _ expected: HostTensor, of all: [HostTensor]) -> Double {
    (isRecurrent(operation) ? all : [expected])
      .map { $0.doubles.filter(\.isFinite).map(abs).max() ?? 0 }.max() ?? 0
  }

  /// What is added to a case's own tolerance.
  static func scaled(_ operation: String, _ device: any Device) -> Double {
    device.precision == .fp32 ? 0 : roundings(operation) * device.precision.unitRoundoff
  }

  /// How far off whole numbers may be that come out exact in float32: not at all where they are stored so, and
  /// by the one rounding of the result where that is stored in 16 bits. No operand is rounded.
  static func exact(_ device: any Device) -> Double {
    device.autocastType?.unitRoundoff ?? 0
  }
}

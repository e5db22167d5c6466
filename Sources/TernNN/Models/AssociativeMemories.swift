import TernCore

/// Memories that store what they are given in one pass.
extension ZooEntry {
  /// Units as many as inputs, which are on where an input is above 0.
  ///
  /// Source: Hopfield, "Neural networks and physical systems with emergent collective computational
  /// abilities", 1982.
  static let hopfield = ZooEntry(
    "hopfield", source: "Hopfield, 1982", inputShape: [100], classCount: 2, task: .association,
    settings: ["epochs": .int(1), "normalize": .string("none"), "test_split": .double(0)]
  ) { _, _ in
    Functional.flatten.named("flatten")
    HopfieldNetwork().named("memory")
  }

  /// The same, which stores by Storkey's rule: more patterns fit, and they come back whole.
  ///
  /// Source: Storkey, "Increasing the capacity of a Hopfield network without sacrificing functionality",
  /// 1997.
  static let storkey = ZooEntry(
    "hopfield-storkey", source: "Storkey, 1997", inputShape: [100], classCount: 2,
    task: .association,
    settings: ["epochs": .int(1), "normalize": .string("none"), "test_split": .double(0)]
  ) { _, _ in
    Functional.flatten.named("flatten")
    HopfieldNetwork(rule: .storkey).named("memory")
  }

  /// Units as many as inputs, and others as many as targets.
  ///
  /// Source: Kosko, "Bidirectional associative memories", 1988.
  static let bam = ZooEntry(
    "bam", source: "Kosko, 1988", inputShape: [35], classCount: 5, task: .pairAssociation,
    settings: ["epochs": .int(1), "normalize": .string("none"), "test_split": .double(0)]
  ) { _, classes in
    Functional.flatten.named("flatten")
    BidirectionalMemory(classes).named("memory")
  }
}

import TernCore

/// Networks of restricted Boltzmann machines.
extension ZooEntry {
  /// A machine of 256 hidden units. Its pixels are probabilities, so they stay between 0 and 1.
  ///
  /// Source: Hinton, "Training products of experts by minimizing contrastive divergence", 2002.
  static let rbm = ZooEntry(
    "rbm", source: "Hinton, 2002", inputShape: [1, 28, 28], classCount: 10,
    task: .contrastiveDivergence,
    settings: [
      "lr": .double(0.05), "momentum": .double(0.5), "schedule": .string("constant"),
      "normalize": .string("none"),
    ]
  ) { _, _ in
    Functional.flatten.named("flatten")
    RestrictedBoltzmannMachine(256).named("rbm")
  }

  /// Two machines of 256 units, trained one after the other, and then with a linear layer on top as a
  /// classifier.
  ///
  /// Source: Hinton, Osindero, Teh, "A fast learning algorithm for deep belief nets", 2006.
  static let dbn = ZooEntry(
    "dbn", source: "Hinton, Osindero, Teh, 2006", inputShape: [1, 28, 28], classCount: 10,
    task: .beliefNetwork,
    settings: [
      "optimizer": .string("adam"), "schedule": .string("inverse-sqrt"),
      "normalize": .string("none"),
    ]
  ) { _, classes in
    Functional.flatten.named("flatten")
    RestrictedBoltzmannMachine(256).named("rbm1")
    RestrictedBoltzmannMachine(256).named("rbm2")
    Linear(classes).named("fc")
  }
}

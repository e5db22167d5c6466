import TernCore

/// Networks of Boltzmann machines.
extension ZooEntry {
  /// Four hidden units beside the visible ones, each joined to every other; at most 16 in all. Units are
  /// 0 or 1, so the inputs stay what they are.
  ///
  /// Source: Ackley, Hinton, Sejnowski, "A learning algorithm for Boltzmann machines", 1985.
  static let boltzmann = ZooEntry(
    "boltzmann", source: "Ackley, Hinton, Sejnowski, 1985", inputShape: [4], classCount: 2,
    task: .boltzmannMachine,
    settings: [
      "optimizer": .string("adam"), "lr": .double(0.1), "schedule": .string("cosine"),
      "cd_steps": .int(20), "normalize": .string("none"), "test_split": .double(0),
    ]
  ) { _, _ in
    Functional.flatten.named("flatten")
    BoltzmannMachine(hidden: 4).named("machine")
  }

  /// Two layers of 256 and 128 hidden units.
  ///
  /// Source: Salakhutdinov and Hinton, "Deep Boltzmann machines", 2009.
  static let dbm = ZooEntry(
    "dbm", source: "Salakhutdinov and Hinton, 2009", inputShape: [1, 28, 28], classCount: 10,
    task: .deepBoltzmannMachine,
    settings: [
      "lr": .double(0.01), "momentum": .double(0.5), "schedule": .string("inverse-sqrt"),
      "cd_steps": .int(5), "normalize": .string("none"),
    ]
  ) { _, _ in
    Functional.flatten.named("flatten")
    DeepBoltzmannMachine(256, 128).named("dbm")
  }

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

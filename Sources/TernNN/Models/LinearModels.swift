import TernCore
import TernGraph

extension ZooEntry {
  /// Multinomial logistic regression.
  static let linear = ZooEntry(
    "linear", source: "multinomial logistic regression", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes).named("fc")
  }

  /// Logistic regression on the powers x, x², x³ of every input.
  static let polynomial = ZooEntry(
    "polynomial", source: "regression on powers", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    Functional.flatten.named("flatten")
    PolynomialFeatures(degree: 3).named("powers")
    Linear(classes).named("fc")
  }

  /// One layer that moves only on mistakes: towards the sample in the true class, away from it in
  /// the class it was taken for. That is the gradient of its loss, `perceptron`.
  static let perceptron = ZooEntry(
    "perceptron", source: "Rosenblatt, 1958", inputShape: [1, 28, 28], classCount: 10,
    task: .perceptron
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes, initializer: .zeros).named("fc")
  }

  /// One layer without biases that Hebb's rule moves: w += η·t·x for every sample, with t = 1 for its
  /// class and −1 for the others.
  static let hebb = ZooEntry(
    "hebb", source: "Hebb, 1949", inputShape: [1, 28, 28], classCount: 10, task: .hebbian,
    settings: ["lr": .double(1), "momentum": .double(0), "epochs": .int(1)]
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes, hasBias: false, initializer: .zeros).named("fc")
  }

  /// Linear units, each of which learns 1 for its class and −1 for the others by least mean squares,
  /// w += η·(t − w·x)·x; what is told is the class of the largest, for two classes the sign.
  static let adaline = ZooEntry(
    "adaline", source: "Widrow and Hoff, 1960", inputShape: [1, 28, 28], classCount: 10,
    // A step is stable below 2 over the largest eigenvalue of the inputs' products: some hundreds for
    // pictures.
    task: .adaline, settings: ["lr": .double(0.001), "momentum": .double(0)]
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes, initializer: .zeros).named("fc")
  }

  /// The gates of two inputs, and the first input turned round, of neurons with fixed weights; exclusive
  /// or needs a second layer.
  static let mccullochPitts = ZooEntry(
    "mcculloch-pitts", source: "McCulloch and Pitts, 1943", inputShape: [2],
    outputs: ["and", "or", "nand", "nor", "not", "xor"], classCount: 6, task: .logic
  ) { _, _ in
    McCullochPitts(1, 1, threshold: 2).named("and", from: "input")
    McCullochPitts(1, 1, threshold: 1).named("or", from: "input")
    McCullochPitts(-1, -1, threshold: -1).named("nand", from: "input")
    McCullochPitts(-1, -1, threshold: 0).named("nor", from: "input")
    McCullochPitts(-1, 0, threshold: 0).named("not", from: "input")
    McCullochPitts(1, 1, threshold: 2).named("xor", from: "or", "nand")
  }
}

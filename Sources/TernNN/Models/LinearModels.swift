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
}

import TernCore

extension ZooEntry {
  /// Two hidden layers of 256 and 128 units.
  static let mlp = ZooEntry(
    "mlp", source: "multilayer perceptron, 256-128", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(256).named("fc1")
    Functional.relu.named("relu1")
    Linear(128).named("fc2")
    Functional.relu.named("relu2")
    Linear(classes).named("fc3")
  }
}

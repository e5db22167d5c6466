import TernCore

extension ZooEntry {
  /// Multinomial logistic regression.
  static let linear = ZooEntry(
    "linear", source: "multinomial logistic regression", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    [Model.Step("flatten", Functional.flatten), Model.Step("fc", Linear(classes))]
  }

  /// Two hidden layers of 256 and 128 units.
  static let mlp = ZooEntry(
    "mlp", source: "multilayer perceptron, 256-128", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    [
      Model.Step("flatten", Functional.flatten),
      Model.Step("fc1", Linear(256)), Model.Step("relu1", Functional.relu),
      Model.Step("fc2", Linear(128)), Model.Step("relu2", Functional.relu),
      Model.Step("fc3", Linear(classes)),
    ]
  }
}

import TernCore

extension ZooEntry {
  /// LeNet-5 as it is trained today: ReLU, max pooling and softmax on 28×28 images; 61,706
  /// parameters for ten classes.
  ///
  /// Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
  /// recognition", 1998.
  static let lenet5 = ZooEntry(
    "lenet5", source: "LeCun et al., 1998", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    [
      Model.Step("conv1", Conv2D(6, kernel: 5, padding: 2)),
      Model.Step("relu1", Functional.relu),
      Model.Step("pool1", Functional.maxPool2D(2)),
      Model.Step("conv2", Conv2D(16, kernel: 5)),
      Model.Step("relu2", Functional.relu),
      Model.Step("pool2", Functional.maxPool2D(2)),
      Model.Step("flatten", Functional.flatten),
      Model.Step("fc1", Linear(120)), Model.Step("relu3", Functional.relu),
      Model.Step("fc2", Linear(84)), Model.Step("relu4", Functional.relu),
      Model.Step("fc3", Linear(classes)),
    ]
  }
}

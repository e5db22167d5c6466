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
    Conv2D(6, kernel: 5, padding: 2).named("conv1")
    Functional.relu.named("relu1")
    Functional.maxPool2D(2).named("pool1")
    Conv2D(16, kernel: 5).named("conv2")
    Functional.relu.named("relu2")
    Functional.maxPool2D(2).named("pool2")
    Functional.flatten.named("flatten")
    Linear(120).named("fc1")
    Functional.relu.named("relu3")
    Linear(84).named("fc2")
    Functional.relu.named("relu4")
    Linear(classes).named("fc3")
  }
}

import TernCore

extension ZooEntry {
  /// AlexNet in its single-tower form; 61,100,840 parameters.
  ///
  /// Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
  static let alexnet = ZooEntry(
    "alexnet", source: "Krizhevsky, 2014", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    Sequential {
      Conv2D(64, kernel: 11, stride: 4, padding: 2)
      Functional.relu
      Functional.maxPool2D(3, stride: 2)
      Conv2D(192, kernel: 5, padding: 2)
      Functional.relu
      Functional.maxPool2D(3, stride: 2)
      Conv2D(384, kernel: 3, padding: 1)
      Functional.relu
      Conv2D(256, kernel: 3, padding: 1)
      Functional.relu
      Conv2D(256, kernel: 3, padding: 1)
      Functional.relu
      Functional.maxPool2D(3, stride: 2)
    }.named("features")
    Functional.adaptiveAvgPool2D(6).named("avgpool")
    Functional.flatten.named("flatten")
    Sequential {
      Dropout()
      Linear(4096)
      Functional.relu
      Dropout()
      Linear(4096)
      Functional.relu
      Linear(classes)
    }.named("classifier")
  }
}

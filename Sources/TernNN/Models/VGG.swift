import TernCore

extension ZooEntry {
  /// VGG with 13 convolutions (configuration D); 138,357,544 parameters.
  ///
  /// Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
  /// recognition", 2014.
  static let vgg16 = ZooEntry(
    "vgg16", source: "Simonyan and Zisserman, 2014", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    Sequential {
      for (width, depth) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..<depth {
          Conv2D(width, kernel: 3, padding: 1, initializer: .he)
          Functional.relu
        }
        Functional.maxPool2D(2)
      }
    }.named("features")
    Functional.adaptiveAvgPool2D(7).named("avgpool")
    Functional.flatten.named("flatten")
    Sequential {
      Linear(4096)
      Functional.relu
      Dropout()
      Linear(4096)
      Functional.relu
      Dropout()
      Linear(classes)
    }.named("classifier")
  }
}

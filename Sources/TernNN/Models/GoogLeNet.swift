import TernCore

/// GoogLeNet with batch normalisation, as torchvision has it: the branch that the paper calls 5×5
/// convolves 3×3, and windows that reach over the edge count (`ceil_mode`).
///
/// Source: Szegedy et al., "Going deeper with convolutions", 2014.
private enum GoogLeNet {
  static func convolution(
    _ width: Int, kernel: Int, stride: Int = 1, padding: Int = 0
  ) -> Sequential {
    Sequential {
      Conv2D(width, kernel: kernel, stride: stride, padding: padding, hasBias: false)
        .named("conv")
      BatchNorm2D(epsilon: 0.001).named("bn")
      Functional.relu.named("relu")
    }
  }

  /// Four views of the input side by side: 1×1, 3×3, "5×5" and pooled, each narrowed by 1×1
  /// convolutions to the widths given, in the columns of the paper's table.
  static func inception(
    _ width1: Int, _ reduce3: Int, _ width3: Int, _ reduce5: Int, _ width5: Int, _ pooled: Int
  ) -> Concatenation {
    Concatenation {
      convolution(width1, kernel: 1).named("branch1")
      Sequential {
        convolution(reduce3, kernel: 1)
        convolution(width3, kernel: 3, padding: 1)
      }.named("branch2")
      Sequential {
        convolution(reduce5, kernel: 1)
        convolution(width5, kernel: 3, padding: 1)
      }.named("branch3")
      Sequential {
        Functional.maxPool2D(3, stride: 1, padding: 1, ceilMode: true)
        convolution(pooled, kernel: 1)
      }.named("branch4")
    }
  }

  /// A classifier in the middle, so that gradients reach the lower layers.
  static func head(_ classes: Int) -> AuxiliaryHead {
    AuxiliaryHead(weight: 0.3) {
      Functional.adaptiveAvgPool2D(4).named("pool")
      convolution(128, kernel: 1).named("conv")
      Functional.flatten.named("flatten")
      Linear(1024).named("fc1")
      Functional.relu.named("relu")
      Dropout(0.7).named("dropout")
      Linear(classes).named("fc2")
    }
  }

  @LayerBuilder
  static func layers(classes: Int, hasHeads: Bool) -> [NamedLayer] {
    convolution(64, kernel: 7, stride: 2, padding: 3).named("conv1")
    Functional.maxPool2D(3, stride: 2, ceilMode: true).named("maxpool1")
    convolution(64, kernel: 1).named("conv2")
    convolution(192, kernel: 3, padding: 1).named("conv3")
    Functional.maxPool2D(3, stride: 2, ceilMode: true).named("maxpool2")
    inception(64, 96, 128, 16, 32, 32).named("inception3a")
    inception(128, 128, 192, 32, 96, 64).named("inception3b")
    Functional.maxPool2D(3, stride: 2, ceilMode: true).named("maxpool3")
    inception(192, 96, 208, 16, 48, 64).named("inception4a")
    if hasHeads { head(classes).named("aux1") }
    inception(160, 112, 224, 24, 64, 64).named("inception4b")
    inception(128, 128, 256, 24, 64, 64).named("inception4c")
    inception(112, 144, 288, 32, 64, 64).named("inception4d")
    if hasHeads { head(classes).named("aux2") }
    inception(256, 160, 320, 32, 128, 128).named("inception4e")
    Functional.maxPool2D(2, stride: 2, ceilMode: true).named("maxpool4")
    inception(256, 160, 320, 32, 128, 128).named("inception5a")
    inception(384, 192, 384, 48, 128, 128).named("inception5b")
    Functional.adaptiveAvgPool2D(1).named("avgpool")
    Functional.flatten.named("flatten")
    Dropout(0.2).named("dropout")
    Linear(classes).named("fc")
  }
}

extension ZooEntry {
  /// 6,624,904 parameters.
  static let googlenet = ZooEntry(
    "googlenet", source: "Szegedy et al., 2014", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    GoogLeNet.layers(classes: classes, hasHeads: false)
  }

  /// With two auxiliary classifiers, whose losses count 0.3 each; 13,004,888 parameters.
  static let googlenetWithHeads = ZooEntry(
    "googlenet_aux", source: "Szegedy et al., 2014; auxiliary heads", inputShape: [3, 224, 224],
    classCount: 1000
  ) { _, classes in
    GoogLeNet.layers(classes: classes, hasHeads: true)
  }
}

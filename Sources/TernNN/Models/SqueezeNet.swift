import TernCore

/// 1×1 convolutions squeeze the channels before 1×1 and 3×3 ones expand them.
///
/// Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016;
/// version 1.1 of the authors.
private enum SqueezeNet {
  static func fire(squeeze: Int, expand: Int) -> Sequential {
    Sequential {
      Conv2D(squeeze, kernel: 1, initializer: .he).named("squeeze")
      Functional.relu.named("squeeze_activation")
      Conv2D(expand, kernel: 1, initializer: .he).named("expand1x1", from: "squeeze_activation")
      Functional.relu.named("expand1x1_activation")
      Conv2D(expand, kernel: 3, padding: 1, initializer: .he)
        .named("expand3x3", from: "squeeze_activation")
      Functional.relu.named("expand3x3_activation")
      Functional.cat.named("cat", from: "expand1x1_activation", "expand3x3_activation")
    }
  }

  static let pool = Functional.maxPool2D(3, stride: 2, ceilMode: true)
}

extension ZooEntry {
  /// 1,235,496 parameters.
  static let squeezenet = ZooEntry(
    "squeezenet1_1", source: "Iandola et al., 2016", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    Sequential {
      Conv2D(64, kernel: 3, stride: 2, initializer: .he)
      Functional.relu
      SqueezeNet.pool
      for _ in 0..<2 { SqueezeNet.fire(squeeze: 16, expand: 64) }
      SqueezeNet.pool
      for _ in 0..<2 { SqueezeNet.fire(squeeze: 32, expand: 128) }
      SqueezeNet.pool
      for _ in 0..<2 { SqueezeNet.fire(squeeze: 48, expand: 192) }
      for _ in 0..<2 { SqueezeNet.fire(squeeze: 64, expand: 256) }
    }.named("features")
    Sequential {
      Dropout()
      Conv2D(classes, kernel: 1)
      Functional.relu
      Functional.adaptiveAvgPool2D(1)
    }.named("classifier")
    Functional.flatten.named("flatten")
  }
}

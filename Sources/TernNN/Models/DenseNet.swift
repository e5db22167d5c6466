import TernCore

/// Densely connected networks: within a block every layer reads the outputs of all before it.
///
/// Source: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks",
/// 2016; the variant DenseNet-BC.
private enum DenseNet {
  static func convolution(
    _ width: Int, kernel: Int, stride: Int = 1, padding: Int = 0
  ) -> Conv2D {
    Conv2D(
      width, kernel: kernel, stride: stride, padding: padding, hasBias: false, initializer: .he)
  }

  /// A layer that adds `growth` channels, through a bottleneck four times as wide.
  static func layer(growth: Int) -> SkipConcatenation {
    SkipConcatenation {
      BatchNorm2D().named("norm1")
      Functional.relu.named("relu1")
      convolution(4 * growth, kernel: 1).named("conv1")
      BatchNorm2D().named("norm2")
      Functional.relu.named("relu2")
      convolution(growth, kernel: 3, padding: 1).named("conv2")
    }
  }

  /// Halves the extent, and the channels to `width`.
  static func transition(_ width: Int) -> Sequential {
    Sequential {
      BatchNorm2D().named("norm")
      Functional.relu.named("relu")
      convolution(width, kernel: 1).named("conv")
      Functional.avgPool2D(2).named("pool")
    }
  }

  /// Blocks of `depths` layers with transitions between.
  static func blocks(_ depths: [Int], growth: Int, width initialWidth: Int) -> [NamedLayer] {
    var width = initialWidth
    var layers: [NamedLayer] = []
    for (index, depth) in depths.enumerated() {
      let block = Sequential {
        for i in 1...depth { layer(growth: growth).named("denselayer\(i)") }
      }
      layers.append(block.named("denseblock\(index + 1)"))
      width += depth * growth
      if index < depths.count - 1 {
        width /= 2
        layers.append(transition(width).named("transition\(index + 1)"))
      }
    }
    return layers
  }
}

extension ZooEntry {
  /// 7,978,856 parameters.
  static let densenet121 = ZooEntry(
    "densenet121", source: "Huang et al., 2016", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    Sequential {
      DenseNet.convolution(64, kernel: 7, stride: 2, padding: 3).named("conv0")
      BatchNorm2D().named("norm0")
      Functional.relu.named("relu0")
      Functional.maxPool2D(3, stride: 2, padding: 1).named("pool0")
      DenseNet.blocks([6, 12, 24, 16], growth: 32, width: 64)
      BatchNorm2D().named("norm5")
    }.named("features")
    Functional.relu.named("relu")
    Functional.adaptiveAvgPool2D(1).named("avgpool")
    Functional.flatten.named("flatten")
    Linear(classes).named("classifier")
  }
}

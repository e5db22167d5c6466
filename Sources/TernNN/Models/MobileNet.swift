import TernCore

/// Narrow residual blocks that work on a wide middle, one channel at a time.
///
/// Source: Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks", 2018.
private enum MobileNet {
  static func convolution(
    _ width: Int, kernel: Int, stride: Int = 1, groups: Int = 1
  ) -> Sequential {
    Sequential {
      Conv2D(
        width, kernel: kernel, stride: stride, padding: kernel / 2, groups: groups, hasBias: false,
        initializer: .he)
      BatchNorm2D()
      Functional.relu6
    }
  }

  /// Widens `input` channels by `expansion`, convolves each by itself, and narrows to `width`
  /// without an activation; adds the input where the shapes allow it.
  static func block(from input: Int, to width: Int, stride: Int, expansion: Int) -> any Layer {
    let middle = input * expansion
    let body = Sequential {
      if expansion != 1 { convolution(middle, kernel: 1) }
      convolution(middle, kernel: 3, stride: stride, groups: middle)
      Conv2D(width, kernel: 1, hasBias: false, initializer: .he)
      BatchNorm2D()
    }.named("conv")
    return stride == 1 && input == width
      ? Residual(activation: nil) { body } : Sequential { body }
  }

  /// The paper's table 2: expansion, channels, blocks, stride of the first.
  static let stages = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
  ]

  static func blocks(from initialWidth: Int) -> [NamedLayer] {
    var input = initialWidth
    var layers: [NamedLayer] = []
    for (expansion, width, count, stride) in stages {
      for index in 0..<count {
        let layer = block(
          from: input, to: width, stride: index == 0 ? stride : 1, expansion: expansion)
        layers.append(NamedLayer(nil, layer))
        input = width
      }
    }
    return layers
  }
}

extension ZooEntry {
  /// 3,504,872 parameters.
  static let mobilenetV2 = ZooEntry(
    "mobilenet_v2", source: "Sandler et al., 2018", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    Sequential {
      MobileNet.convolution(32, kernel: 3, stride: 2)
      MobileNet.blocks(from: 32)
      MobileNet.convolution(1280, kernel: 1)
    }.named("features")
    Functional.adaptiveAvgPool2D(1).named("avgpool")
    Functional.flatten.named("flatten")
    Sequential {
      Dropout(0.2)
      Linear(classes)
    }.named("classifier")
  }
}

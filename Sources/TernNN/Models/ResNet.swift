import TernCore

/// Residual networks.
///
/// Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015. The 3×3
/// convolution of a bottleneck carries the stride, as in torchvision.
private enum ResNet {
  /// A convolution without bias, for a normalisation follows.
  static func convolution(_ width: Int, kernel: Int, stride: Int = 1) -> Conv2D {
    Conv2D(
      width, kernel: kernel, stride: stride, padding: kernel / 2, hasBias: false, initializer: .he)
  }

  /// A 1×1 convolution for the shortcut, where width or extent change.
  static func projection(_ width: Int, stride: Int) -> Sequential {
    Sequential {
      convolution(width, kernel: 1, stride: stride)
      BatchNorm2D()
    }
  }

  /// A shortcut without parameters: every other pixel, and zeros for the channels that are new.
  static func subsampling(to width: Int) -> Sequential {
    Sequential {
      Functional.avgPool2D(1, stride: 2)
      Functional.pad([0, 0, 0, 0, width / 4, width / 4])
    }
  }

  /// Two 3×3 convolutions.
  static func basicBlock(_ width: Int, stride: Int, projects: Bool) -> Residual {
    basicBlock(width, stride: stride, shortcut: projects ? projection(width, stride: stride) : nil)
  }

  static func basicBlock(_ width: Int, stride: Int, shortcut: Sequential?) -> Residual {
    Residual(shortcut: shortcut) {
      convolution(width, kernel: 3, stride: stride).named("conv1")
      BatchNorm2D().named("bn1")
      Functional.relu.named("relu1")
      convolution(width, kernel: 3).named("conv2")
      BatchNorm2D().named("bn2")
    }
  }

  /// A 3×3 convolution between 1×1 ones that narrow by four and widen again.
  static func bottleneck(_ width: Int, stride: Int, projects: Bool) -> Residual {
    Residual(shortcut: projects ? projection(4 * width, stride: stride) : nil) {
      convolution(width, kernel: 1).named("conv1")
      BatchNorm2D().named("bn1")
      Functional.relu.named("relu1")
      convolution(width, kernel: 3, stride: stride).named("conv2")
      BatchNorm2D().named("bn2")
      Functional.relu.named("relu2")
      convolution(4 * width, kernel: 1).named("conv3")
      BatchNorm2D().named("bn3")
    }
  }

  typealias Block = (_ width: Int, _ stride: Int, _ projects: Bool) -> Residual

  /// Four stages of `depths` blocks, each stage twice as wide and half as large as the one before.
  @LayerBuilder
  static func layers(
    _ depths: [Int], classes: Int, projectsFirst: Bool, block: Block
  ) -> [NamedLayer] {
    convolution(64, kernel: 7, stride: 2).named("conv1")
    BatchNorm2D().named("bn1")
    Functional.relu.named("relu")
    Functional.maxPool2D(3, stride: 2, padding: 1).named("maxpool")
    for (stage, depth) in depths.enumerated() {
      Sequential {
        for index in 0..<depth {
          let isFirst = index == 0
          block(
            64 << stage, isFirst && stage > 0 ? 2 : 1, isFirst && (stage > 0 || projectsFirst))
        }
      }.named("layer\(stage + 1)")
    }
    Functional.adaptiveAvgPool2D(1).named("avgpool")
    Functional.flatten.named("flatten")
    Linear(classes).named("fc")
  }

  static func entry(
    _ name: String, _ depths: [Int], projectsFirst: Bool,
    block:
      @escaping @Sendable (
        Int, Int, Bool
      ) -> Residual
  ) -> ZooEntry {
    ZooEntry(name, source: "He et al., 2015", inputShape: [3, 224, 224], classCount: 1000) {
      _, classes in layers(depths, classes: classes, projectsFirst: projectsFirst, block: block)
    }
  }
}

extension ZooEntry {
  /// 11,689,512 parameters.
  static let resnet18 = ResNet.entry(
    "resnet18", [2, 2, 2, 2], projectsFirst: false, block: ResNet.basicBlock)
  /// The paper's network for CIFAR-10, with shortcuts without parameters (its option A); for images
  /// of any extent and channels. 269,722 parameters for 3×32×32.
  static let resnet20 = ZooEntry(
    "resnet20", source: "He et al., 2015, for CIFAR-10", inputShape: [3, 32, 32], classCount: 10
  ) { _, classes in
    ResNet.convolution(16, kernel: 3).named("conv1")
    BatchNorm2D().named("bn1")
    Functional.relu.named("relu")
    for (stage, width) in [16, 32, 64].enumerated() {
      Sequential {
        for index in 0..<3 {
          let shrinks = stage > 0 && index == 0
          ResNet.basicBlock(
            width, stride: shrinks ? 2 : 1,
            shortcut: shrinks ? ResNet.subsampling(to: width) : nil)
        }
      }.named("layer\(stage + 1)")
    }
    Functional.adaptiveAvgPool2D(1).named("avgpool")
    Functional.flatten.named("flatten")
    Linear(classes).named("fc")
  }

  /// 21,797,672 parameters.
  static let resnet34 = ResNet.entry(
    "resnet34", [3, 4, 6, 3], projectsFirst: false, block: ResNet.basicBlock)
  /// 25,557,032 parameters.
  static let resnet50 = ResNet.entry(
    "resnet50", [3, 4, 6, 3], projectsFirst: true, block: ResNet.bottleneck)
}

import TernCore

/// Encoder and decoder for images, joined at every resolution by addition.
///
/// Source: Newell, Yang, Deng, "Stacked hourglass networks for human pose estimation", 2016; one
/// hourglass.
private enum Hourglass {
  /// A bottleneck of 1×1, 3×3 and 1×1 convolutions, each behind its normalisation and ReLU.
  static func residual(_ width: Int, projects: Bool = false) -> Residual {
    Residual(
      shortcut: projects ? Sequential { Conv2D(width, kernel: 1) } : nil, activation: nil
    ) {
      for (index, (channels, kernel)) in [(width / 2, 1), (width / 2, 3), (width, 1)].enumerated() {
        BatchNorm2D().named("bn\(index + 1)")
        Functional.relu.named("relu\(index + 1)")
        Conv2D(channels, kernel: kernel, padding: kernel / 2, initializer: .he)
          .named("conv\(index + 1)")
      }
    }
  }

  /// `depth` halvings: what comes back from below is added to the input, seen through a residual
  /// block.
  static func hourglass(_ width: Int, depth: Int) -> Residual {
    Residual(shortcut: Sequential { residual(width) }, activation: nil) {
      Functional.maxPool2D(2).named("pool")
      residual(width).named("before")
      if depth > 1 {
        hourglass(width, depth: depth - 1).named("inner")
      } else {
        residual(width).named("inner")
      }
      residual(width).named("after")
      Functional.upsample2D(2).named("up")
    }
  }
}

extension ZooEntry {
  /// Scores per pixel: [N, classes, H, W], worked out at a quarter of the extent; H and W are
  /// multiples of 64.
  static let hourglass = ZooEntry(
    "hourglass", source: "Newell et al., 2016", inputShape: [3, 256, 256], classCount: 16,
    task: .segmentation
  ) { _, classes in
    Sequential {
      Conv2D(64, kernel: 7, stride: 2, padding: 3, initializer: .he).named("conv")
      BatchNorm2D().named("bn")
      Functional.relu.named("relu")
      Hourglass.residual(128, projects: true).named("residual1")
      Functional.maxPool2D(2).named("pool")
      Hourglass.residual(128).named("residual2")
      Hourglass.residual(256, projects: true).named("residual3")
    }.named("stem")
    Hourglass.hourglass(256, depth: 4).named("hourglass")
    Hourglass.residual(256).named("residual")
    Sequential {
      Conv2D(256, kernel: 1, initializer: .he).named("conv")
      BatchNorm2D().named("bn")
      Functional.relu.named("relu")
    }.named("features")
    Conv2D(classes, kernel: 1).named("classifier")
    Functional.upsample2D(4, mode: "bilinear").named("upsample")
  }
}

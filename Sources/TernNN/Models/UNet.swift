import TernCore

/// Encoder and decoder for images, joined at every resolution by concatenation.
///
/// Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional networks for biomedical image
/// segmentation", 2015; padded, so that the output has the extent of the input.
private enum UNet {
  static func doubleConvolution(_ width: Int) -> Sequential {
    Sequential {
      for _ in 0..<2 {
        Conv2D(width, kernel: 3, padding: 1, initializer: .he)
        Functional.relu
      }
    }
  }

  /// What happens at `width` channels and below it: convolutions, `depth` further levels at half
  /// the extent, and convolutions over both.
  static func level(_ width: Int, depth: Int) -> Sequential {
    Sequential {
      doubleConvolution(width).named("encoder")
      if depth > 0 {
        SkipConcatenation {
          Functional.maxPool2D(2).named("pool")
          level(2 * width, depth: depth - 1).named("level")
          // The paper drops at the end of the contracting path.
          if depth == 1 { Dropout().named("dropout") }
          ConvTranspose2D(width, kernel: 2, stride: 2, initializer: .he).named("up")
        }.named("below")
        doubleConvolution(width).named("decoder")
      }
    }
  }
}

extension ZooEntry {
  /// Scores per pixel: [N, classes, H, W]; H and W are multiples of 16.
  static let unet = ZooEntry(
    "unet", source: "Ronneberger et al., 2015", inputShape: [1, 256, 256], classCount: 2,
    task: .segmentation
  ) { _, classes in
    UNet.level(64, depth: 4).named("level")
    Conv2D(classes, kernel: 1).named("classifier")
  }
}

import TernCore

/// Transformers that classify.
///
/// Sources: Vaswani et al., "Attention is all you need", 2017; Dosovitskiy et al., "An image is worth
/// 16×16 words", 2020.
private enum VisionTransformer {
  /// Patches as tokens behind a class token, encoder layers, and the class token classified; the
  /// names are torchvision's.
  @LayerBuilder
  static func layers(
    patch: Int, width: Int, depth: Int, heads: Int, feedForward: Int, dropout: Float = 0,
    classes: Int
  ) -> [NamedLayer] {
    Conv2D(width, kernel: patch, stride: patch, initializer: .lecun).named("conv_proj")
    ImageTokens().named("tokens")
    ClassToken().named("class_token")
    Sequential {
      PositionEmbedding().named("pos_embedding")
      Sequential {
        for index in 0..<depth {
          TransformerEncoderLayer(
            headCount: heads, feedForwardSize: feedForward, dropout: dropout, activation: .gelu,
            normalizesFirst: true, epsilon: 1e-6, names: .torchvision
          ).named("encoder_layer_\(index)")
        }
      }.named("layers")
      LayerNorm(epsilon: 1e-6).named("ln")
    }.named("encoder")
    SelectToken(0).named("class")
    Sequential { Linear(classes, initializer: .zeros).named("head") }.named("heads")
  }
}

extension ZooEntry {
  /// 86,567,656 parameters.
  static let vitB16 = ZooEntry(
    "vit_b_16", source: "Dosovitskiy et al., 2020", inputShape: [3, 224, 224], classCount: 1000
  ) { _, classes in
    VisionTransformer.layers(
      patch: 16, width: 768, depth: 12, heads: 12, feedForward: 3072, classes: classes)
  }

  /// A small one for 28×28 images: 16 patches of 7×7, four layers of 96 features.
  static let vit = ZooEntry(
    "vit", source: "Dosovitskiy et al., 2020", inputShape: [1, 28, 28], classCount: 10,
    settings: ["optimizer": .string("adamw"), "schedule": .string("cosine")]
  ) { _, classes in
    VisionTransformer.layers(
      patch: 7, width: 96, depth: 4, heads: 4, feedForward: 192, classes: classes)
  }

  /// The rows of an image as tokens, two encoder layers of 64 features, and their mean classified.
  static let transformerEncoder = ZooEntry(
    "transformer-encoder", source: "Vaswani et al., 2017", inputShape: [1, 28, 28], classCount: 10,
    settings: ["optimizer": .string("adamw"), "schedule": .string("cosine")]
  ) { _, classes in
    ImageRows().named("rows")
    Linear(64).named("embedding")
    PositionEmbedding().named("position")
    Sequential {
      for index in 0..<2 {
        TransformerEncoderLayer(headCount: 4, feedForwardSize: 128).named("\(index)")
      }
    }.named("layers")
    Functional("mean", ["dim": .int(1)]).named("mean")
    Linear(classes).named("fc")
  }
}

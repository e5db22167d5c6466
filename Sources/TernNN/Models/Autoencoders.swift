import TernCore

/// Networks that learn a short code of their input by reconstructing it from there.
private enum Autoencoder {
  /// Pixels as they are, so that the error is that of an image.
  static let settings: [String: AttributeValue] = [
    "optimizer": .string("adam"), "schedule": .string("cosine"), "normalize": .string("none"),
  ]

  /// [N, C·H·W] → [N, C, H, W].
  static func picture(_ shape: Shape) -> NamedLayer {
    Functional("reshape", ["shape": .list([.int(-1)] + shape.map(AttributeValue.int))])
      .named("picture")
  }
}

extension ZooEntry {
  /// Two linear layers around a code of 32 numbers: at its best it spans what the first 32 principal
  /// components span. Baldi and Hornik, 1989.
  static let linearAutoencoder = ZooEntry(
    "linear-autoencoder", source: "Baldi, Hornik, 1989", inputShape: [1, 28, 28], classCount: 10,
    task: .reconstruction(noise: 0), settings: Autoencoder.settings
  ) { shape, _ in
    Sequential {
      Functional.flatten.named("flatten")
      Linear(32).named("fc")
    }.named("encoder")
    Sequential {
      Linear(shape.elementCount).named("fc")
      Autoencoder.picture(shape)
    }.named("decoder")
  }

  /// Three layers to a code of 32 numbers and three back.
  ///
  /// Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks",
  /// 2006.
  static let autoencoder = ZooEntry(
    "autoencoder", source: "Hinton, Salakhutdinov, 2006", inputShape: [1, 28, 28], classCount: 10,
    task: .reconstruction(noise: 0), settings: Autoencoder.settings
  ) { shape, _ in
    Sequential {
      Functional.flatten.named("flatten")
      Linear(512, initializer: .he).named("fc1")
      Functional.relu.named("relu1")
      Linear(128, initializer: .he).named("fc2")
      Functional.relu.named("relu2")
      Linear(32).named("fc3")
    }.named("encoder")
    Sequential {
      Linear(128, initializer: .he).named("fc1")
      Functional.relu.named("relu1")
      Linear(512, initializer: .he).named("fc2")
      Functional.relu.named("relu2")
      Linear(shape.elementCount).named("fc3")
      Functional("sigmoid").named("sigmoid")
      Autoencoder.picture(shape)
    }.named("decoder")
  }

  /// One hidden layer of 512 units that takes Gaussian noise of deviation 0.3 out of its input.
  static let denoisingAutoencoder = ZooEntry(
    "denoising-autoencoder", source: "Vincent et al., 2008", inputShape: [1, 28, 28],
    classCount: 10, task: .reconstruction(noise: 0.3), settings: Autoencoder.settings
  ) { shape, _ in
    Sequential {
      Functional.flatten.named("flatten")
      Linear(512, initializer: .he).named("fc")
      Functional.relu.named("relu")
    }.named("encoder")
    Sequential {
      Linear(shape.elementCount).named("fc")
      Functional("sigmoid").named("sigmoid")
      Autoencoder.picture(shape)
    }.named("decoder")
  }

  /// Two convolutions that halve the image to a code of 8×7×7 numbers, and two transposed ones that
  /// double it again.
  ///
  /// Source: Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional networks", 2010.
  static let convAutoencoder = ZooEntry(
    "conv-autoencoder", source: "Zeiler et al., 2010", inputShape: [1, 28, 28], classCount: 10,
    task: .reconstruction(noise: 0), settings: Autoencoder.settings
  ) { shape, _ in
    Sequential {
      Conv2D(16, kernel: 4, stride: 2, padding: 1, initializer: .he).named("conv1")
      Functional.relu.named("relu1")
      Conv2D(8, kernel: 4, stride: 2, padding: 1).named("conv2")
    }.named("encoder")
    Sequential {
      ConvTranspose2D(16, kernel: 4, stride: 2, padding: 1, initializer: .he).named("conv1")
      Functional.relu.named("relu1")
      ConvTranspose2D(shape.first ?? 1, kernel: 4, stride: 2, padding: 1).named("conv2")
      Functional("sigmoid").named("sigmoid")
    }.named("decoder")
  }
}

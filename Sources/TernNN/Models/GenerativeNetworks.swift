import TernCore

/// Networks that make pictures out of noise.
extension ZooEntry {
  /// A variational autoencoder with one hidden layer of 400 units on each side of a code of 20.
  ///
  /// Source: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
  static let vae = ZooEntry(
    "vae", source: "Kingma, Welling, 2013", inputShape: [1, 28, 28], classCount: 10,
    task: .variational,
    settings: [
      "optimizer": .string("adam"), "schedule": .string("inverse-sqrt"),
      "normalize": .string("none"),
    ]
  ) { shape, _ in
    Sequential {
      Functional.flatten.named("flatten")
      Linear(400, initializer: .he).named("fc1")
      Functional.relu.named("relu")
      Linear(2 * 20).named("fc2")
    }.named("encoder")
    GaussianSampling().named("latent")
    Sequential {
      Linear(400, initializer: .he).named("fc1")
      Functional.relu.named("relu")
      Linear(shape.elementCount).named("fc2")
    }.named("decoder")
  }

  /// A deep convolutional generative adversarial network, small enough for 28×28 pictures on a CPU.
  ///
  /// Source: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional
  /// generative adversarial networks", 2015.
  static let dcgan = ZooEntry(
    "dcgan", source: "Radford et al., 2015", inputShape: [1, 28, 28], classCount: 10,
    task: .adversarial,
    settings: [
      "optimizer": .string("adam"), "lr": .double(2e-4),
      "betas": .list([.double(0.5), .double(0.999)]), "schedule": .string("constant"),
      "normalize": .string("0.5,0.5"),
    ]
  ) { shape, _ in
    // A quarter of the picture's extent, doubled twice.
    // Of no picture it is never built: the discriminator refuses it.
    let (height, width) = shape.rank == 3 ? (shape[1] / 4, shape[2] / 4) : (1, 1)
    LatentNoise(64).named("latent")
    Sequential {
      Linear(64 * height * width, hasBias: false, initializer: .radford).named("fc")
      Functional("reshape", ["shape": .list([.int(-1), .int(64), .int(height), .int(width)])])
        .named("planes")
      BatchNorm2D().named("bn1")
      Functional.relu.named("relu1")
      ConvTranspose2D(
        32, kernel: 4, stride: 2, padding: 1, hasBias: false, initializer: .radford
      ).named("conv1")
      BatchNorm2D().named("bn2")
      Functional.relu.named("relu2")
      ConvTranspose2D(shape.first ?? 1, kernel: 4, stride: 2, padding: 1, initializer: .radford)
        .named("conv2")
      Functional("tanh").named("tanh")
    }.named("generator")
    Sequential {
      Conv2D(32, kernel: 4, stride: 2, padding: 1, initializer: .radford).named("conv1")
      Functional("leaky_relu", ["negative_slope": .double(0.2)]).named("relu1")
      Conv2D(64, kernel: 4, stride: 2, padding: 1, hasBias: false, initializer: .radford)
        .named("conv2")
      BatchNorm2D().named("bn")
      Functional("leaky_relu", ["negative_slope": .double(0.2)]).named("relu2")
      Functional.flatten.named("flatten")
      Linear(1, initializer: .radford).named("fc")
    }.named("discriminator")
  }
}

import TernCore
import TernGraph
import TernNN

/// An autoencoder: the mean squared error between a picture and what the network makes of it, or of
/// it with Gaussian noise added.
///
/// Source: Vincent, Larochelle, Bengio, Manzagol, "Extracting and composing robust features with
/// denoising autoencoders", 2008.
struct Reconstruction: Objective {
  /// The deviation of the noise, in units of the normalised data.
  let noise: Float

  var measuresAtRandom: Bool { noise > 0 }

  func loss(
    of pass: TrainingPass, _ model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> LossTerms {
    let images = try samples.images()
    let output = try reconstruction(of: corrupted(images, in: context), model, in: context)
    return LossTerms(loss: try output.mseLoss(images))
  }

  /// Rows of pictures, with noise where there is some, each above what becomes of it.
  func sheet(
    of model: Model, on samples: SampleInputs, in context: LayerContext
  ) throws -> SampleSheet? {
    let given = try corrupted(samples.images(), in: context)
    return try .rows([given, reconstruction(of: given, model, in: context)])
  }

  private func corrupted(_ images: Tensor, in context: LayerContext) throws -> Tensor {
    guard noise > 0 else { return images }
    return try images + context.randomNormal(images.shape).affine(scale: noise)
  }

  private func reconstruction(
    of images: Tensor, _ model: Model, in context: LayerContext
  ) throws -> Tensor {
    let output = try model.forward(images, in: context)
    guard output.shape.elementCount == images.shape.elementCount else {
      throw TernError(
        .badData,
        "model \(model.name) makes \(output.shape) of inputs \(images.shape), not the same")
    }
    return try output.reshape(images.shape)
  }
}

extension SampleSheet {
  /// The columns of a sheet.
  static let width = 8

  /// Rows of each of the lists in turn, all [N, C, H, W]; what does not fill a row is left out.
  static func rows(_ lists: [Tensor]) throws -> SampleSheet {
    let shape = lists[0].shape
    let columns = min(width, shape[0])
    let rowCount = shape[0] / columns
    let rows = try lists.map {
      try $0.narrow(0, start: 0, length: rowCount * columns)
        .reshape([rowCount, 1, shape.elementCount(in: 1..<shape.rank) * columns])
    }
    return SampleSheet(
      try Tensor.cat(rows, dim: 1).reshape(
        Shape([lists.count * rowCount * columns] + shape.dimensions.dropFirst())),
      columns: columns)
  }
}

import TernCore
import TernGraph
import TernNN

/// The convolutional features of a network: a chain of layers of which some are read, built no further
/// than the deepest of those.
///
/// Layers are called as in VGG's paper, `conv4_2`, `relu4_2`, `pool4` (the second convolution, and its
/// ReLU, behind the third pooling), or as in torchvision: `features.21`.
package struct StyleFeatures: Sendable {
  /// The network's part with these layers; what the names of their parameters start with.
  private let part: String
  private let layers: [NamedLayer]
  /// The layers' names by their places.
  package let names: [String]
  /// Whether windows are averaged where the network takes their largest element.
  package let averages: Bool

  /// The features of a network.
  ///
  /// - Parameters:
  ///   - part: one of its outermost layers, a chain.
  ///   - averages: Gatys et al. find that averages give somewhat more pleasing pictures.
  package init(of model: Model, part: String = "features", averages: Bool = false) throws {
    guard let chain = try model.part(part) as? Sequential else {
      throw TernError(.usage, "model \(model.name): part \(part) is not a chain of layers")
    }
    self.part = part
    self.averages = averages
    layers = chain.layers
    var (block, number) = (1, 0)
    names = chain.layers.map { entry in
      let kind = entry.layer.kind
      if kind == "conv2d" { number += 1 }
      guard kind.contains("pool") else {
        return "\(kind == "conv2d" ? "conv" : kind)\(block)_\(number)"
      }
      defer { (block, number) = (block + 1, 0) }
      return "pool\(block)"
    }
  }

  /// The place of a layer in the chain.
  ///
  /// - Throws: ``TernError`` of kind `usage` with the nearest known name.
  package func place(of name: String) throws -> Int {
    if let place = names.firstIndex(of: name) { return place }
    if let place = layers.indices.first(where: { "\(part).\(key($0))" == name }) { return place }
    throw TernError(
      .usage,
      "no layer of the features is called '\(name)'; "
        + (EditDistance.nearest(to: name, among: names).map { "did you mean '\($0)'?" }
          ?? "known are \(names.joined(separator: ", "))"))
  }

  private func key(_ place: Int) -> String { layers[place].name ?? "\(place)" }

  /// Appends the layers up to the deepest of those asked for.
  ///
  /// - Parameter image: [1, C, H, W].
  /// - Returns: the outputs of the layers asked for, by their places.
  package func append(
    to image: Tensor, reading places: Set<Int>, in context: LayerContext
  ) throws -> [Int: Tensor] {
    guard let deepest = places.max() else { return [:] }
    return try context.within(part) {
      var (x, results) = (image, [Int: Tensor]())
      for place in 0...deepest {
        var layer = layers[place].layer
        if averages, let pooling = layer as? Functional, pooling.kind == "max_pool2d" {
          layer = Functional("avg_pool2d", pooling.attributes.filter { $0.key != "dilation" })
        }
        x = try context.apply(layer, named: key(place), to: [x])
        if places.contains(place) { results[place] = x }
      }
      return results
    }
  }
}

extension Tensor {
  /// The Gram matrix of features [1, C, H, W]: products of every two channels, summed over the positions
  /// and divided by their number times C, [C, C].
  ///
  /// Source: Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer and
  /// super-resolution", 2016. Gatys et al. divide in the loss instead.
  package func gramMatrix() throws -> Tensor {
    guard shape.rank == 4, shape[0] == 1 else {
      throw ShapeError("gram", "input", expected: "features [1, C, H, W]", got: "\(shape)")
    }
    let rows = try reshape([shape[1], shape[2] * shape[3]])
    return try rows.matmul(rows.transpose(0, 1)).affine(scale: 1 / Float(shape.elementCount))
  }

  /// The mean of the squared differences of neighbouring pixels [N, C, H, W], down and across.
  package func totalVariation() throws -> Tensor {
    func differences(_ axis: Int) throws -> Tensor? {
      let length = shape[axis] - 1
      guard length > 0 else { return nil }
      return try (narrow(axis, start: 1, length: length) - narrow(axis, start: 0, length: length))
        .square().mean()
    }
    let parts = try [2, 3].compactMap(differences)
    guard let first = parts.first else { return builder.constant(0) }
    return try parts.dropFirst().reduce(first) { try $0 + $1 }
  }
}

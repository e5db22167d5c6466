import Foundation
import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// A sheet of pictures that shows a part of a network.
package struct LayerPicture: Sendable {
  package let layer: String
  package let caption: String
  package let sheet: SheetPicture

  /// - Parameters:
  ///   - tiles: pictures [N, C, H, W] with C 1 or 3, each of which is stretched to all of the range.
  ///   - together: whether all are stretched alike.
  init(
    layer: String, caption: String, tiles: [Float], shape: Shape, columns: Int, together: Bool
  ) {
    self.layer = layer
    self.caption = caption
    let size = shape.elementCount / shape[0]
    var values = tiles
    let parts = together ? [0..<values.count] : (0..<shape[0]).map { $0 * size..<($0 + 1) * size }
    for part in parts {
      let finite = values[part].filter(\.isFinite)
      let (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
      for index in part { values[index] = high > low ? (values[index] - low) / (high - low) : 0.5 }
    }
    // Small tiles are enlarged, pixel by pixel.
    let factor = max(1, 28 / max(shape[2], shape[3]))
    let (height, width) = (shape[2] * factor, shape[3] * factor)
    var enlarged = [Float](repeating: 0, count: shape[0] * shape[1] * height * width)
    for plane in 0..<shape[0] * shape[1] {
      for y in 0..<height {
        for x in 0..<width {
          enlarged[(plane * height + y) * width + x] =
            values[(plane * shape[2] + y / factor) * shape[3] + x / factor]
        }
      }
    }
    sheet = SheetPicture(
      enlarged, shape: [shape[0], shape[1], height, width], columns: min(columns, shape[0]),
      normalization: Normalization(
        means: [Double](repeating: 0, count: shape[1]),
        deviations: [Double](repeating: 1, count: shape[1])))
  }
}

extension NetworkLook {
  /// What differences between neighbouring pixels count where a unit is maximised.
  private static let smoothness: Float = 8

  /// Units of a layer that are shown, at most.
  static let unitLimit = 64

  /// The filters of the first layers that have any: kernels of convolutions, and weights that read a
  /// picture as a whole.
  package func filters(layerLimit: Int = 2) throws -> [LayerPicture] {
    let parameters = try model.inferenceGraph(batchSize: 1).context.parameters
    let input = model.inputShape
    var result: [LayerPicture] = []
    for parameter in parameters where result.count < layerLimit && parameter.shape.rank >= 2 {
      guard let value = weights[parameter.name] else { continue }
      let shape = value.shape
      let count = min(shape[0], Self.unitLimit)
      let layer = parameter.name.split(separator: ".").dropLast().joined(separator: ".")
      func show(_ tile: Shape, _ values: [Float], _ note: String) {
        result.append(
          LayerPicture(
            layer: layer.isEmpty ? parameter.name : layer,
            caption: "\(count) of \(shape[0]) filters, \(note)", tiles: values,
            shape: Shape([count] + tile.dimensions), columns: 16, together: false))
      }
      if shape.rank == 4, shape[2] > 1 || shape[3] > 1 {
        let plane = shape[2] * shape[3]
        let channels = shape[1] == 3 ? 3 : 1
        let values = (0..<count).flatMap { filter in
          value.floats[filter * shape[1] * plane..<(filter * shape[1] + channels) * plane]
        }
        show(
          [channels, shape[2], shape[3]], values,
          shape[1] == channels ? "\(shape[1]) channels" : "the first of \(shape[1]) channels")
      } else if shape.rank == 2, input.rank == 3, [1, 3].contains(input[0]),
        shape[1] == input.elementCount
      {
        show(input, Array(value.floats.prefix(count * shape[1])), "a weight per pixel")
      }
    }
    return result
  }

  /// What the layers that keep a picture's plane make of one.
  ///
  /// - Parameters:
  ///   - samples: one sample.
  ///   - layerLimit: how many layers are shown; where there are more, some between are left out.
  package func featureMaps(of samples: any Dataset, layerLimit: Int = 12) throws -> [LayerPicture] {
    let (graph, layers) = try graph(batchSize: 1) { layer in
      layer.summary.output.rank == 4 && layer.summary.output[2] > 1 && layer.summary.output[3] > 1
    }
    let executable = try compiled(graph)
    var result: [LayerPicture] = []
    let step = max(1, Double(layers.count) / Double(layerLimit))
    try batches(of: samples, size: 1, limit: 1) { batch in
      try executable.upload(batch)
      try executable.step()
      for place in 0..<min(layers.count, layerLimit) {
        let layer = layers[Int(Double(place) * step)]
        let shape = layer.summary.output
        let count = min(shape[1], Self.unitLimit)
        let values = try executable.read(layer.name).floats.prefix(count * shape[2] * shape[3])
        result.append(
          LayerPicture(
            layer: layer.name,
            caption:
              "\(layer.summary.kind), \(count) of \(shape[1]) maps of \(shape[3])×\(shape[2])",
            tiles: Array(values), shape: [count, 1, shape[2], shape[3]], columns: 16,
            together: false))
      }
    }
    return result
  }

  /// The pictures that make units of a layer largest, found by going uphill from grey.
  ///
  /// Source: Erhan, Bengio, Courville, Vincent, "Visualizing higher-layer features of a deep network",
  /// 2009; the classes' scores: Simonyan, Vedaldi, Zisserman, 2013.
  ///
  /// - Parameter name: the layer; the last one where `nil`.
  /// - Throws: ``TernError`` of kind `usage` where there is no such layer.
  package func maximalInputs(layer name: String? = nil, unitLimit: Int = 16, steps: Int = 120)
    throws -> LayerPicture
  {
    let normalization = data.normalization
    let shape = model.inputShape
    guard seesPictures, normalization.projection.isEmpty else {
      throw TernError(.usage, "\(model.name) does not read pictures")
    }
    let known = try graph(batchSize: 1) { $0.summary.output.rank >= 2 }.layers
    guard let layer = name.map({ name in known.first { $0.name == name } }) ?? known.last else {
      let names = known.map(\.name)
      throw TernError(
        .usage,
        "layer: \(model.name) has no layer '\(name ?? "")'; "
          + (EditDistance.nearest(to: name ?? "", among: names).map { "did you mean '\($0)'?" }
            ?? "known are \(names.joined(separator: ", "))"))
    }
    let unitCount = layer.summary.output[1]
    let count = min(unitCount, unitLimit)
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: "")
    let pictures = try builder.variable("maximal_input", Shape([count] + shape.dimensions))
    func channels(_ values: [Double]) -> Tensor {
      builder.constant(HostTensor([1, shape[0], 1, 1], values.map(Float.init)))
    }
    _ = try model.forward(
      (pictures - channels(normalization.means)) / channels(normalization.deviations), in: context)
    let found = Self.layers(context).first { $0.name == layer.name }!
    let output = builder.tensor(found.value)
    var units = try output.reshape(
      [count, unitCount, output.shape.elementCount / (count * unitCount)]
    ).mean([2])
    var mask = [Float](repeating: 0, count: count * unitCount)
    for unit in 0..<count { mask[unit * unitCount + unit] = 1 }
    let own = builder.constant(HostTensor([count, unitCount], mask))
    // The logarithm, so that noise between neighbouring pixels, which no unit is about, counts as much
    // against units of any size.
    let growth = try (units.softplus().log() * own).sum()
    units = try units * own
    let loss = try pictures.totalVariation().affine(scale: Self.smoothness * Float(count)) - growth
    guard let gradient = try builder.gradients(of: loss, withRespectTo: [pictures])[0] else {
      throw TernError(.usage, "layer: \(layer.name) does not depend on the picture")
    }
    builder.output("units", try units.sum([1]))
    try Optimizer(PictureAdam()).update(
      [(pictures, gradient)], in: builder,
      learningRate: builder.input(Optimizer.learningRateInput, []),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    let session = Session(device: device)
    let executable = try session.compile(builder.graph)
    try session.load(weights, into: context.parameters.map(\.name), of: model.name)
    let noise = Philox(seed: seed, stream: .noise).normals(pictures.shape.elementCount)
    try session.write([
      "maximal_input": HostTensor(pictures.shape, noise.map { min(max(0.5 + 0.05 * $0, 0), 1) })
    ])
    for step in 1...steps {
      try executable.upload(
        Float(PictureAdam.rate(0.03, step: step)), toInput: Optimizer.learningRateInput)
      try executable.step()
      // Keeps what is asked of the device and not yet done from growing.
      if step % 20 == 0 { try session.synchronize() }
    }
    let values = try executable.read("units").floats
    let (low, high) = (values.min() ?? 0, values.max() ?? 0)
    return LayerPicture(
      layer: layer.name,
      caption: "\(count) of \(unitCount) units, which reach "
        + String(format: "%.3g to %.3g", low, high),
      tiles: try session.read("maximal_input").floats, shape: pictures.shape, columns: 8,
      together: false)
  }
}

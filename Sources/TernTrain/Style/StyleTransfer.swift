import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// A picture with the content of one and the style of another: the picture itself is what is trained.
///
/// With F the features of the picture at a layer, P those of the content, G and A the Gram matrices of
/// the picture and of the style (see ``TernGraph/Tensor/gramMatrix()``), the loss is
///
/// α · Σ w_l · ½ mean (F − P)² + β · Σ w_l · ¼ Σ (G − A)² + γ · total variation
///
/// Source: Gatys, Ecker, Bethge, "A neural algorithm of artistic style", 2015; the content's mean is a
/// sum there, so that its weight depends on the size of the picture.
package final class StyleTransfer {
  /// What a picture is made of, and how.
  package struct Options: Sendable {
    /// Layers and their weights, by the names of ``StyleFeatures``.
    package var contentLayers: [(name: String, weight: Double)] = [("relu4_2", 1)]
    package var styleLayers: [(name: String, weight: Double)] = (1...5).map { ("relu\($0)_1", 0.2) }
    package var contentWeight = 1.0
    package var styleWeight = 1000.0
    package var variationWeight = 0.0
    package var averages = false
    package var optimizer = PictureOptimizer.adam
    /// That of the optimizer where `nil`.
    package var learningRate: Double?
    package var seed: UInt64 = 0
    /// Whether the picture starts from noise, not from the content.
    package var startsFromNoise = false

    package init() {}
  }

  /// What moves the picture.
  package enum PictureOptimizer: String, Sendable, CaseIterable {
    case adam, lbfgs

    /// The rate that suits it.
    package var standardRate: Double { self == .adam ? 0.02 : 1 }

    fileprivate var optimizer: Optimizer {
      self == .adam ? Optimizer(PictureAdam()) : Optimizer(PictureLBFGS())
    }
  }

  /// The parts of the loss at a step.
  package struct Losses: Sendable {
    package let total: Double
    /// Each times its weight.
    package let content: Double
    package let style: Double
    package let variation: Double
  }

  /// The normalisation that networks trained on ImageNet know.
  private static let channels = (
    means: [0.485, 0.456, 0.406] as [Float], deviations: [0.229, 0.224, 0.225] as [Float]
  )
  private static let imageName = "image"

  package let options: Options
  /// The Gram matrices of the style, by the names of their layers.
  package let gramMatrices: [String: HostTensor]
  private let session: Session
  private let executable: Executable
  private let shape: Shape
  private var stepCount = 0

  /// Prepares everything: computes what the picture is held against, plans, compiles and starts.
  ///
  /// - Parameters:
  ///   - content, style: pictures [3, H, W] in [0, 1], of any two sizes.
  ///   - weights: tensors by name; random ones where `nil`.
  /// - Throws: ``TernError`` where a layer is not known, a weight is missing or of another shape, or a
  ///   picture is too small for the layers.
  package init(
    content: HostTensor, style: HostTensor, features model: Model,
    weights: [String: HostTensor]? = nil, options: Options, on device: any Device
  ) throws {
    self.options = options
    let features = try StyleFeatures(of: model, averages: options.averages)
    let contentPlaces = try options.contentLayers.map {
      (try features.place(of: $0.name), $0.weight)
    }
    let stylePlaces = try options.styleLayers.map { (try features.place(of: $0.name), $0.weight) }

    // The targets first, in a session that is gone when the picture is trained.
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    func read(_ name: String, _ picture: HostTensor, _ places: [Int]) throws -> [Int: Tensor] {
      let image = try builder.input(name, Shape([1] + picture.shape.dimensions))
      return try Self.reportingSize(picture.shape, of: name) {
        try features.append(
          to: Self.normalized(image), reading: Set(places), in: context)
      }
    }
    for (place, tensor) in try read("content", content, contentPlaces.map(\.0)) {
      builder.output("content.\(place)", tensor)
    }
    for (place, tensor) in try read("style", style, stylePlaces.map(\.0)) {
      builder.output("style.\(place)", try tensor.gramMatrix())
    }
    let values = try Self.values(of: context.parameters, weights, seed: options.seed)
    let targetSession = Session(device: device)
    let target = try targetSession.compile(builder.graph)
    try targetSession.write(values)
    var inputs: [String: HostTensor] = [:]
    for (name, picture) in [("content", content), ("style", style)]
    where target.inputIndex(name) != nil {
      inputs[name] = picture.reshaped(Shape([1] + picture.shape.dimensions))
    }
    let targets = try target.run(inputs)
    gramMatrices = Dictionary(
      uniqueKeysWithValues: Set(stylePlaces.map(\.0)).map {
        (features.names[$0], targets["style.\($0)"]!)
      })

    shape = Shape([1] + content.shape.dimensions)
    let step = try Self.stepGraph(
      shape, features, content: contentPlaces, style: stylePlaces, targets: targets, options)
    session = Session(device: device)
    executable = try session.compile(step)
    let kept = Set(session.variableNames)
    try session.write(values.filter { kept.contains($0.key) })
    let start: HostTensor
    if options.startsFromNoise {
      let draws = Philox(seed: options.seed, stream: .noise).uniforms(shape.elementCount)
      start = HostTensor(shape, draws)
    } else {
      start = content.reshaped(shape)
    }
    try session.write([Self.imageName: start])
  }

  /// One step as a graph: the losses, the gradient of the picture, the optimizer's update of it.
  private static func stepGraph(
    _ shape: Shape, _ features: StyleFeatures, content: [(Int, Double)], style: [(Int, Double)],
    targets: [String: HostTensor], _ options: Options
  ) throws -> Graph {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let image = try builder.variable(imageName, shape)
    let read = try features.append(
      to: normalized(image), reading: Set((content + style).map(\.0)), in: context)
    func sum(_ terms: [Tensor], _ weight: Double) throws -> Tensor {
      guard let first = terms.first else { return builder.constant(0) }
      return try terms.dropFirst().reduce(first) { try $0 + $1 }.affine(scale: Float(weight))
    }
    let contentLoss = try builder.scope("content") {
      try sum(
        content.map { place, weight in
          let target = builder.constant(targets["content.\(place)"]!)
          return try (read[place]! - target).square().mean().affine(scale: Float(weight / 2))
        }, options.contentWeight)
    }
    let styleLoss = try builder.scope("style") {
      try sum(
        style.map { place, weight in
          let target = builder.constant(targets["style.\(place)"]!)
          return try (read[place]!.gramMatrix() - target).square().sum()
            .affine(scale: Float(weight / 4))
        }, options.styleWeight)
    }
    let variation = try builder.scope("variation") {
      try image.totalVariation().affine(scale: Float(options.variationWeight))
    }
    let loss = try contentLoss + styleLoss + variation
    for (name, tensor) in [
      ("content", contentLoss), ("style", styleLoss), ("variation", variation),
    ] { builder.output(name, tensor) }
    builder.output(TrainingGraph.lossOutput, loss)
    guard let gradient = try builder.gradients(of: loss, withRespectTo: [image])[0] else {
      throw TernError(.usage, "every weight of the loss is 0")
    }
    try options.optimizer.optimizer.update(
      [(image, gradient)], in: builder,
      learningRate: builder.input(Optimizer.learningRateInput, []),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    return builder.graph
  }

  /// A picture [1, 3, H, W] as the network knows it.
  private static func normalized(_ image: Tensor) throws -> Tensor {
    let factors = channels.deviations.map { 1 / $0 }
    let shifts = zip(channels.means, factors).map { -$0 * $1 }
    let builder = image.builder
    return try image * builder.constant(HostTensor([1, 3, 1, 1], factors))
      + builder.constant(HostTensor([1, 3, 1, 1], shifts))
  }

  private static func reportingSize<R>(
    _ shape: Shape, of name: String, _ body: () throws -> R
  ) throws -> R {
    do { return try body() } catch let error as LayerError {
      throw TernError(.usage, "the \(name) picture of \(shape[2])x\(shape[1]) pixels: \(error)")
    }
  }

  /// The parameters' values: those given, or random ones.
  private static func values(
    of parameters: [Parameter], _ weights: [String: HostTensor]?, seed: UInt64
  ) throws -> [String: HostTensor] {
    guard let weights else {
      return Dictionary(
        uniqueKeysWithValues: parameters.map {
          ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed))
        })
    }
    let match = WeightMatch(weights, to: parameters)
    if let missing = match.missing.first { throw TernError(.badData, missing) }
    return match.values
  }

  /// The bytes that a step takes.
  package var planByteCount: Int { executable.plan.peakByteCount }

  /// Makes a step.
  package func step() throws {
    stepCount += 1
    let rate = options.learningRate ?? options.optimizer.standardRate
    try executable.upload(
      Float(options.optimizer == .adam ? PictureAdam.rate(rate, step: stepCount) : rate),
      toInput: Optimizer.learningRateInput)
    try executable.step()
  }

  /// The losses of the picture that the last step began with.
  ///
  /// - Throws: ``TernError`` of kind `diverged` where they are not finite.
  package func losses() throws -> Losses {
    func value(_ name: String) throws -> Double { Double(try executable.read(name).floats[0]) }
    let losses = Losses(
      total: try value(TrainingGraph.lossOutput), content: try value("content"),
      style: try value("style"), variation: try value("variation"))
    guard losses.total.isFinite else {
      throw TernError(
        .diverged, "step \(stepCount): the loss is not finite; try a smaller learning rate")
    }
    return losses
  }

  /// The picture as it is now, [3, H, W] in [0, 1].
  package func image() throws -> HostTensor {
    try session.read(Self.imageName).reshaped(Shape(Array(shape.dimensions.dropFirst())))
  }
}

import TernCore
import TernGraph

/// A part of a network: appends its computation to a graph, and declares its parameters.
public protocol Layer: Sendable {
  /// PyTorch's functional name of what it does, or the name of a block.
  var kind: String { get }

  /// Appends the layer.
  ///
  /// - Parameter inputs: the outputs of the layers it reads; most read one.
  func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor
}

/// What a network is built for.
public enum Mode: Hashable, Sendable {
  /// Dropout drops, normalisation uses the batch and updates its running statistics.
  case training
  /// Dropout passes, normalisation uses the running statistics.
  case inference
}

/// A parameter or a running statistic of a network.
public struct Parameter {
  /// The path of layer names and the parameter's own, joined by dots: `conv1.weight`.
  public let name: String
  /// Its value in the graph.
  public let tensor: Tensor
  /// How it starts.
  public let initializer: Initializer
  /// Whether an optimizer updates it; false for running statistics.
  public let isTrainable: Bool

  /// Its extents.
  public var shape: Shape { tensor.shape }
}

/// A row of a network's summary.
public struct LayerSummary: Hashable, Sendable {
  /// The path of layer names, joined by dots: `layer1.0.conv1`.
  public let name: String
  /// What it is: PyTorch's functional name, or the name of a block.
  public let kind: String
  /// The shape of what it computes.
  public let output: Shape
  /// The trained numbers it has of its own.
  public let parameterCount: Int
  /// The multiplications, each with an addition, of its products and convolutions.
  public let multiplyAdds: Int
  /// How many input pixels across an output element sees; `nil` once it sees no neighbourhood.
  public let receptiveField: Int?
}

/// A layer of a network that does not fit what it reads.
public struct LayerError: Error, CustomStringConvertible {
  /// The path of layer names: `layer1.0.conv1`.
  public let layer: String
  /// What does not fit.
  public let reason: ShapeError

  public var description: String { "layer \(layer): \(reason)" }
}

/// Where a network under construction stands: its graph, the path of layer names, and what was
/// declared so far.
public final class LayerContext {
  /// The graph that layers are appended to.
  public let builder: GraphBuilder
  /// What the network is built for.
  public let mode: Mode
  /// What random numbers depend on.
  public let seed: UInt64
  /// The number of the training step, which dropout draws its masks from.
  public let step: Tensor?
  /// The parameters and running statistics declared so far, in the order of the layers.
  public private(set) var parameters: [Parameter] = []
  /// What was appended so far, layer by layer.
  public private(set) var summaries: [LayerSummary] = []
  /// What is trained besides the network's output, and the weight of its loss.
  public private(set) var auxiliaryOutputs: [(output: Tensor, weight: Float)] = []
  /// Where batch norm takes the statistics of what several members compute of a batch: how they add up; `nil` where
  /// it takes those of what is computed here.
  package var statisticsExchange: (any SumExchange)?
  /// Gives the labels of a batch, [N] int32 or numbers [N, T], to a network that computes its losses itself; `nil` where
  /// nobody asks for losses.
  package var labels: (() throws -> Tensor)?
  /// The losses that such a network has computed, the means over the batch.
  package private(set) var losses: [(name: String, value: Tensor, weight: Float)] = []
  private var path: [String] = []
  private var isAside = false
  /// The nodes that ``aside(_:)`` appended.
  private var asideNodes: [Range<Int>] = []
  private var dropoutCount: UInt32 = 0
  private var noiseCount: UInt32 = 0
  /// How far each value sees; `nil` inside where it sees no neighbourhood.
  private var fields: [ValueID: ReceptiveField?] = [:]
  /// What the names of the variables start with, where they are not the parameters' own.
  private let variablePrefix: String
  /// Which parameters keep their values.
  private let isFrozen: (String) -> Bool

  /// How far a value sees: `extent` input pixels, neighbours `jump` pixels apart.
  struct ReceptiveField {
    var extent: Double
    var jump: Double
  }

  /// - Parameters:
  ///   - variablePrefix: lets the network read other variables than its parameters, such as their
  ///     averages: `ema.conv1.weight` for `conv1.weight`.
  ///   - isFrozen: which parameters, by name, training leaves as they are.
  public init(
    builder: GraphBuilder, mode: Mode, seed: UInt64 = 0, step: Tensor? = nil,
    variablePrefix: String = "", isFrozen: @escaping (String) -> Bool = { _ in false }
  ) {
    self.builder = builder
    self.isFrozen = isFrozen
    self.variablePrefix = variablePrefix
    self.mode = mode
    self.seed = seed
    self.step = step
  }

  /// Declares a parameter of the current layer, or finds it again where a layer is shared.
  ///
  /// - Parameter name: `nil` for a parameter that is called as the layer itself.
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func parameter(
    _ name: String?, _ shape: Shape, _ initializer: Initializer, isTrainable: Bool = true
  ) throws -> Tensor {
    try parameter(
      named: (path + [name].compactMap(\.self)).joined(separator: "."), shape, initializer,
      isTrainable: isTrainable)
  }

  /// Declares a parameter under its full name, or finds it again, for a network that names its
  /// parameters otherwise than by layers.
  package func parameter(
    named full: String, _ shape: Shape, _ initializer: Initializer, isTrainable: Bool = true
  ) throws -> Tensor {
    let tensor = try builder.variable(variablePrefix + full, shape)
    if !parameters.contains(where: { $0.name == full }) {
      parameters.append(
        Parameter(name: full, tensor: tensor, initializer: initializer, isTrainable: isTrainable))
    }
    return tensor
  }

  /// Declares `weight` of the current layer, its outputs along axis 0 and what an output reads along
  /// the others, and `bias` with as many elements as asked for.
  ///
  /// - Parameter groups: parts of the outputs of which an input reaches one.
  func weightAndBias(
    _ kind: String, _ shape: Shape, biasCount: Int?, groups: Int = 1,
    _ initializer: WeightInitializer
  ) throws -> (weight: Tensor, bias: Tensor?) {
    // Products of extents from a file overflow unless they were checked.
    guard shape.isUsable else {
      throw ShapeError(kind, "weight", expected: GraphBuilder.usableExtents, got: "\(shape)")
    }
    let fanIn = shape.elementCount(in: 1..<shape.rank)
    let fanOut = shape[0] / groups * shape.elementCount(in: 2..<shape.rank)
    return (
      try parameter("weight", shape, initializer.weight(fanIn: fanIn, fanOut: fanOut)),
      try biasCount.map { try parameter("bias", [$0], initializer.bias(fanIn: fanIn)) }
    )
  }

  /// Whether training leaves these parameters of the current layer as they are.
  func keeps(_ names: String...) -> Bool {
    names.allSatisfy { isFrozen((path + [$0]).joined(separator: ".")) }
  }

  /// Whether training leaves the parameters of these full names as they are.
  package func keeps(named names: [String]) -> Bool { names.allSatisfy(isFrozen) }

  /// Tells dropout layers apart.
  package func nextDropoutStream() -> UInt32 {
    defer { dropoutCount += 1 }
    return dropoutCount
  }

  /// Adds the loss of `output` to the network's when it is trained.
  package func addAuxiliaryOutput(_ output: Tensor, weight: Float) {
    auxiliaryOutputs.append((output, weight))
  }

  /// Adds a loss that the network has computed itself.
  package func addLoss(_ name: String, _ value: Tensor, weight: Float) {
    losses.append((name, value, weight))
  }

  /// Appends layers that inference has no use for: their multiply-adds do not count there.
  package func aside<R>(_ body: () throws -> R) rethrows -> R {
    let start = builder.graph.nodes.count
    isAside = true
    defer {
      isAside = false
      asideNodes.append(start..<builder.graph.nodes.count)
    }
    return try body()
  }

  /// Tells what is drawn in different places apart.
  func nextNoiseStream() -> UInt32 {
    defer { noiseCount += 1 }
    return noiseCount
  }

  /// Appends what an objective computes with the parameters of the layer called `name`.
  ///
  /// - Throws: ``LayerError`` with the path of the layer where something does not fit.
  public func within<R>(_ name: String, _ body: () throws -> R) throws -> R {
    path.append(name)
    defer { path.removeLast() }
    do { return try builder.scope(name, body) } catch let error as ShapeError {
      throw LayerError(layer: path.joined(separator: "."), reason: error)
    }
  }

  /// Appends a layer under `name`.
  ///
  /// - Throws: ``LayerError`` with the path of the layer where something does not fit.
  public func apply(_ layer: any Layer, named name: String, to inputs: [Tensor]) throws -> Tensor {
    path.append(name)
    defer { path.removeLast() }
    let nodesBefore = builder.graph.nodes.count
    let parametersBefore = parameters.count
    let summariesBefore = summaries.count
    let output: Tensor
    do { output = try builder.scope(name) { try layer.forward(inputs, in: self) } } catch let error
      as ShapeError
    {
      throw LayerError(layer: path.joined(separator: "."), reason: error)
    }
    if fields[output.id] == nil { inheritField(output, from: inputs) }
    // A block is described by the layers inside, and by a row of its own for what it computes besides
    // them, such as the projections of an attention layer.
    let inside = summaries[summariesBefore...]
    let parameterCount =
      parameters[parametersBefore...].filter(\.isTrainable)
      .reduce(0) { $0 + $1.shape.elementCount } - inside.reduce(0) { $0 + $1.parameterCount }
    let ownMultiplyAdds =
      multiplyAdds(from: nodesBefore) - inside.reduce(0) { $0 + $1.multiplyAdds }
    if inside.isEmpty || parameterCount > 0 || ownMultiplyAdds > 0 {
      summaries.insert(
        LayerSummary(
          name: path.joined(separator: "."), kind: layer.kind, output: output.shape,
          parameterCount: parameterCount, multiplyAdds: ownMultiplyAdds,
          receptiveField: (fields[output.id] ?? nil).flatMap {
            Int(exactly: $0.extent.rounded(.up))
          }),
        at: summariesBefore)
    }
    return output
  }

  private func multiplyAdds(from start: Int) -> Int {
    if isAside && mode == .inference { return 0 }
    let nodes = builder.graph.nodes
    return nodes.indices[start...].reduce(0) { sum, index in
      if mode == .inference, asideNodes.contains(where: { $0.contains(index) }) { return sum }
      switch nodes[index].operation {
      case is Operations.Conv2D, is Operations.Conv2DBackwardInput, is Operations.MatMul,
        is Operations.Linear, is Operations.Attention:
        return Swift.min(sum + builder.graph.cost(of: nodes[index]).flops / 2, 1 << 60)
      default: return sum
      }
    }
  }

  // MARK: Receptive fields

  /// Marks the network's input: one pixel sees itself.
  func beginField(_ input: Tensor) { fields[input.id] = ReceptiveField(extent: 1, jump: 1) }

  /// Records that `output` reads windows of `input`.
  package func recordWindow(
    _ output: Tensor, from input: Tensor, kernel: Int, stride: Int, dilation: Int
  ) {
    guard var field = fields[input.id] ?? nil else { return }
    field.extent += Double((kernel - 1) * dilation) * field.jump
    field.jump *= Double(stride)
    fields[output.id] = field
  }

  /// Records that `output` is `factor` times as large as `input`, each element from `kernel` of it.
  func recordEnlargement(_ output: Tensor, from input: Tensor, factor: Double, kernel: Int) {
    guard var field = fields[input.id] ?? nil else { return }
    field.extent += Double(kernel - 1) * field.jump
    field.jump /= factor
    fields[output.id] = field
  }

  /// Records that `output` mixes all pixels.
  package func endField(_ output: Tensor) { fields[output.id] = .some(nil) }

  /// Elementwise layers and joins see what their widest input sees; mixing all pixels ends it.
  private func inheritField(_ output: Tensor, from inputs: [Tensor]) {
    guard output.shape.rank == 4 else { return }
    fields[output.id] = inputs.compactMap { fields[$0.id] ?? nil }.max { $0.extent < $1.extent }
  }
}

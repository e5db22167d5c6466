import TernCore
import TernData
import TernGraph
import TernNN

/// A network from a file in Caffe's text format.
///
/// Trained, it is the net of the phase TRAIN up to its loss, which is Tern's; otherwise that of the phase
/// TEST. Parameters are called as their layers: `conv1.weight`, `conv1.bias`.
package struct CaffeNetwork: NetworkLayer {
  private let net: CaffeNet
  /// The name of the net's input.
  private let input: String
  private let field: String
  private let outputs: Outputs
  /// Layers with another number of outputs than the file's.
  private let outputCounts: [String: Int]
  /// Whether the extents of the input are in the net's data, and nobody has said them.
  private let isOpen: Bool

  /// What the net is held against its targets by.
  private struct Outputs {
    /// The blob that the main loss reads.
    let main: String
    /// The blobs that other losses read, with their weights.
    let others: [(blob: String, weight: Float)]
    /// Whether the net computes its losses itself, since they are not those of classes alone.
    var hasOwnLosses = false
    /// Whether what its losses are held against are numbers, not classes.
    var takesNumbers = false
  }

  package var kind: String { "caffe" }

  /// Whether a model's name is that of a file in Caffe's text format.
  package static func isPath(_ name: String) -> Bool { name.pathSuffix.lowercased() == "prototxt" }

  // MARK: Building

  package func outputs(
    reading tensors: [String: Tensor], in context: LayerContext
  ) throws -> [(name: String, output: Tensor)] {
    if isOpen {
      throw TernError(
        .badData,
        "\(net.path): the extents of '\(input)' are in the net's data: say them with --input C,H,W")
    }
    do { return try build(tensors[field]!, in: context) } catch let fault as PrototxtFault {
      throw fault.error(in: net.path)
    }
  }

  private func build(
    _ tensor: Tensor, in context: LayerContext
  ) throws -> [(name: String, output: Tensor)] {
    let layers = try net.layers(in: context.mode == .training ? .train : .test)
    let losses =
      outputs.hasOwnLosses && context.labels != nil ? layers.filter(\.isLoss) : []
    let (main, aside) = (
      try needed(for: [outputs.main] + losses.flatMap(\.bottoms), in: layers),
      try needed(for: outputs.others.map(\.blob), in: layers)
    )
    var blobs = [input: tensor]
    for (index, layer) in layers.enumerated() where main.contains(index) || aside.contains(index) {
      // Built for inference too, so that the parameters are known; what nothing reads is not run.
      if main.contains(index) {
        try run(layer, &blobs, in: context)
      } else {
        try context.aside { try run(layer, &blobs, in: context) }
      }
    }
    if context.mode == .training {
      for (blob, weight) in outputs.others {
        guard let scores = blobs[blob] else { continue }
        context.addAuxiliaryOutput(try Self.rows(scores), weight: weight)
      }
    }
    for loss in losses { try add(loss, blobs, layers, in: context) }
    guard let output = blobs[outputs.main] else {
      throw PrototxtFault(
        line: 1, text: "the net of this phase has no layer with the top '\(outputs.main)'")
    }
    return [(outputs.main, try Self.rows(output))]
  }

  /// Computes a loss of the net's own.
  private func add(
    _ loss: CaffeLayer, _ blobs: [String: Tensor], _ layers: [CaffeLayer], in context: LayerContext
  ) throws {
    let labels = Set(layers.filter(\.isData).flatMap { $0.tops.dropFirst() })
    let inputs = try loss.bottoms.map { bottom -> Tensor? in
      if labels.contains(bottom) { return nil }
      guard let tensor = blobs[bottom] else {
        throw loss.fault("bottom '\(bottom)' is the top of no layer before it")
      }
      return tensor
    }
    let value: Tensor
    do {
      value = try context.builder.scope(loss.name) {
        try CaffeLosses.loss(loss, inputs) { try context.labels!() }
      }
    } catch let error as ShapeError { throw loss.fault("\(error)") }
    context.addLoss(loss.tops.first ?? loss.name, value, weight: loss.lossWeight ?? 1)
  }

  /// Scores of one pixel are those of the picture.
  private static func rows(_ scores: Tensor) throws -> Tensor {
    let shape = scores.shape
    guard shape.rank > 2, shape.dimensions[2...].allSatisfy({ $0 == 1 }) else { return scores }
    return try scores.reshape([shape[0], shape[1]])
  }

  /// The layers that blobs depend on, by their places.
  private func needed(for blobs: [String], in layers: [CaffeLayer]) throws -> Set<Int> {
    var (result, open) = (Set<Int>(), Set(blobs))
    for (index, layer) in layers.enumerated().reversed()
    where layer.tops.contains(where: open.contains) {
      if layer.tops.contains(input), !layer.bottoms.contains(input) { continue }
      result.insert(index)
      open.subtract(layer.tops)
      open.formUnion(layer.bottoms)
    }
    return result
  }

  private func run(
    _ layer: CaffeLayer, _ blobs: inout [String: Tensor], in context: LayerContext
  ) throws {
    guard let body = CaffeLayers.named(layer.type) else {
      guard !layer.isData, layer.type != "Input" else {
        throw layer.fault("a second input; a net has one, '\(input)'")
      }
      let hint = EditDistance.nearest(to: layer.type, among: CaffeLayers.names)
      throw layer.fault("the type is not known" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    let inputs = try layer.bottoms.map { bottom in
      guard let tensor = blobs[bottom] else {
        throw layer.fault("bottom '\(bottom)' is the top of no layer before it")
      }
      return tensor
    }
    guard !inputs.isEmpty else { throw layer.fault("no bottom") }
    let call = CaffeCall(
      layer: layer, inputs: inputs, context: context, outputCount: outputCounts[layer.name])
    let node = CaffeNodeLayer(call: call, body: body)
    do { _ = try context.apply(node, named: layer.name, to: inputs) } catch let error as LayerError
    {
      throw layer.fault("\(error.reason)")
    }
    guard node.results.count >= layer.tops.count else {
      throw layer.fault("\(layer.tops.count) tops, where it has \(node.results.count)")
    }
    for (top, tensor) in zip(layer.tops, node.results) { blobs[top] = tensor }
  }

  // MARK: Reading

  /// Reads a network.
  ///
  /// - Parameters:
  ///   - inputShape: one sample; where the file does not say it, it has to be given.
  ///   - classCount: the number of classes; another than the file's gives the last layer so many outputs.
  ///   - keepsSoftmax: whether a softmax at the end stays; a loss of classes has its own.
  /// - Throws: ``TernError`` with the line that is wrong.
  package static func model(
    contentsOf path: String, inputShape: Shape? = nil, classCount: Int? = nil,
    keepsSoftmax: Bool = false
  ) throws -> Model {
    let net = try CaffeNet(contentsOf: path)
    do {
      return try model(
        net, inputShape: inputShape, classCount: classCount, keepsSoftmax: keepsSoftmax)
    } catch let fault as PrototxtFault { throw fault.error(in: path) }
  }

  private static func model(
    _ net: CaffeNet, inputShape: Shape?, classCount: Int?, keepsSoftmax: Bool
  ) throws -> Model {
    guard let input = net.inputs.first else {
      throw PrototxtFault(line: 1, text: "the net has no input and no layer of data")
    }
    var notes: [String] = []
    let outputs = try outputs(of: net, keepsSoftmax: keepsSoftmax, &notes)
    if let file = try missingMeanFile(of: net) {
      notes.append(
        "\(net.path): mean_file '\(file)' is not there; values are normalised as others are")
    }
    let shape = inputShape ?? declaredShape(input.shape)
    // A net whose data says how large it is waits for the data.
    let field = Field(Field.samplesName, shape ?? [1])
    func model(_ counts: [String: Int], classCount: Int) -> Model {
      let network = CaffeNetwork(
        net: net, input: input.name, field: field.name, outputs: outputs, outputCounts: counts,
        isOpen: shape == nil)
      var model = Model(
        name: net.path.pathStem, inputs: [field], outputs: [outputs.main], classCount: classCount,
        layers: Sequential([NamedLayer("caffe", network)]),
        task: outputs.hasOwnLosses
          ? .ownLosses(ofNumbers: outputs.takesNumbers) : .classification)
      model.notes = notes
      return model
    }
    guard shape != nil else {
      let last = try lastLayer(of: outputs.main, in: net)
      return model([:], classCount: try last.flatMap(CaffeLayers.outputCount) ?? 1)
    }
    let (graph, _) = try model([:], classCount: 1).inferenceGraph(batchSize: 2)
    let output = graph.type(graph.outputs[0].id).shape
    let count =
      outputs.takesNumbers ? output.elementCount / 2 : output.rank >= 2 ? output[1] : 1
    // The net for training too, so that what is wrong with it is told now.
    let builder = GraphBuilder()
    let own = model([:], classCount: count)
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    if outputs.hasOwnLosses {
      let type =
        outputs.takesNumbers
        ? TensorType([2, count], .float32) : TensorType([2], .int32)
      context.labels = { try builder.input(Field.targetsName, type) }
    }
    _ = try own.forward(own.appendInputs(to: builder, batchSize: 2), in: context)
    guard !outputs.hasOwnLosses, let classCount, classCount != count else { return own }
    var counts: [String: Int] = [:]
    for blob in [outputs.main] + outputs.others.map(\.blob) {
      guard let layer = try lastLayer(of: blob, in: net)
      else {
        throw PrototxtFault(
          line: 1,
          text: "the net has \(count) classes, and no last layer that could have \(classCount)")
      }
      counts[layer.name] = classCount
      notes.append(
        "\(net.path): layer '\(layer.name)' has \(classCount) outputs in place of \(count)")
    }
    return model(counts, classCount: classCount)
  }

  /// Whether the labels of a net's data are numbers: HDF5 files may hold any, other data has classes.
  private static func takesNumbers(_ net: CaffeNet, _ losses: [CaffeLayer]) throws -> Bool {
    let layers = try net.layers(in: .train)
    let labels = Set(layers.filter { $0.type == "HDF5Data" }.flatMap { $0.tops.dropFirst() })
    let readers = losses.filter { $0.bottoms.contains(where: labels.contains) }
    return !readers.isEmpty
      && readers.allSatisfy { ["EuclideanLoss", "SigmoidCrossEntropyLoss"].contains($0.type) }
  }

  /// The layer with weights that a blob is the result of; `nil` where it is that of another.
  private static func lastLayer(of blob: String, in net: CaffeNet) throws -> CaffeLayer? {
    try net.layers(in: .train).last { $0.tops.contains(blob) }.flatMap {
      ["InnerProduct", "Convolution"].contains($0.type) ? $0 : nil
    }
  }

  /// One sample of an input whose batch the file declares.
  private static func declaredShape(_ batch: [Int]?) -> Shape? {
    guard let batch, batch.count >= 2, Shape([1] + batch.dropFirst()).isUsable else { return nil }
    return Shape(Array(batch.dropFirst()))
  }

  /// What is trained, or where there is no loss what comes out at the end.
  private static func outputs(
    of net: CaffeNet, keepsSoftmax: Bool, _ notes: inout [String]
  ) throws -> Outputs {
    let losses = try net.layers(in: .train).filter(\.isLoss)
    if losses.contains(where: { $0.type != "SoftmaxWithLoss" }) {
      for loss in losses where !CaffeLosses.names.contains(loss.type) {
        throw loss.fault(
          "a loss that is not trained here; known are \(CaffeLosses.names.joined(separator: ", "))")
      }
      let main = losses.max { ($0.lossWeight ?? 1) < ($1.lossWeight ?? 1) }!
      guard let blob = main.bottoms.first else { throw main.fault("no bottom") }
      return Outputs(
        main: blob, others: [], hasOwnLosses: true, takesNumbers: try takesNumbers(net, losses))
    }
    if let main = losses.enumerated().max(by: { a, b in
      (a.element.lossWeight ?? 1, a.offset) < (b.element.lossWeight ?? 1, b.offset)
    }) {
      let blobs = try losses.map { loss in
        guard let blob = loss.bottoms.first else { throw loss.fault("no bottom") }
        return (blob: blob, weight: loss.lossWeight ?? 1)
      }
      guard blobs[main.offset].weight == 1 else {
        throw main.element.fault("the main loss has the weight \(blobs[main.offset].weight), not 1")
      }
      return Outputs(
        main: blobs[main.offset].blob,
        others: blobs.enumerated().filter { $0.offset != main.offset && $0.element.weight != 0 }
          .map(\.element))
    }
    let layers = try net.layers(in: .test).filter { !$0.isData && $0.type != "Input" }
    let ends = layers.filter { $0.type != "Accuracy" && $0.type != "Silence" }
    guard let last = ends.last, let top = last.tops.first else {
      throw PrototxtFault(line: 1, text: "the net computes nothing")
    }
    if last.type == "Softmax", !keepsSoftmax, let bottom = last.bottoms.first {
      notes.append("\(net.path): the softmax at the end is left out; the loss has its own")
      return Outputs(main: bottom, others: [])
    }
    return Outputs(main: top, others: [])
  }
}

/// A layer of a net, so that summaries and errors name it.
private final class CaffeNodeLayer: Layer, @unchecked Sendable {
  let kind: String
  private let call: CaffeCall
  private let body: CaffeBody
  private(set) var results: [Tensor] = []

  init(call: CaffeCall, body: @escaping CaffeBody) {
    (kind, self.call, self.body) = (call.layer.type, call, body)
  }

  func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    results = try body(call)
    return results.first ?? inputs[0]
  }
}

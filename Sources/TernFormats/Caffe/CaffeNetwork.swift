import TernCore
import TernData
import TernGraph
import TernNN

/// A network from a file in Caffe's text format.
///
/// Trained, it is the net of the phase TRAIN up to its loss, which is Tern's; otherwise that of the phase
/// TEST. Parameters are called as their layers: `conv1.weight`, `conv1.bias`.
package struct CaffeNetwork: NetworkLayer {
  let net: CaffeNet
  /// What it reads: the net's name of it, and the field it comes by.
  let inputs: [(blob: String, field: Field)]
  let outputs: Outputs
  /// Layers with another number of outputs than the file's.
  let outputCounts: [String: Int]
  /// Whether the extents of the first input are in the net's data, and nobody has said them.
  let isOpen: Bool

  /// What comes out of the net, and what it is held against its targets by.
  struct Outputs {
    /// The blob that the main loss reads.
    let main: String
    /// Blobs that come out besides.
    var further: [String] = []
    /// The blobs that other losses read, with their weights.
    var others: [(blob: String, weight: Float)] = []
    /// Whether the net computes its losses itself, since they are not those of classes alone.
    var hasOwnLosses = false
    /// The top that holds the targets, where the net computes its losses.
    var targets: String?
    /// Whether what its losses are held against are numbers, not classes.
    var takesNumbers = false

    var names: [String] { [main] + further }
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
        "\(net.path): the extents of '\(inputs[0].blob)' are in the net's data: say them with --input C,H,W"
      )
    }
    let blobs = Dictionary(uniqueKeysWithValues: inputs.map { ($0.blob, tensors[$0.field.name]!) })
    do { return try build(blobs, in: context) } catch let fault as PrototxtFault {
      throw fault.error(in: net.path)
    }
  }

  private func build(
    _ given: [String: Tensor], in context: LayerContext
  ) throws -> [(name: String, output: Tensor)] {
    let layers = try net.layers(in: context.mode == .training ? .train : .test)
    let losses = outputs.hasOwnLosses && context.labels != nil ? try net.losses(of: layers) : []
    let wanted = context.mode == .training ? [outputs.main] : outputs.names
    let blobs = try blobs(
      wanted + losses.flatMap(\.bottoms), aside: outputs.others.map(\.blob), given, layers,
      in: context)
    if context.mode == .training {
      for (blob, weight) in outputs.others {
        guard let scores = blobs[blob] else { continue }
        context.addAuxiliaryOutput(try Self.rows(scores), weight: weight)
      }
    }
    for loss in losses { try add(loss, blobs, in: context) }
    return try outputs.names.map { name in
      // What comes out besides is of no use in training.
      let isMissing = blobs[name] == nil && context.mode == .training && name != outputs.main
      guard let output = blobs[isMissing ? outputs.main : name] else {
        throw PrototxtFault(
          line: 1, text: "the net of this phase has no layer with the top '\(name)'")
      }
      return (name, try Self.rows(output))
    }
  }

  /// Computes blobs, of what the net is given.
  ///
  /// - Parameter aside: blobs that are built for inference too, so that their parameters are known; what nothing
  ///   reads is not run.
  func blobs(
    _ wanted: [String], aside: [String] = [], _ given: [String: Tensor], _ all: [CaffeLayer],
    in context: LayerContext
  ) throws -> [String: Tensor] {
    let layers = all.filter { !$0.isData && $0.type != "Input" }
    let (main, other) = (Self.needed(for: wanted, in: layers), Self.needed(for: aside, in: layers))
    var blobs = given
    for (index, layer) in layers.enumerated() where main.contains(index) || other.contains(index) {
      if main.contains(index) {
        try run(layer, &blobs, in: context)
      } else {
        try context.aside { try run(layer, &blobs, in: context) }
      }
    }
    return blobs
  }

  /// Computes a loss of the net's own.
  private func add(
    _ loss: CaffeLayer, _ blobs: [String: Tensor], in context: LayerContext
  ) throws {
    let labels = Set(net.inputs.filter(\.isLabel).map(\.name))
    let bottoms = try loss.bottoms.map { bottom -> CaffeLosses.Bottom in
      if bottom == outputs.targets { return .labels(context.labels!) }
      guard let tensor = blobs[bottom] else {
        throw loss.fault("bottom '\(bottom)' is the top of no layer before it")
      }
      return labels.contains(bottom) ? .labels { tensor } : .blob(tensor)
    }
    let value: Tensor
    do {
      value = try context.builder.scope(loss.name) { try CaffeLosses.loss(loss, bottoms) }
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
  private static func needed(for blobs: [String], in layers: [CaffeLayer]) -> Set<Int> {
    var (result, open) = (Set<Int>(), Set(blobs))
    for (index, layer) in layers.enumerated().reversed()
    where layer.tops.contains(where: open.contains) {
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
      let hint = EditDistance.nearest(to: layer.type, among: CaffeLayers.names)
      throw layer.fault("the type is not known" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    let inputs = try layer.bottoms.map { bottom in
      guard let tensor = blobs[bottom] else {
        let isLabel = net.inputs.contains { $0.isLabel && $0.name == bottom }
        throw layer.fault(
          isLabel
            ? "bottom '\(bottom)' holds labels, which losses alone read here"
            : "bottom '\(bottom)' is the top of no layer before it")
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

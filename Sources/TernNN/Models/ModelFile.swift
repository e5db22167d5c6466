import Foundation
import TernCore
import Yams

/// Networks as YAML files. Every layer and argument is described in `ModelFile.md`.
///
/// ```yaml
/// name: small-resnet
/// input: [1, 28, 28]
/// classes: 10
/// init: he                       # for every weight; default: standard
/// blocks:
///   basic:                       # a block of one's own, used below like a layer
///     - conv2d: {out_channels: 16, kernel_size: 3, padding: 1, bias: false}
///     - batch_norm
///     - relu
/// layers:
///   - conv2d: {name: stem, out_channels: 16, kernel_size: 3, padding: 1}
///   - residual:                  # the input is added to what the layers make of it
///       name: stage
///       repeat: 3                # stage.0, stage.1, stage.2
///       layers: [basic, basic]
///   - adaptive_avg_pool2d: {output_size: 1}
///   - flatten
///   - linear: {name: head, out_features: 10, init: small}
/// ```
///
/// A layer's key is PyTorch's functional name, its arguments PyTorch's; input sizes are inferred.
/// `name:` names a layer (else type and index, `conv2d_0`), `from: [a, b]` lets it read other layers
/// of the same list than the one before; `input` is what the list reads. `task:` is
/// `classification` unless it says `multilabel` (labels of which each holds or does not), `regression`
/// (numbers), `segmentation` (a class per pixel) or `reconstruction` (an autoencoder). Layers with weights
/// take `init:`, the name of a ``WeightInitializer``.
///
/// Several inputs, or one that is not float32, are named: `inputs: {left: [8], words: {shape: [16], type:
/// int32}}`; layers read them by name, and the first layer the first of them. `outputs: [a, b]` names the
/// layers whose results the network has, where it is not the last one's. `targets: N` may stand for
/// `classes: N` where numbers are predicted.
///
/// The blocks that contain `layers:` are `sequential`, `residual` (also `shortcut:`, layers that the
/// input passes on its way to the sum, `scale:`, and `activation: none` instead of `relu`),
/// `concatenation` (each entry is a branch) and `skip_concatenation`. `repeat: N` chains N copies of
/// a block. Names inside blocks are joined by dots: `stage.0.basic_0.conv2d_0.weight`.
public struct ModelFile {
  private let path: String

  /// Whether a model's name is that of a file.
  public static func isPath(_ name: String) -> Bool {
    name.hasSuffix(".yaml") || name.hasSuffix(".yml")
  }

  /// Reads a network from a file.
  ///
  /// - Throws: ``TernError`` naming file, line and layer.
  public static func read(_ path: String) throws -> Model {
    try ModelFile(path: path).parse(YAML.text(ofFile: path))
  }

  func fault(_ node: Node?, _ message: String) -> TernError {
    let line = node?.mark.map { ":\($0.line)" } ?? ""
    return TernError(.badData, "\(path)\(line): \(message)")
  }

  /// The value of a node, with file and line in its errors.
  func value(_ node: Node) throws -> AttributeValue { try YAML.value(node, file: path) }

  private func parse(_ text: String) throws -> Model {
    guard let root = try YAML.compose(text, file: path) else {
      throw TernError(.badData, "\(path): the file is empty; expected a map with 'layers'")
    }
    guard let map = root.mapping else { throw fault(root, "expected a map with 'layers'") }
    let known = [
      "name", "input", "inputs", "outputs", "classes", "targets", "task", "init", "blocks",
      "layers",
    ]
    for (key, _) in map where !known.contains(key.string ?? "") {
      let name = key.string ?? ""
      let hint = EditDistance.nearest(to: name, among: known).map { "did you mean '\($0)'?" }
      throw fault(
        key, "unknown key '\(name)'; " + (hint ?? "known are \(known.joined(separator: ", "))"))
    }
    let inputs = try self.inputs(map, in: root)
    if let targets = map["targets"], map["classes"] != nil {
      throw fault(targets, "'targets' and 'classes' both say what the network predicts; give one")
    }
    let count = map["classes"] ?? map["targets"]
    guard let classes = count?.int, (1...1 << 24).contains(classes) else {
      throw fault(count ?? root, "expected 'classes: N', a number of at least 1")
    }
    var reader = LayerListReader(file: self, initializer: try initializer(map["init"]))
    if let blocks = map["blocks"] { try reader.readBlocks(blocks) }
    guard let list = map["layers"] else { throw fault(root, "expected a list of 'layers'") }
    let standard = path.pathStem
    let layers = try reader.layers(list, under: "", reading: inputs.map(\.name))
    let model = Model(
      name: map["name"]?.string ?? standard, inputs: inputs,
      outputs: try outputs(map["outputs"], of: layers), classCount: classes,
      layers: Sequential(layers), task: try task(map["task"]))
    try check(model, reader)
    return model
  }

  /// `input: [C, H, W]`, or `inputs:` by name.
  private func inputs(_ map: Node.Mapping, in root: Node) throws -> [Field] {
    guard let node = map["inputs"] else {
      return [Field(Field.samplesName, try inputShape(map["input"], in: root))]
    }
    if let input = map["input"] { throw fault(input, "'input' and 'inputs' both; give one") }
    guard let entries = node.mapping, !entries.isEmpty else {
      throw fault(node, "expected 'inputs: {NAME: [D], …}', a shape for each input")
    }
    return try entries.map { key, value in
      guard let name = key.string, !name.isEmpty, !name.contains("."), name != "input",
        ![Field.targetsName, Field.partnerTargetsName, Field.mixName].contains(name)
      else { throw fault(key, "inputs: '\(key.string ?? "")' cannot be the name of an input") }
      guard let parts = value.mapping else { return Field(name, try inputShape(value, in: root)) }
      for (part, _) in parts where !["shape", "type"].contains(part.string ?? "") {
        throw fault(part, "unknown key '\(part.string ?? "")'; known are shape, type")
      }
      let type = parts["type"]?.string ?? DataType.float32.rawValue
      guard let dataType = DataType(rawValue: type) else {
        throw fault(
          parts["type"],
          "type: expected \(DataType.allCases.map(\.rawValue).joined(separator: ", ")), got '\(type)'"
        )
      }
      return Field(name, try inputShape(parts["shape"], in: value), dataType)
    }
  }

  /// The names of layers of the outermost list.
  private func outputs(_ node: Node?, of layers: [NamedLayer]) throws -> [String] {
    guard let node else { return [] }
    let names = node.sequence?.compactMap(\.string) ?? []
    guard !names.isEmpty, names.count == node.sequence?.count, Set(names).count == names.count
    else {
      throw fault(node, "expected 'outputs: [a, b]', names of layers")
    }
    let known = layers.enumerated().map { $1.name ?? "\($0)" }
    for name in names where !known.contains(name) {
      let hint =
        EditDistance.nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
      throw fault(node, "outputs: no layer '\(name)'\(hint)")
    }
    return names
  }

  /// One sample's shape: one to three extents.
  private func inputShape(_ node: Node?, in root: Node) throws -> Shape {
    let extents = node?.sequence?.compactMap(\.int) ?? []
    guard (1...3).contains(extents.count), extents.count == node?.sequence?.count,
      Shape([1] + extents).isUsable
    else {
      throw fault(
        node ?? root,
        "expected 'input: [C, H, W]', [T, F] or [N], numbers of 1 to 2^31 - 1, their product too")
    }
    return Shape(extents)
  }

  private func task(_ node: Node?) throws -> ModelTask {
    guard let node else { return .classification }
    guard let task = ModelTask.ofChains.first(where: { $0.name == node.string }) else {
      throw fault(
        node,
        "expected 'task: ' and one of \(ModelTask.ofChains.map(\.name).joined(separator: ", "))")
    }
    return task
  }

  private func initializer(_ node: Node?) throws -> WeightInitializer? {
    guard let node else { return nil }
    guard let initializer = WeightInitializer(rawValue: node.string ?? "") else {
      let known = WeightInitializer.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault(node, "init: expected one of \(known), got '\(node.string ?? "")'")
    }
    return initializer
  }

  /// More parameters than this, 4 TiB of them, are a mistake in a size.
  private static let maximumParameterCount = 1 << 40

  /// Builds the network once, so that what does not fit is an error with its line.
  private func check(_ model: Model, _ reader: LayerListReader) throws {
    let (outputs, context): ([Shape], LayerContext)
    do { (outputs, context) = try model.build() } catch let error as LayerError {
      throw fault(reader.line(of: error.layer), error.description)
    }
    var count = 0
    for parameter in context.parameters {
      count += parameter.shape.elementCount
      guard count <= Self.maximumParameterCount else {
        throw fault(
          reader.line(of: parameter.name),
          "layer \(reader.layer(of: parameter.name)): with \(parameter.name) \(parameter.shape) "
            + "the network has more than 2^40 parameters")
      }
    }
    if model.outputs.isEmpty { try checkOutput(outputs[0], of: model, reader) }
  }

  /// What a network computes has to be what its task compares with the data.
  private func checkOutput(_ output: Shape, of model: Model, _ reader: LayerListReader) throws {
    let (expected, meaning): (Shape, String) =
      switch model.task {
      case .segmentation:
        (
          Shape([2, model.classCount] + model.inputShape.dimensions.dropFirst()),
          "a score per class and pixel"
        )
      case .reconstruction: (Shape([2] + model.inputShape.dimensions), "the input's own shape")
      case .regression: ([2, model.classCount], "a number for each that is predicted")
      default: ([2, model.classCount], "a score per class")
      }
    // A reconstruction may be a row of numbers.
    var isRow: Bool {
      guard case .reconstruction = model.task else { return false }
      return output == [2, model.inputShape.elementCount]
    }
    guard output != expected, !isRow, let last = model.layers.layers.last?.name else { return }
    func text(_ shape: Shape) -> String {
      guard shape.first == expected.first else { return "\(shape) for two samples" }
      return "["
        + (["N"] + shape.dimensions.dropFirst().map(String.init)).joined(separator: ", ") + "]"
    }
    throw fault(
      reader.line(of: last),
      "layer \(last): the network ends in \(text(output)), expected \(text(expected)), \(meaning)")
  }
}

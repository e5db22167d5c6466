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
/// `classification` unless it says `segmentation` (a class per pixel) or `reconstruction` (an
/// autoencoder). Layers with weights take
/// `init:`, the name of a ``WeightInitializer``.
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
    let known = ["name", "input", "classes", "task", "init", "blocks", "layers"]
    for (key, _) in map where !known.contains(key.string ?? "") {
      let name = key.string ?? ""
      let hint = EditDistance.nearest(to: name, among: known).map { "did you mean '\($0)'?" }
      throw fault(
        key, "unknown key '\(name)'; " + (hint ?? "known are \(known.joined(separator: ", "))"))
    }
    let input = try inputShape(map["input"], in: root)
    guard let classes = map["classes"]?.int, (1...1 << 24).contains(classes) else {
      throw fault(map["classes"] ?? root, "expected 'classes: N', a number of at least 1")
    }
    var reader = LayerListReader(file: self, initializer: try initializer(map["init"]))
    if let blocks = map["blocks"] { try reader.readBlocks(blocks) }
    guard let list = map["layers"] else { throw fault(root, "expected a list of 'layers'") }
    let standard = path.pathStem
    let model = Model(
      name: map["name"]?.string ?? standard, inputShape: input, classCount: classes,
      layers: Sequential(try reader.layers(list, under: "")), task: try task(map["task"]))
    try check(model, reader)
    return model
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

  /// What a network of one chain of layers can be for.
  private static let tasks: [ModelTask] = [
    .classification, .segmentation, .reconstruction(noise: 0),
  ]

  private func task(_ node: Node?) throws -> ModelTask {
    guard let node else { return .classification }
    guard let task = Self.tasks.first(where: { $0.name == node.string }) else {
      throw fault(
        node, "expected 'task: ' and one of \(Self.tasks.map(\.name).joined(separator: ", "))")
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
    let (output, context): (Shape, LayerContext)
    do { (output, context) = try model.build() } catch let error as LayerError {
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
    try checkOutput(output, of: model, reader)
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

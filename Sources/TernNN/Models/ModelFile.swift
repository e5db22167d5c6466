import Foundation
import TernCore
import Yams

/// Networks as YAML files.
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

  private init(path: String) { self.path = path }

  /// Reads a network from a file.
  ///
  /// - Throws: ``TernError`` naming file, line and layer.
  public static func read(_ path: String) throws -> Model {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TernError(.notFound, "\(path): no such file")
    }
    return try ModelFile(path: path).parse(String(decoding: data, as: UTF8.self))
  }

  func fault(_ node: Node?, _ message: String) -> TernError {
    let line = node?.mark.map { ":\($0.line)" } ?? ""
    return TernError(.badData, "\(path)\(line): \(message)")
  }

  /// The value of a node, with file and line in its errors.
  func value(_ node: Node) throws -> AttributeValue { try YAML.value(node, file: path) }

  private func parse(_ text: String) throws -> Model {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch {
      let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? "not YAML"
      throw TernError(.badData, "\(path): \(reason)")
    }
    guard let map = root?.mapping else { throw fault(root, "expected a map with 'layers'") }
    let known = ["name", "input", "classes", "task", "init", "blocks", "layers"]
    for (key, _) in map where !known.contains(key.string ?? "") {
      throw fault(
        key, "unknown key '\(key.string ?? "")'; known are \(known.joined(separator: ", "))")
    }
    let extents = map["input"]?.sequence?.compactMap(\.int) ?? []
    guard (1...3).contains(extents.count), extents.count == map["input"]?.sequence?.count,
      extents.allSatisfy({ $0 >= 1 })
    else { throw fault(map["input"] ?? root, "expected 'input: [C, H, W]'") }
    guard let classes = map["classes"]?.int, classes >= 1 else {
      throw fault(map["classes"] ?? root, "expected 'classes: N'")
    }
    var reader = LayerListReader(file: self, initializer: try initializer(map["init"]))
    if let blocks = map["blocks"] { try reader.readBlocks(blocks) }
    guard let list = map["layers"] else { throw fault(root, "expected a list of 'layers'") }
    let standard = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    let model = Model(
      name: map["name"]?.string ?? standard, inputShape: Shape(extents), classCount: classes,
      layers: Sequential(try reader.layers(list, under: "")), task: try task(map["task"]))
    try check(model, lines: reader.lines)
    return model
  }

  /// What a network of one chain of layers can be for.
  private static let tasks: [String: ModelTask] = [
    "classification": .classification, "segmentation": .segmentation,
    "reconstruction": .reconstruction(noise: 0),
  ]

  private func task(_ node: Node?) throws -> ModelTask {
    guard let node else { return .classification }
    guard let task = Self.tasks[node.string ?? ""] else {
      throw fault(
        node, "expected 'task: ' and one of \(Self.tasks.keys.sorted().joined(separator: ", "))")
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

  /// Builds the network once, so that what does not fit is an error with its line.
  private func check(_ model: Model, lines: [String: Node]) throws {
    do { try model.check() } catch let error as LayerError {
      // A block adds layers of its own, such as a sum: those stand at the line of the block.
      var path = error.layer[...]
      while lines[String(path)] == nil, let dot = path.lastIndex(of: ".") { path = path[..<dot] }
      throw fault(lines[String(path)], error.description)
    }
  }
}

import Foundation
import TernCore
import Yams

/// Networks as YAML files.
///
/// ```yaml
/// name: small-cnn
/// input: [1, 28, 28]
/// classes: 10
/// layers:
///   - conv2d: {out_channels: 6, kernel_size: 5, padding: 2}
///   - relu
///   - max_pool2d: {kernel_size: 2}
///   - flatten
///   - linear: {name: head, out_features: 10}
/// ```
///
/// A layer's key is PyTorch's functional name, its arguments PyTorch's; input sizes are inferred.
/// `name:` names a layer (else type and index, `conv2d_0`), `from: [a, b]` lets it read other layers
/// than the one before; `input` is the network's input. `task:` is `classification` unless it says
/// `segmentation` (a class per pixel) or `reconstruction` (an autoencoder).
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

  private func fault(_ node: Node?, _ message: String) -> TernError {
    let line = node?.mark.map { ":\($0.line)" } ?? ""
    return TernError(.badData, "\(path)\(line): \(message)")
  }

  private func parse(_ text: String) throws -> Model {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch {
      let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? "not YAML"
      throw TernError(.badData, "\(path): \(reason)")
    }
    guard let map = root?.mapping else { throw fault(root, "expected a map with 'layers'") }
    let known = ["name", "input", "classes", "task", "layers"]
    for (key, _) in map where !known.contains(key.string ?? "") {
      throw fault(
        key, "unknown key '\(key.string ?? "")'; known are \(known.joined(separator: ", "))")
    }
    guard let list = map["layers"]?.sequence, !list.isEmpty else {
      throw fault(map["layers"] ?? root, "expected a list of 'layers'")
    }
    let extents = map["input"]?.sequence?.compactMap(\.int) ?? []
    guard (1...3).contains(extents.count), extents.count == map["input"]?.sequence?.count,
      extents.allSatisfy({ $0 >= 1 })
    else { throw fault(map["input"] ?? root, "expected 'input: [C, H, W]'") }
    guard let classes = map["classes"]?.int, classes >= 1 else {
      throw fault(map["classes"] ?? root, "expected 'classes: N'")
    }
    let standard = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    let layers = try layers(Array(list))
    let model = Model(
      name: map["name"]?.string ?? standard, inputShape: Shape(extents), classCount: classes,
      layers: Sequential(layers), task: try task(map["task"]))
    try check(model, lines: Dictionary(uniqueKeysWithValues: zip(layers.map { $0.name! }, list)))
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

  private func layers(_ list: [Node]) throws -> [NamedLayer] {
    var counts: [String: Int] = [:]
    var names: Set<String> = ["input"]
    return try list.map { node in
      let (kind, arguments) = try layer(node)
      var values = arguments
      let index = counts[kind, default: 0]
      counts[kind] = index + 1
      var name = "\(kind)_\(index)"
      if let given = values.removeValue(forKey: "name") {
        guard case .string(let text) = given, !text.isEmpty, !text.contains(".") else {
          throw fault(node, "\(kind): 'name' is not a name without dots")
        }
        name = text
      }
      var from: [String]?
      switch values.removeValue(forKey: "from") {
      case nil: break
      case .string(let text): from = [text]
      case .list(let list):
        from = list.compactMap { if case .string(let text) = $0 { text } else { nil } }
      default: throw fault(node, "\(name): 'from' is not a list of layers")
      }
      for source in from ?? [] where !names.contains(source) {
        throw fault(node, "\(name): 'from' names '\(source)', which is not a layer above")
      }
      guard names.insert(name).inserted else { throw fault(node, "two layers are named '\(name)'") }
      do {
        return NamedLayer(name, try LayerFactory.make(kind, values), from: from)
      } catch let error as ShapeError { throw fault(node, "layer \(name): \(error)") }
    }
  }

  /// A layer is its kind alone, or a map of its kind to its arguments.
  private func layer(_ node: Node) throws -> (String, [String: AttributeValue]) {
    if let kind = node.string { return (kind, [:]) }
    guard let map = node.mapping, map.count == 1, let entry = map.first, let kind = entry.key.string
    else { throw fault(node, "a layer is a name, or a name with arguments") }
    if entry.value.null != nil { return (kind, [:]) }
    guard let arguments = entry.value.mapping else {
      throw fault(entry.value, "\(kind): the arguments are not a map")
    }
    var values: [String: AttributeValue] = [:]
    for (key, value) in arguments {
      guard let name = key.string else { throw fault(key, "\(kind): an argument has no name") }
      values[name] = try YAML.value(value, file: path)
    }
    return (kind, values)
  }

  /// Builds the network once, so that what does not fit is an error with its line.
  private func check(_ model: Model, lines: [String: Node]) throws {
    do { try model.check() } catch let error as LayerError {
      throw fault(lines[error.layer], "layer \(error.layer): \(error.reason)")
    }
  }
}

import TernCore
import Yams

/// Reads the lists of layers of a model file, blocks in blocks.
struct LayerListReader {
  let file: ModelFile
  /// How weights start where their layer does not say.
  let initializer: WeightInitializer?
  /// Where each layer stands, by its path: `stage.0.conv2d_0`.
  private var lines: [String: Node] = [:]
  /// The blocks of the file's own, by name.
  private var blocks: [String: Node] = [:]

  /// More layers than this are a mistake in a `repeat`, or an attack.
  private static let maximumCount = 10_000
  private static let maximumDepth = 32

  init(file: ModelFile, initializer: WeightInitializer?) {
    self.file = file
    self.initializer = initializer
  }

  /// Reads the section `blocks:`; their layers are read where they are used.
  mutating func readBlocks(_ node: Node) throws {
    guard let map = node.mapping else { throw file.fault(node, "'blocks' is not a map of names") }
    for (key, list) in map {
      guard let name = key.string, !name.isEmpty, !name.contains(".") else {
        throw file.fault(key, "a block has no name without dots")
      }
      guard Block(rawValue: name) == nil, !LayerFactory.isKnown(name) else {
        throw file.fault(key, "block '\(name)' has the name of a layer")
      }
      blocks[name] = list
    }
  }

  /// The layers of a list.
  ///
  /// - Parameters:
  ///   - prefix: the path of the block around, with a dot behind, or nothing.
  ///   - inputs: the network's inputs, for the outermost list.
  mutating func layers(
    _ node: Node, under prefix: String, inside owners: [String] = [], reading inputs: [String] = []
  ) throws -> [NamedLayer] {
    guard let list = node.sequence, !list.isEmpty else {
      throw file.fault(node, "expected a list of 'layers'")
    }
    var counts: [String: Int] = [:]
    var names = Set(["input"] + inputs)
    var result: [NamedLayer] = []
    for node in list {
      var entry = try Entry(node, in: file)
      let index = counts[entry.kind, default: 0]
      counts[entry.kind] = index + 1
      let name = try entry.name() ?? "\(entry.kind)_\(index)"
      let path = prefix + name
      let from = try entry.from(path)
      try check(entry, path: path, from: from, above: names)
      guard names.insert(name).inserted else {
        throw file.fault(node, "layer \(path): two layers of a list are named '\(name)'")
      }
      try note(path, node)
      result.append(
        NamedLayer(name, try layer(&entry, path: path, inside: owners), from: from))
    }
    return result
  }

  /// Checks a layer's kind, and that what it reads stands above it.
  private func check(
    _ entry: Entry, path: String, from: [String]?, above names: Set<String>
  ) throws {
    let isBlock = Block(rawValue: entry.kind) != nil || blocks[entry.kind] != nil
    guard isBlock || LayerFactory.isKnown(entry.kind) else {
      let known = LayerFactory.kinds + Block.allCases.map(\.rawValue) + blocks.keys.sorted()
      let hint = EditDistance.nearest(to: entry.kind, among: known)
      throw file.fault(
        entry.node,
        "layer \(path): unknown layer '\(entry.kind)'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    for source in from ?? [] where !names.contains(source) {
      let hint = EditDistance.nearest(to: source, among: names.sorted())
      throw file.fault(
        entry.node,
        "layer \(path): 'from' names '\(source)', which is not a layer above in the same list"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    guard isBlock || (from?.count ?? 1) == 1 || LayerFactory.readsSeveral(entry.kind) else {
      throw file.fault(
        entry.node, "layer \(path): \(entry.kind) reads one layer, 'from' names \(from!.count)")
    }
  }

  /// The layer of the file that `path` is or is in. A block adds layers of its own, such as a sum:
  /// those are in the block.
  func layer(of path: String) -> String {
    var path = path[...]
    while lines[String(path)] == nil, let dot = path.lastIndex(of: ".") { path = path[..<dot] }
    return String(path)
  }

  /// Where the layer stands that `path` is in.
  func line(of path: String) -> Node? { lines[layer(of: path)] }

  private mutating func note(_ path: String, _ node: Node) throws {
    guard lines.count < Self.maximumCount else {
      throw file.fault(node, "layer \(path): the network has more than \(Self.maximumCount) layers")
    }
    lines[path] = node
  }

  private mutating func layer(
    _ entry: inout Entry, path: String, inside owners: [String]
  ) throws -> any Layer {
    guard Block(rawValue: entry.kind) != nil || blocks[entry.kind] != nil else {
      return try plainLayer(entry, path: path)
    }
    guard owners.count < Self.maximumDepth else {
      throw file.fault(
        entry.node, "layer \(path): more than \(Self.maximumDepth) blocks are in one another")
    }
    guard !owners.contains(entry.kind) || blocks[entry.kind] == nil else {
      throw file.fault(entry.node, "layer \(path): block '\(entry.kind)' contains itself")
    }
    guard let count = try entry.count("repeat", path: path) else {
      return try block(&entry, path: path, inside: owners + [entry.kind])
    }
    var copies: [NamedLayer] = []
    for index in 0..<count {
      var copy = entry
      try note("\(path).\(index)", entry.node)
      let layer = try block(&copy, path: "\(path).\(index)", inside: owners + [entry.kind])
      copies.append(NamedLayer("\(index)", layer))
    }
    return Sequential(copies)
  }

  private func plainLayer(_ entry: Entry, path: String) throws -> any Layer {
    var values = try entry.arguments.mapValues(file.value)
    if let initializer, values["init"] == nil, LayerFactory.takesInitializer(entry.kind) {
      values["init"] = .string(initializer.rawValue)
    }
    do { return try LayerFactory.make(entry.kind, values) } catch let error as ShapeError {
      throw file.fault(entry.node, "layer \(path): \(error)")
    }
  }

  /// The kinds of blocks.
  enum Block: String, CaseIterable {
    case sequential, residual, concatenation
    case skipConcatenation = "skip_concatenation"

    var arguments: [String] {
      ["name", "from", "repeat", "layers"]
        + (self == .residual ? ["shortcut", "scale", "activation"] : [])
    }
  }

  private mutating func block(
    _ entry: inout Entry, path: String, inside owners: [String]
  ) throws -> any Layer {
    let prefix = path + "."
    guard let kind = Block(rawValue: entry.kind) else {
      try entry.finish(path: path)
      return Sequential(try layers(blocks[entry.kind]!, under: prefix, inside: owners))
    }
    guard let list = entry.arguments.removeValue(forKey: "layers") else {
      throw file.fault(entry.node, "layer \(path): expected 'layers', a list")
    }
    let shortcut = kind == .residual ? entry.arguments.removeValue(forKey: "shortcut") : nil
    let scale = kind == .residual ? try entry.number("scale", path: path) : nil
    let activation = kind == .residual ? try entry.activation(path: path) : nil
    try entry.finish(path: path)
    let body = try layers(list, under: prefix, inside: owners)
    if kind == .concatenation, let wrong = body.first(where: { $0.from != nil })?.name {
      throw file.fault(
        lines[prefix + wrong],
        "layer \(prefix)\(wrong): a branch reads what its block reads, and takes no 'from'")
    }
    switch kind {
    case .sequential: return Sequential(body)
    case .concatenation: return Concatenation { body }
    case .skipConcatenation: return SkipConcatenation { body }
    case .residual:
      let way = try shortcut.map {
        Sequential(try layers($0, under: prefix + "downsample.", inside: owners))
      }
      return Residual(shortcut: way, scale: Float(scale ?? 1), activation: activation) { body }
    }
  }
}

/// A layer of the file: its kind, and the arguments that were not read yet.
private struct Entry {
  let file: ModelFile
  let node: Node
  let kind: String
  var arguments: [String: Node] = [:]

  /// A layer is its kind alone, or a map of its kind to its arguments.
  init(_ node: Node, in file: ModelFile) throws {
    self.file = file
    self.node = node
    if let kind = node.string {
      self.kind = kind
      return
    }
    guard let map = node.mapping, map.count == 1, let entry = map.first, let kind = entry.key.string
    else { throw file.fault(node, "a layer is a name, or a name with arguments") }
    self.kind = kind
    if entry.value.null != nil { return }
    guard let arguments = entry.value.mapping else {
      throw file.fault(entry.value, "\(kind): the arguments are not a map")
    }
    for (key, value) in arguments {
      guard let name = key.string else { throw file.fault(key, "\(kind): an argument has no name") }
      self.arguments[name] = value
    }
  }

  mutating func name() throws -> String? {
    guard let given = arguments.removeValue(forKey: "name") else { return nil }
    guard case .string(let text) = try file.value(given), !text.isEmpty, !text.contains(".") else {
      throw file.fault(node, "\(kind): 'name' is not a name without dots")
    }
    return text
  }

  /// The layers that the one at `path` reads.
  mutating func from(_ path: String) throws -> [String]? {
    guard let given = arguments.removeValue(forKey: "from") else { return nil }
    switch try file.value(given) {
    case .string(let text): return [text]
    case .list(let list):
      let names = list.compactMap { if case .string(let text) = $0 { text } else { nil } }
      if !names.isEmpty, names.count == list.count { return names }
      fallthrough
    default: throw file.fault(node, "layer \(path): 'from' is not a list of layers")
    }
  }

  mutating func count(_ argument: String, path: String) throws -> Int? {
    guard let given = arguments.removeValue(forKey: argument) else { return nil }
    guard let count = given.int, (1...1000).contains(count) else {
      throw file.fault(given, "layer \(path): '\(argument)' is not a number from 1 to 1000")
    }
    return count
  }

  mutating func number(_ argument: String, path: String) throws -> Double? {
    guard let given = arguments.removeValue(forKey: argument) else { return nil }
    guard let value = given.float, value.isFinite else {
      throw file.fault(given, "layer \(path): '\(argument)' is not a number")
    }
    return value
  }

  mutating func activation(path: String) throws -> Functional? {
    guard let given = arguments.removeValue(forKey: "activation") else { return .relu }
    switch given.string {
    case "relu": return .relu
    case "none": return nil
    default: throw file.fault(given, "layer \(path): 'activation' is neither relu nor none")
    }
  }

  func finish(path: String) throws {
    guard let name = arguments.keys.min() else { return }
    let known = LayerListReader.Block(rawValue: kind)?.arguments ?? ["name", "from", "repeat"]
    throw file.fault(
      node,
      "layer \(path): \(kind) has no argument '\(name)'"
        + (EditDistance.nearest(to: name, among: known).map { "; did you mean '\($0)'?" }
          ?? "; it has \(known.joined(separator: ", "))"))
  }
}

import Foundation
import Yams

/// Maps of settings as YAML text.
package enum YAML {
  /// Parses a map.
  ///
  /// - Parameter file: how errors name the text.
  /// - Throws: ``TernError`` of kind `badData`, with file and line.
  package static func parseMap(_ text: String, file: String) throws -> [String: AttributeValue] {
    guard let node = try compose(text, file: file) else { return [:] }
    guard case .map(let map) = try value(node, file: file) else {
      throw TernError(.badData, "\(file): expected a map of settings")
    }
    return map
  }

  /// The map of settings in a file.
  ///
  /// - Throws: ``TernError`` where it is missing, or is none.
  package static func map(ofFile path: String) throws -> [String: AttributeValue] {
    try parseMap(text(ofFile: path), file: path)
  }

  /// Parses a single value: `0.1`, `true`, `[1, 2]`, `text`.
  package static func parseValue(_ text: String) throws -> AttributeValue {
    guard let node = try? Yams.compose(yaml: text) else { return .string(text) }
    return try value(node, file: text)
  }

  /// The text of a file.
  ///
  /// - Throws: ``TernError`` where it is missing, too large to be meant, or not text.
  package static func text(ofFile path: String) throws -> String {
    guard FileSystem.exists(path) else { throw TernError(.notFound, "\(path): no such file") }
    guard let data = FileSystem.contents(of: path, upToCount: maximumByteCount + 1) else {
      throw TernError(.badData, "\(path): cannot be read as a file")
    }
    guard data.count <= maximumByteCount else {
      throw TernError(.badData, "\(path): is larger than \(maximumByteCount >> 20) MiB")
    }
    guard let text = String(bytes: data, encoding: .utf8), !text.utf8.contains(0) else {
      throw TernError(.badData, "\(path): is not a text file in UTF-8")
    }
    return text
  }

  private static let maximumByteCount = 4 << 20
  /// Aliases of aliases multiply: a file of a few lines can stand for more nodes than fit anywhere.
  private static let maximumNodeCount = 200_000

  /// The document of a file; `nil` where it is empty.
  ///
  /// - Throws: ``TernError`` of kind `badData`, with file and line.
  package static func compose(_ text: String, file: String) throws -> Node? {
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch let error as YamlError {
      throw TernError(.badData, "\(file)\(reason(of: error, in: text))")
    }
    var budget = maximumNodeCount
    guard node.map({ spend(&budget, on: $0) }) ?? true else {
      throw TernError(
        .badData, "\(file): its aliases stand for more than \(maximumNodeCount) nodes")
    }
    return node
  }

  /// What is wrong with a text, with the number of its line: `:3: …`.
  private static func reason(of error: YamlError, in text: String) -> String {
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      let line = lines.indices.contains(mark.line - 1) ? lines[mark.line - 1] : ""
      let hint = line.contains("\t") ? "; the line holds a tab, and YAML is indented by spaces" : ""
      // What is not closed is noticed far below where it begins.
      let start =
        context.map {
          $0.mark.line == mark.line ? "" : "\($0.text) that begins on line \($0.mark.line): "
        } ?? ""
      return ":\(mark.line): not YAML: \(start)\(problem)\(hint)"
    case .duplicatedKeysInMapping(let duplicates, let context):
      return ":\(context.mark.line): '\(duplicates.joined(separator: "', '"))' is given twice"
    default:
      return ": not YAML: " + ("\(error)".split(separator: "\n").first ?? "unreadable")
    }
  }

  /// Whether a node and what is in it are within the budget.
  private static func spend(_ budget: inout Int, on node: Node) -> Bool {
    budget -= 1
    guard budget >= 0 else { return false }
    switch node {
    case .scalar, .alias: return true
    case .sequence(let sequence): return sequence.allSatisfy { spend(&budget, on: $0) }
    case .mapping(let mapping):
      return mapping.allSatisfy { spend(&budget, on: $0.key) && spend(&budget, on: $0.value) }
    }
  }

  package static func value(_ node: Node, file: String) throws -> AttributeValue {
    switch node {
    case .scalar(let scalar):
      // A quoted scalar is text whatever it looks like.
      if scalar.style == .singleQuoted || scalar.style == .doubleQuoted {
        return .string(scalar.string)
      }
      if node.null != nil { return .null }
      if let value = node.bool { return .bool(value) }
      if let value = node.int { return .int(value) }
      if let value = node.float { return .double(value) }
      // YAML 1.1 wants a point in 1e-3.
      if let value = Double(scalar.string), value.isFinite { return .double(value) }
      return .string(scalar.string)
    case .sequence(let sequence):
      return .list(try sequence.map { try value($0, file: file) })
    case .mapping(let mapping):
      var result: [String: AttributeValue] = [:]
      for (key, element) in mapping {
        guard let name = key.string else {
          let line = key.mark.map { ":\($0.line)" } ?? ""
          throw TernError(.badData, "\(file)\(line): a key is not a name")
        }
        result[name] = try value(element, file: file)
      }
      return .map(result)
    case .alias:
      throw TernError(.badData, "\(file): aliases are not supported")
    }
  }

  /// A map as YAML, one line per setting, in the given order.
  ///
  /// - Parameter notes: comments, by the names of the settings.
  package static func text(
    _ settings: [(name: String, value: AttributeValue)], notes: [String: String] = [:]
  ) -> String {
    settings.map { name, value in
      "\(name): \(value)" + (notes[name].map { "  # \($0.visible)" } ?? "") + "\n"
    }.joined()
  }
}

import Foundation
import TernCore
import Yams

/// Maps of settings as YAML text.
public enum YAML {
  /// Parses a map.
  ///
  /// - Parameter file: how errors name the text.
  /// - Throws: ``TernError`` of kind `badData`, with file and line.
  public static func parseMap(_ text: String, file: String) throws -> [String: AttributeValue] {
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch let error as YamlError {
      let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? "not YAML"
      throw TernError(.badData, "\(file): \(reason)")
    }
    guard let node else { return [:] }
    guard case .map(let map) = try value(node, file: file) else {
      throw TernError(.badData, "\(file): expected a map of settings")
    }
    return map
  }

  /// Parses a single value: `0.1`, `true`, `[1, 2]`, `text`.
  public static func parseValue(_ text: String) throws -> AttributeValue {
    guard let node = try? Yams.compose(yaml: text) else { return .string(text) }
    return try value(node, file: text)
  }

  static func value(_ node: Node, file: String) throws -> AttributeValue {
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
  public static func text(_ settings: [(name: String, value: AttributeValue)]) -> String {
    settings.map { "\($0.name): \($0.value)\n" }.joined()
  }
}

import Foundation

/// A JSON value whose objects keep the order of their keys, for output that people read too.
package indirect enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  package struct Member: Hashable, Sendable {
    package let name: String
    package let value: JSON

    package init(name: String, value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// The object with further members behind its own, in alphabetic order.
  ///
  /// - Precondition: it is an object.
  package func adding(_ numbers: [String: Double]) -> JSON {
    guard case .object(let members) = self else { preconditionFailure("not an object") }
    return .object(
      members
        + numbers.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: .double($0.value)) })
  }

  /// An object with these members, in this order.
  package static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
    .object(members.map { Member(name: $0.key, value: $0.value) })
  }

  /// The value of a setting or an attribute; maps in alphabetic order.
  package init(_ value: AttributeValue) {
    self =
      switch value {
      case .null: .null
      case .bool(let value): .bool(value)
      case .int(let value): .int(value)
      case .double(let value): .double(value)
      case .string(let value): .string(value)
      case .list(let values): .array(values.map(JSON.init))
      case .map(let values):
        .object(
          values.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: JSON($0.value)) })
      }
  }

  package subscript(name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  package var doubleValue: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  package var intValue: Int? {
    if case .int(let value) = self { return value }
    return nil
  }

  /// A member of an object that is a whole number in a range; `nil` for anything else.
  package func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
    self[name]?.intValue.flatMap { range.contains($0) ? $0 : nil }
  }

  package var stringValue: String? {
    if case .string(let value) = self { return value }
    return nil
  }
}

extension JSON: CustomStringConvertible {
  /// The value on one line. A number that is not finite is `null`.
  package var description: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return String(value)
    case .int(let value): return String(value)
    case .double(let value): return value.isFinite ? "\(value)" : "null"
    case .string(let value): return value.quotedLiteral
    case .array(let values): return "[" + values.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      return "{"
        + members.map { "\($0.name.quotedLiteral):\($0.value)" }.joined(separator: ",") + "}"
    }
  }

}

extension JSON {
  /// The value as an attribute of an operation.
  package var attribute: AttributeValue {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    case .string(let value): .string(value)
    case .array(let values): .list(values.map(\.attribute))
    case .object(let members):
      .map(Dictionary(members.map { ($0.name, $0.value.attribute) }) { first, _ in first })
    }
  }
}

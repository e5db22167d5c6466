/// A value of an attribute, as JSON and YAML spell it.
public indirect enum AttributeValue: Hashable, Sendable, CustomStringConvertible {
  /// Nothing: the attribute is as if it were not given.
  case null
  /// A truth value.
  case bool(Bool)
  /// An integer.
  case int(Int)
  /// A number.
  case double(Double)
  /// A text.
  case string(String)
  /// Values in order.
  case list([AttributeValue])
  /// Values by name.
  case map([String: AttributeValue])

  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): String(value)
    case .int(let value): String(value)
    case .double(let value): String(value)
    case .string(let value): value.quotedLiteral
    case .list(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
    case .map(let values):
      "{"
        + values.sorted { $0.key < $1.key }.map { "\(Self.key($0.key)): \($0.value)" }
        .joined(separator: ", ") + "}"
    }
  }

  /// As a sentence has it: text without quotes.
  package var words: String { if case .string(let text) = self { text } else { description } }

  /// A name as the key of a map: as it is where it cannot be taken for anything else.
  private static func key(_ name: String) -> String {
    let isWord =
      !name.isEmpty
      && name.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }
    // YAML 1.1 takes some words for truth values, and digits for numbers.
    let isOther = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(name)
    return isWord && !isOther && name.utf8.first! >= UInt8(ascii: "_") ? name : name.quotedLiteral
  }
}

/// The named attributes of an operation or a layer (PyTorch's names), read with checked types.
///
/// Every getter throws a ``ShapeError`` naming the operation and the attribute where the value has
/// another type; ``finish()`` rejects names that nobody asked for.
package struct Attributes: Sendable {
  package let operation: String
  package let values: [String: AttributeValue]
  private var known: Set<String> = []

  package init(_ operation: String, _ values: [String: AttributeValue] = [:]) {
    self.operation = operation
    self.values = values
  }

  private mutating func value(_ name: String) -> AttributeValue? {
    known.insert(name)
    guard let value = values[name], value != .null else { return nil }
    return value
  }

  private func mismatch(_ name: String, _ expected: String, _ got: AttributeValue) -> ShapeError {
    ShapeError(operation, name, expected: expected, got: "\(got)")
  }

  /// Whether the attribute is given and not null.
  package mutating func has(_ name: String) -> Bool { value(name) != nil }

  /// Whether the attribute is a word, where a number would do too.
  package mutating func isString(_ name: String) -> Bool {
    if case .string = value(name) { true } else { false }
  }

  /// - Parameter limit: the largest magnitude, by default what devices count with.
  package mutating func int(
    _ name: String, default standard: Int? = nil, limit: UInt = Self.largestInteger
  ) throws(ShapeError) -> Int {
    guard let value = value(name) else {
      if let standard { return standard }
      throw ShapeError(operation, name, expected: "an integer", got: nothing(named: name))
    }
    switch value {
    case .int(let number):
      guard number.magnitude <= limit else {
        throw mismatch(name, "an integer of at most \(limit)", value)
      }
      return number
    case .double(let number):
      guard let whole = Int(exactly: number) else {
        // Beyond what a number of the machine can hold, or no whole number.
        let isLarge = number == number.rounded()
        throw mismatch(name, isLarge ? "an integer of at most \(limit)" : "an integer", value)
      }
      guard whole.magnitude <= limit else {
        throw mismatch(name, "an integer of at most \(limit)", value)
      }
      return whole
    default: throw mismatch(name, "an integer", value)
    }
  }

  /// A number of at least 0 that is told apart, not computed with: a seed, the number of a stream.
  package mutating func unsigned<Number: FixedWidthInteger & UnsignedInteger>(
    _ name: String, default standard: Number
  ) throws(ShapeError) -> Number {
    let value = try int(name, default: Int(clamping: standard), limit: UInt(Int.max))
    guard let number = Number(exactly: value) else {
      throw ShapeError(
        operation, name, expected: "0 to \(Swift.min(UInt64(Number.max), UInt64(Int.max)))",
        got: "\(value)")
    }
    return number
  }

  /// The largest 32-bit integer: no product of two overflows.
  package static let largestInteger = UInt(Int32.max)

  /// What stands where a value is missing: perhaps one under a name that it is not called by here.
  private func nothing(named name: String) -> String {
    let other = values.keys.filter { !known.contains($0) }.sorted().first {
      EditDistance.nearest(to: $0, among: [name]) == name
    }
    return other.map { "nothing, but '\($0)'; did you mean '\(name)'?" } ?? "nothing"
  }

  package mutating func double(
    _ name: String, default standard: Double? = nil
  ) throws(ShapeError) -> Double {
    guard let value = value(name) else {
      if let standard { return standard }
      throw ShapeError(operation, name, expected: "a number", got: nothing(named: name))
    }
    switch value {
    case .int(let value): return Double(value)
    case .double(let value): return value
    // YAML 1.1 reads 1e-5, without a point, as a string.
    case .string(let text):
      guard let number = Double(text) else { throw mismatch(name, "a number", value) }
      return number
    default: throw mismatch(name, "a number", value)
    }
  }

  package mutating func bool(
    _ name: String, default standard: Bool? = nil
  ) throws(ShapeError) -> Bool {
    guard let value = value(name) else {
      if let standard { return standard }
      throw ShapeError(operation, name, expected: "true or false", got: nothing(named: name))
    }
    guard case .bool(let flag) = value else { throw mismatch(name, "true or false", value) }
    return flag
  }

  package mutating func string(
    _ name: String, default standard: String? = nil, oneOf choices: [String]? = nil
  ) throws(ShapeError) -> String {
    guard let value = value(name) else {
      if let standard { return standard }
      throw ShapeError(operation, name, expected: "a string", got: nothing(named: name))
    }
    guard case .string(let text) = value else { throw mismatch(name, "a string", value) }
    if let choices, !choices.contains(text) {
      throw mismatch(name, "one of " + choices.joined(separator: ", "), value)
    }
    return text
  }

  /// A list of integers; a single integer stands for `count` equal ones.
  package mutating func ints(
    _ name: String, count: Int? = nil, default standard: [Int]? = nil
  ) throws(ShapeError) -> [Int] {
    let expected = count.map { "an integer or a list of \($0)" } ?? "a list of integers"
    guard let value = value(name) else {
      if let standard { return standard }
      throw ShapeError(operation, name, expected: expected, got: nothing(named: name))
    }
    switch value {
    case .int(let number) where number.magnitude <= Self.largestInteger:
      return [Int](repeating: number, count: count ?? 1)
    case .list(let list):
      var result: [Int] = []
      for element in list {
        guard case .int(let number) = element, number.magnitude <= Self.largestInteger else {
          throw mismatch(name, expected, value)
        }
        result.append(number)
      }
      if let count, result.count != count {
        guard result.count == 1 else { throw mismatch(name, expected, value) }
        result = [Int](repeating: result[0], count: count)
      }
      return result
    default: throw mismatch(name, expected, value)
    }
  }

  package mutating func doubles(
    _ name: String, count: Int, default standard: [Double]
  ) throws(ShapeError) -> [Double] {
    guard let value = value(name) else { return standard }
    guard case .list(let list) = value, list.count == count else {
      throw mismatch(name, "a list of \(count) numbers", value)
    }
    var result: [Double] = []
    for element in list {
      switch element {
      case .int(let number): result.append(Double(number))
      case .double(let number): result.append(number)
      default: throw mismatch(name, "a list of \(count) numbers", value)
      }
    }
    return result
  }

  /// A nested map, empty where it is absent.
  package mutating func map(_ name: String) throws(ShapeError) -> [String: AttributeValue] {
    guard let value = value(name) else { return [:] }
    guard case .map(let map) = value else { throw mismatch(name, "a map", value) }
    return map
  }

  /// Throws where an attribute was given that none of the getters asked for.
  package func finish() throws(ShapeError) {
    guard let unknown = values.keys.filter({ !known.contains($0) }).min() else { return }
    throw ShapeError(
      operation, unknown,
      expected: known.isEmpty
        ? "no attributes" : "one of the attributes \(known.sorted().joined(separator: ", "))",
      got: "an unknown attribute"
        + (EditDistance.nearest(to: unknown, among: known.sorted()).map {
          "; did you mean '\($0)'?"
        } ?? ""))
  }
}

import TernCore
import TernRuntime

/// The declaration of a setting: its name, its type and what holds where nothing is given, what it may be,
/// and what is said of it.
///
/// `TrainingConfiguration` has a property for each: `configuration.batchSize` is the value of
/// ``NetworkSettings/batchSize``.
public struct SettingKey<Value: Sendable>: Sendable {
  /// The setting, whatever its type.
  public private(set) var setting: Setting
  let initial: Value

  /// - Parameters:
  ///   - initial: what holds where nothing is given.
  ///   - standard: the same in words, where its own are not enough.
  ///   - read: called where a value is given.
  ///   - fault: what the value is expected to be, where it is not.
  init(
    _ name: String, _ kind: Setting.Kind, form: Setting.Form = .option, choices: [String] = [],
    _ initial: Value, _ summary: String, standard: String? = nil,
    read: @escaping @Sendable (inout Attributes) throws -> Value,
    value: @escaping @Sendable (Value) -> AttributeValue,
    fault: @escaping @Sendable (Value) throws -> String? = { _ in nil }
  ) {
    let usual = value(initial)
    self.initial = initial
    setting = Setting(
      name, kind, form: form, choices: choices, summary,
      standard: standard ?? (usual == .null ? "none" : usual.words),
      read: { if $1.has(name) { $0.set(try read(&$1), for: name) } },
      value: { value($0.value(of: name, initial)) },
      fault: { try fault($0.value(of: name, initial)) })
  }

  /// The same with another form on the command line, name of its value, or rule.
  func with(
    _ form: Setting.Form? = nil, value: String? = nil, resuming rule: ResumeRule? = nil
  ) -> SettingKey {
    var result = self
    result.setting = setting.with(form, value: value, resuming: rule)
    return result
  }
}

/// A ``SettingKey`` of any type.
protocol AnySettingKey {
  var setting: Setting { get }
}

extension SettingKey: AnySettingKey {}

// MARK: - The usual types

private func words(_ range: ClosedRange<Int>) -> String {
  range.upperBound == .max
    ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
}

extension SettingKey where Value == Int {
  static func integer(
    _ name: String, _ initial: Int, _ range: ClosedRange<Int>, _ summary: String,
    standard: String? = nil
  ) -> SettingKey {
    SettingKey(
      name, .integer, initial, summary, standard: standard, read: { try $0.int(name) },
      value: AttributeValue.int, fault: { range.contains($0) ? nil : words(range) })
  }
}

extension SettingKey where Value == Int? {
  static func integer(
    _ name: String, _ range: ClosedRange<Int>, _ summary: String, standard: String? = nil
  ) -> SettingKey {
    SettingKey(
      name, .integer, nil, summary, standard: standard, read: { try $0.int(name) },
      value: { $0.map(AttributeValue.int) ?? .null },
      fault: { range.contains($0 ?? range.lowerBound) ? nil : words(range) })
  }
}

extension SettingKey where Value == Double {
  /// - Parameter expected: what an error says of the numbers that `isValid` takes.
  static func number(
    _ name: String, _ initial: Double, _ expected: String, _ summary: String,
    standard: String? = nil, _ isValid: @escaping @Sendable (Double) -> Bool
  ) -> SettingKey {
    SettingKey(
      name, .number, initial, summary, standard: standard, read: { try $0.double(name) },
      value: AttributeValue.double, fault: { isValid($0) ? nil : expected })
  }
}

extension SettingKey where Value == Double? {
  static func number(
    _ name: String, _ expected: String, _ summary: String, standard: String? = nil,
    _ isValid: @escaping @Sendable (Double) -> Bool
  ) -> SettingKey {
    SettingKey(
      name, .number, nil, summary, standard: standard, read: { try $0.double(name) },
      value: { $0.map(AttributeValue.double) ?? .null },
      fault: { $0.map(isValid) ?? true ? nil : expected })
  }
}

extension SettingKey where Value == Bool {
  static func truth(
    _ name: String, _ initial: Bool, _ form: Setting.Form, _ summary: String
  ) -> SettingKey {
    SettingKey(
      name, .truth, form: form, initial, summary, read: { try $0.bool(name) },
      value: AttributeValue.bool)
  }
}

extension SettingKey where Value == String {
  static func text(
    _ name: String, _ initial: String, _ summary: String, standard: String? = nil,
    fault: @escaping @Sendable (String) throws -> String? = { _ in nil }
  ) -> SettingKey {
    SettingKey(
      name, .text, initial, summary, standard: standard,
      read: { try $0.list(name) ?? $0.string(name) }, value: AttributeValue.string, fault: fault)
  }
}

extension SettingKey where Value == String? {
  static func text(
    _ name: String, choices: [String] = [], _ summary: String, standard: String? = nil,
    fault: @escaping @Sendable (String?) throws -> String? = { _ in nil }
  ) -> SettingKey {
    SettingKey(
      name, .text, choices: choices, nil, summary, standard: standard,
      read: { try $0.list(name) ?? $0.string(name, oneOf: choices.isEmpty ? nil : choices) },
      value: { $0.map(AttributeValue.string) ?? .null }, fault: fault)
  }
}

extension SettingKey where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of the cases of a type.
  static func choice(_ name: String, _ initial: Value, _ summary: String) -> SettingKey {
    let names = Value.allCases.map(\.rawValue)
    return SettingKey(
      name, .text, choices: names, initial, summary,
      read: { Value(rawValue: try $0.string(name, oneOf: names))! },
      value: { .string($0.rawValue) })
  }
}

extension Attributes {
  /// Text that YAML reads as a list: words or numbers separated by commas.
  fileprivate func list(_ name: String) -> String? {
    guard case .list(let list)? = values[name] else { return nil }
    return list.map(\.words).joined(separator: ",")
  }

  /// What ``AlgorithmRequest`` reads, which YAML may have as a list.
  mutating func algorithmRequest(_ name: String) throws -> AlgorithmRequest {
    let text = try list(name) ?? string(name)
    guard let request = AlgorithmRequest(text) else {
      throw ShapeError(
        operation, name, expected: "names separated by commas", got: "'\(text)'")
    }
    return request
  }
}

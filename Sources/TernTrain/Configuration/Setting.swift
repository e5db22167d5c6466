import TernCore
import TernNN
import TernRuntime

/// A setting of a run, declared once: its name in `config.yaml` and, with hyphens, among the flags of
/// `tern train`; what it may be; what is said of it; and what becomes of it where a run goes on.
///
/// All settings are in ``all``.
public struct Setting: Sendable {
  /// How a value is written.
  public enum Kind: Sendable {
    /// What a value is.
    case integer, number, truth, text
    /// Numbers separated by commas.
    case list
  }

  /// How the command line has it.
  public enum Form: Hashable, Sendable {
    /// `--name VALUE`
    case option
    /// `--name`, which sets it.
    case flag
    /// `--no-name`, which clears it.
    case negatedFlag
    /// `--name` and `--no-name`.
    case bothFlags
    /// In config files alone.
    case none
  }

  typealias Configuration = TrainingConfiguration

  /// As in `batch_size`.
  public let name: String
  /// What a value is.
  public let kind: Kind
  /// How a value is written.
  public private(set) var form: Form
  /// What help calls the value, where that is not the name.
  public private(set) var valueName: String?
  /// The values that there are, where they are few.
  public let choices: [String]
  /// A sentence on what it decides.
  public let summary: String
  /// What holds where it is not given, in words.
  public let standard: String
  private(set) var rule = ResumeRule.fixed
  let read: @Sendable (inout Configuration, inout Attributes) throws -> Void
  let value: @Sendable (Configuration) -> AttributeValue
  /// What the value is expected to be, where it is not.
  let fault: @Sendable (Configuration) throws -> String?

  /// As the command line has it: `batch-size`.
  public var flagName: String { Self.flagName(name) }

  static func flagName(_ name: String) -> String { name.replacing("_", with: "-") }

  /// The setting of that name; `nil` where there is none.
  public static func named(_ name: String) -> Setting? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// Reads a value of the command line.
  ///
  /// - Throws: ``TernError`` of kind `usage` where it is not of the setting's kind.
  public func parse(_ text: String) throws -> AttributeValue {
    func fault(_ expected: String) -> TernError {
      TernError(.usage, "\(flagName): expected \(expected), got '\(text)'")
    }
    switch kind {
    case .integer:
      guard let number = Int(text) else { throw fault("an integer") }
      return .int(number)
    case .number:
      guard let number = Double(text) else { throw fault("a number") }
      return .double(number)
    case .truth:
      guard let truth = Bool(text) else { throw fault("true or false") }
      return .bool(truth)
    case .text:
      guard choices.isEmpty || choices.contains(text) else {
        let hint = EditDistance.nearest(to: text, among: choices).map { "; did you mean '\($0)'?" }
        throw TernError(
          .usage,
          "\(flagName): expected one of \(choices.joined(separator: ", ")), got '\(text)'\(hint ?? "")"
        )
      }
      return .string(text)
    case .list: return try YAML.parseValue("[\(text)]")
    }
  }

  // MARK: Making one

  /// The same with another form on the command line, name of its value, or rule.
  func with(
    _ form: Form? = nil, value: String? = nil, resuming rule: ResumeRule? = nil
  ) -> Setting {
    var result = self
    result.form = form ?? self.form
    result.valueName = value ?? valueName
    result.rule = rule ?? self.rule
    return result
  }

  private init(
    _ name: String, _ kind: Kind, form: Form = .option, choices: [String] = [], _ summary: String,
    standard: String?,
    read: @escaping @Sendable (inout Configuration, inout Attributes) throws -> Void,
    value: @escaping @Sendable (Configuration) -> AttributeValue,
    fault: @escaping @Sendable (Configuration) throws -> String? = { _ in nil }
  ) {
    self.name = name
    self.kind = kind
    self.form = form
    self.choices = choices
    self.summary = summary
    let initial = value(Configuration())
    self.standard = standard ?? (initial == .null ? "none" : initial.words)
    self.read = read
    self.value = value
    self.fault = fault
  }

  private static func words(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max
      ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
  }

  static func integer(
    _ name: String, _ path: any WritableKeyPath<Configuration, Int> & Sendable,
    _ range: ClosedRange<Int>, _ summary: String, standard: String? = nil
  ) -> Setting {
    Setting(
      name, .integer, summary, standard: standard,
      read: { $0[keyPath: path] = try $1.int(name, default: $0[keyPath: path]) },
      value: { .int($0[keyPath: path]) },
      fault: { range.contains($0[keyPath: path]) ? nil : words(range) })
  }

  static func integer(
    _ name: String, _ path: any WritableKeyPath<Configuration, Int?> & Sendable,
    _ range: ClosedRange<Int>, _ summary: String, standard: String? = nil
  ) -> Setting {
    Setting(
      name, .integer, summary, standard: standard,
      read: { $0[keyPath: path] = $1.has(name) ? try $1.int(name) : nil },
      value: { $0[keyPath: path].map(AttributeValue.int) ?? .null },
      fault: { range.contains($0[keyPath: path] ?? range.lowerBound) ? nil : words(range) })
  }

  /// - Parameters:
  ///   - expected: what an error says of the numbers that `isValid` takes.
  static func number(
    _ name: String, _ path: any WritableKeyPath<Configuration, Double> & Sendable,
    _ expected: String,
    _ summary: String, standard: String? = nil, _ isValid: @escaping @Sendable (Double) -> Bool
  ) -> Setting {
    Setting(
      name, .number, summary, standard: standard,
      read: { $0[keyPath: path] = try $1.double(name, default: $0[keyPath: path]) },
      value: { .double($0[keyPath: path]) },
      fault: { isValid($0[keyPath: path]) ? nil : expected })
  }

  static func number(
    _ name: String, _ path: any WritableKeyPath<Configuration, Double?> & Sendable,
    _ expected: String, _ summary: String, standard: String? = nil,
    _ isValid: @escaping @Sendable (Double) -> Bool
  ) -> Setting {
    Setting(
      name, .number, summary, standard: standard,
      read: { $0[keyPath: path] = $1.has(name) ? try $1.double(name) : nil },
      value: { $0[keyPath: path].map(AttributeValue.double) ?? .null },
      fault: { $0[keyPath: path].map(isValid) ?? true ? nil : expected })
  }

  static func truth(
    _ name: String, _ path: any WritableKeyPath<Configuration, Bool> & Sendable, _ form: Form,
    _ summary: String
  ) -> Setting {
    Setting(
      name, .truth, form: form, summary, standard: nil,
      read: { $0[keyPath: path] = try $1.bool(name, default: $0[keyPath: path]) },
      value: { .bool($0[keyPath: path]) })
  }

  static func text(
    _ name: String, _ path: any WritableKeyPath<Configuration, String> & Sendable,
    _ summary: String,
    standard: String? = nil,
    fault: @escaping @Sendable (Configuration) throws -> String? = { _ in nil }
  ) -> Setting {
    Setting(
      name, .text, summary, standard: standard,
      read: {
        $0[keyPath: path] = try $1.list(name) ?? $1.string(name, default: $0[keyPath: path])
      },
      value: { .string($0[keyPath: path]) }, fault: fault)
  }

  static func text(
    _ name: String, _ path: any WritableKeyPath<Configuration, String?> & Sendable,
    choices: [String] = [], _ summary: String, standard: String? = nil,
    fault: @escaping @Sendable (Configuration) throws -> String? = { _ in nil }
  ) -> Setting {
    Setting(
      name, .text, choices: choices, summary, standard: standard,
      read: { configuration, attributes in
        configuration[keyPath: path] =
          attributes.has(name)
          ? try attributes.list(name)
            ?? attributes.string(name, oneOf: choices.isEmpty ? nil : choices) : nil
      },
      value: { $0[keyPath: path].map(AttributeValue.string) ?? .null }, fault: fault)
  }

  /// One of the cases of a type.
  static func choice<Case: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: any WritableKeyPath<Configuration, Case> & Sendable, _ summary: String
  ) -> Setting where Case.RawValue == String {
    let names = Case.allCases.map(\.rawValue)
    return Setting(
      name, .text, choices: names, summary, standard: nil,
      read: { configuration, attributes in
        guard attributes.has(name) else { return }
        configuration[keyPath: path] = Case(
          rawValue: try attributes.string(name, oneOf: names))!
      },
      value: { .string($0[keyPath: path].rawValue) })
  }

  /// A setting of a form of its own.
  static func other(
    _ name: String, _ kind: Kind, _ summary: String, standard: String? = nil,
    read: @escaping @Sendable (inout Configuration, inout Attributes) throws -> Void,
    value: @escaping @Sendable (Configuration) -> AttributeValue
  ) -> Setting {
    Setting(name, kind, summary, standard: standard, read: read, value: value)
  }
}

extension Attributes {
  /// Text that YAML reads as a list: words or numbers separated by commas.
  fileprivate func list(_ name: String) -> String? {
    guard case .list(let list)? = values[name] else { return nil }
    return list.map(\.words).joined(separator: ",")
  }

  /// What ``AlgorithmRequest`` reads, which YAML may have as a list; `nil` where nothing is said.
  mutating func algorithmRequest(_ name: String) throws -> AlgorithmRequest? {
    guard has(name) else { return nil }
    let text = try list(name) ?? string(name)
    guard let request = AlgorithmRequest(text) else {
      throw ShapeError(
        operation, name, expected: "names separated by commas", got: "'\(text)'")
    }
    return request
  }
}

import TernCore
import TernNN
import TernRuntime

/// A setting of a run, declared once: its name in `config.yaml` and, with hyphens, among the flags of
/// `tern train`; what it may be; what is said of it; and what becomes of it where a run goes on.
///
/// Settings are declared by ``SettingKey``s.
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
  /// Takes a value over, where one is given.
  let read: @Sendable (inout Configuration, inout Attributes) throws -> Void
  let value: @Sendable (Configuration) -> AttributeValue
  /// What the value is expected to be, where it is not.
  let fault: @Sendable (Configuration) throws -> String?

  /// As the command line has it: `batch-size`.
  public var flagName: String { Self.flagName(name) }
  /// As the command line is given it: `--batch-size`.
  public var flag: String { "--\(flagName)" }

  /// How the command line is given the setting of that name.
  static func flag(_ name: String) -> String {
    guard let setting = named(name) else { preconditionFailure("no setting \(name)") }
    return setting.flag
  }

  static func flagName(_ name: String) -> String { name.replacing("_", with: "-") }

  /// Every setting, in the order of `config.yaml` and of help.
  public static let all: [Setting] =
    ([NetworkSettings(), OptimizationSettings(), DataSettings(), RunSettings()] as [any Sendable])
    .flatMap {
      Mirror(reflecting: $0).children.compactMap { ($0.value as? any AnySettingKey)?.setting }
    }

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

  init(
    _ name: String, _ kind: Kind, form: Form, choices: [String], _ summary: String,
    standard: String,
    read: @escaping @Sendable (inout Configuration, inout Attributes) throws -> Void,
    value: @escaping @Sendable (Configuration) -> AttributeValue,
    fault: @escaping @Sendable (Configuration) throws -> String?
  ) {
    self.name = name
    self.kind = kind
    self.form = form
    self.choices = choices
    self.summary = summary
    self.standard = standard
    self.read = read
    self.value = value
    self.fault = fault
  }

  /// The same with another form on the command line, name of its value, or rule.
  func with(_ form: Form?, value: String?, resuming rule: ResumeRule?) -> Setting {
    var result = self
    result.form = form ?? self.form
    result.valueName = value ?? valueName
    result.rule = rule ?? self.rule
    return result
  }
}

import ArgumentParser
import Tern

/// The flags of `tern train` that are settings of a run. Each overrides the config file.
///
/// They are made from the table of settings, ``Setting/all``: the argument parser finds options where
/// it looks at the properties of a type, and this type shows it one for each setting.
struct TrainingOptions: ParsableArguments, CustomReflectable {
  /// What was given, by the names of the settings.
  private var texts: [String: String] = [:]
  private var truths: [String: Bool] = [:]

  init() {}

  private static let settings = Setting.all.filter { $0.form != .none }

  /// The name of a setting as that of a property, from which the parser makes the flag's.
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ setting: Setting) {
      let words = setting.name.split(separator: "_")
      stringValue =
        words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private static func help(_ setting: Setting) -> ArgumentHelp {
    ArgumentHelp(
      "\(setting.summary) (default: \(setting.standard))", valueName: setting.valueName)
  }

  var customMirror: Mirror {
    Mirror(
      self,
      children: Self.settings.map { setting -> Mirror.Child in
        let help = Self.help(setting)
        let name = NameSpecification.customLong(setting.flagName)
        let property: Any =
          switch setting.form {
          case .flag, .negatedFlag:
            Flag(
              wrappedValue: false,
              name: setting.form == .flag ? name : .customLong("no-" + setting.flagName),
              help: ArgumentHelp(stringLiteral: setting.summary))
          case .bothFlags:
            Flag<Bool?>(
              name: name, inversion: .prefixedNo,
              help: "\(setting.summary) (default: --\(setting.flagName))")
          case .option, .none:
            Option<String?>(
              name: name, help: help,
              completion: setting.choices.isEmpty ? nil : .list(setting.choices))
          }
        return ("_" + Key(setting).stringValue, property)
      }, displayStyle: .struct)
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for setting in Self.settings {
      let key = Key(setting)
      switch setting.form {
      case .flag, .negatedFlag:
        if try container.decode(Flag<Bool>.self, forKey: key).wrappedValue {
          truths[setting.name] = setting.form == .flag
        }
      case .bothFlags:
        truths[setting.name] = try container.decode(Flag<Bool?>.self, forKey: key).wrappedValue
      case .option, .none:
        texts[setting.name] = try container.decode(Option<String?>.self, forKey: key).wrappedValue
      }
    }
  }

  /// What was given, by the names of the settings.
  func settings() throws -> [String: AttributeValue] {
    var result = truths.mapValues(AttributeValue.bool)
    for setting in Self.settings {
      if let text = texts[setting.name] { result[setting.name] = try setting.parse(text) }
    }
    return result
  }
}

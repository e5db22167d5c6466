import ArgumentParser
import Tern

/// What was probably meant where a verb or a flag is not known. Only verbs, or the flags of the verb
/// that was given, are proposed: also where another tool calls them differently.
enum UsageHint {
  /// What the argument parser says of an error, with a better proposal; `nil` where there is none.
  static func message(for error: any Error, arguments: [String]) -> String? {
    guard TernCommand.exitCode(for: error) == .validationFailure, let hint = hint(for: arguments)
    else { return nil }
    // The lines after the first tell of the usage.
    let usage = TernCommand.fullMessage(for: error).split(separator: "\n").drop {
      !$0.hasPrefix("Usage:")
    }
    return (["Error: \(hint)"] + usage.map(String.init)).joined(separator: "\n")
  }

  /// Names the first verb or flag that is not known.
  static func hint(for arguments: [String]) -> String? {
    guard var command = try? JSON(parsing: TernCommand._dumpHelp())["command"] else { return nil }
    var rest = arguments[...]
    while case .array(let verbs)? = command["subcommands"], !verbs.isEmpty {
      func verb(_ name: String) -> JSON? { verbs.first { $0["commandName"]?.stringValue == name } }
      if let word = rest.first, let next = verb(word) {
        (command, rest) = (next, rest.dropFirst())
      } else if let word = rest.first, !word.hasPrefix("-") {
        let names = verbs.compactMap { $0["commandName"]?.stringValue }
        return "Unknown command '\(word)'\(proposal(EditDistance.nearest(to: word, among: names)))"
      } else if let next = command["defaultSubcommand"]?.stringValue.flatMap(verb) {
        command = next
      } else {
        break
      }
    }
    let flags = flags(of: command)
    for word in rest.prefix(while: { $0 != "--" }) where word.hasPrefix("--") {
      let name = String(word.dropFirst(2).prefix { $0 != "=" })
      guard !flags.contains(name) else { continue }
      let near = EditDistance.nearest(to: name, among: flags).map { "--\($0)" }
      return "Unknown option '--\(name)'\(proposal(near))"
    }
    return nil
  }

  private static func proposal(_ name: String?) -> String {
    name.map { ". Did you mean '\($0)'?" } ?? ""
  }

  private static func flags(of command: JSON) -> [String] {
    guard case .array(let arguments)? = command["arguments"] else { return [] }
    return arguments.flatMap { argument -> [String] in
      guard case .array(let names)? = argument["names"] else { return [] }
      return names.filter { $0["kind"]?.stringValue == "long" }.compactMap {
        $0["name"]?.stringValue
      }
    }
  }
}

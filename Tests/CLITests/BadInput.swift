import Foundation
import Testing

/// Something wrong that a user gives, and what comes of it: one line on stderr that says so, an exit
/// code, and nothing on stdout.
struct BadInput: CustomTestStringConvertible, Sendable {
  let arguments: String
  let status: Int32
  /// What the line says.
  let fragments: [String]

  init(_ arguments: String, _ status: Int32, _ fragments: String...) {
    self.arguments = arguments
    self.status = status
    self.fragments = fragments
  }

  var testDescription: String { arguments }

  /// Runs the command.
  func check(in workspace: Workspace) throws {
    let result = try Command.run(
      arguments.split(separator: " ").map(String.init), in: workspace.path)
    let what = "\(arguments): \(result.status) \(result.errors)"
    #expect(result.status == status, "\(what)")
    #expect(result.output.isEmpty, "\(what)")
    #expect(result.errors.hasPrefix("tern: error: "), "\(what)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(what)")
    for fragment in fragments { #expect(result.errors.contains(fragment), "\(what)") }
  }
}

import Foundation
import TernCore
import TernNN

/// The parameters that training leaves as they are: no gradient of them is computed, and no node
/// updates them. A batch normalisation that is frozen as a whole also keeps its running statistics,
/// and normalises with them.
public struct FrozenParameters: Sendable {
  /// Names of layers or parameters: `features` stands for `features.0.weight`, too.
  public let names: [String]

  /// - Parameter list: names separated by commas.
  public init(_ list: String) {
    names = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }

  /// Whether a parameter of that name is left as it is.
  public func contains(_ parameter: String) -> Bool {
    names.contains { parameter == $0 || parameter.hasPrefix($0 + ".") }
  }

  /// - Throws: ``TernError`` of kind `usage` where a name stands for nothing.
  func check(_ parameters: [Parameter]) throws {
    guard !names.isEmpty else {
      throw TernError(.usage, "freeze: expected names of layers or parameters, got none")
    }
    let trainable = parameters.filter(\.isTrainable).map(\.name)
    for name in names where !trainable.contains(where: FrozenParameters(name).contains) {
      let layers = Set(
        trainable.flatMap { parameter in
          let parts = parameter.split(separator: ".")
          return (1...parts.count).map { parts.prefix($0).joined(separator: ".") }
        })
      let hint = EditDistance.nearest(to: name, among: layers.sorted())
      throw TernError(
        .usage,
        "freeze: no parameter is called '\(name)'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
  }
}

import Foundation
import TernCore

/// Parameters, by their names, that learn at another rate or decay by another factor than the rest:
/// Caffe's `lr_mult` and `decay_mult`.
///
/// ```swift
/// let groups = [
///   ParameterGroup("features", rateFactor: 0.1),  // all that is in the layer `features`
///   ParameterGroup("*.bias", decayFactor: 0),
/// ]
/// ```
///
/// The factors of all groups that a parameter belongs to are multiplied, so that a rate by layer and
/// a decay by kind of parameter can be given apart, in any order.
public struct ParameterGroup: Hashable, Sendable {
  /// The name of a layer or a parameter; `*` stands for any text. `layer1` stands for `layer1.0.weight`,
  /// too.
  public let pattern: String
  /// What the learning rate is multiplied by. At 0 the parameters are left as they are.
  public let rateFactor: Double
  /// What weight decay, decoupled decay and the penalties l1 and l2 are multiplied by.
  public let decayFactor: Double

  /// A group of all parameters whose names fit.
  ///
  /// - Precondition: the factors are finite and at least 0.
  public init(_ pattern: String, rateFactor: Double = 1, decayFactor: Double = 1) {
    precondition(
      rateFactor.isFinite && rateFactor >= 0 && decayFactor.isFinite && decayFactor >= 0,
      "the factors of a group are finite and at least 0")
    self.pattern = pattern
    self.rateFactor = rateFactor
    self.decayFactor = decayFactor
  }

  /// Whether a parameter of that name belongs to the group.
  public func contains(_ parameter: String) -> Bool {
    let parts = parameter.split(separator: ".", omittingEmptySubsequences: false)
    return (1...parts.count).contains { count in
      Self.matches(Array(pattern.utf8), Array(parts.prefix(count).joined(separator: ".").utf8))
    }
  }

  /// Whether a text fits a pattern in which `*` stands for any text.
  private static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
    let star = UInt8(ascii: "*")
    var (p, t) = (0, 0)
    // Where to go on from if what follows the last star does not fit: its place, and the text it
    // stands for so far.
    var retry: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == star {
        retry = (p + 1, t)
        p += 1
      } else if p < pattern.count, pattern[p] == text[t] {
        (p, t) = (p + 1, t + 1)
      } else if let last = retry {
        retry = (last.pattern, last.text + 1)
        (p, t) = (last.pattern, last.text + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == star }
  }
}

extension ParameterGroup {
  /// The products of the factors of all groups that a parameter belongs to; 1 where there is none.
  public static func factors(
    of parameter: String, in groups: [ParameterGroup]
  ) -> (rate: Double, decay: Double) {
    groups.reduce((1, 1)) { factors, group in
      group.contains(parameter)
        ? (factors.0 * group.rateFactor, factors.1 * group.decayFactor) : factors
    }
  }

  /// Refuses a group to which nothing belongs: its name is misspelt.
  ///
  /// - Parameter parameters: the names of all parameters that are trained.
  /// - Throws: ``TernCore/TernError`` of kind `usage` with the nearest name of a layer or parameter.
  public static func check(_ groups: [ParameterGroup], parameters: [String]) throws {
    for group in groups where !parameters.contains(where: group.contains) {
      let names = Set(
        parameters.flatMap { parameter in
          let parts = parameter.split(separator: ".")
          return (1...parts.count).map { parts.prefix($0).joined(separator: ".") }
        })
      let hint = EditDistance.nearest(to: group.pattern, among: names.sorted())
      throw TernError(
        .usage,
        "parameter group: no parameter is called '\(group.pattern)'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
  }

  /// Groups by which layers learn the slower the further they are from the output: the last of the
  /// layers at the full rate, the one before at `factor` of it, and so on. For fine-tuning: Howard and
  /// Ruder, "Universal language model fine-tuning for text classification", 2018.
  ///
  /// - Parameter layers: names of layers, from the input to the output. What is in none of them keeps
  ///   its rate.
  public static func layerDecay(_ factor: Double, layers: [String]) -> [ParameterGroup] {
    layers.enumerated().map { index, layer in
      ParameterGroup(layer, rateFactor: pow(factor, Double(layers.count - 1 - index)))
    }
  }

  /// The group that a text describes: `PATTERN:lr=0.1,decay=0`; what is not given is 1.
  ///
  /// - Throws: ``TernCore/TernError`` of kind `usage` where the text has another form.
  public init(parsing text: String) throws {
    func fault(_ got: String) -> TernError {
      TernError(
        .usage,
        "parameter group '\(text)': expected PATTERN:lr=FACTOR,decay=FACTOR, got \(got)")
    }
    guard let colon = text.lastIndex(of: ":"), colon != text.startIndex else {
      throw fault(text.contains(":") ? "no pattern" : "no colon")
    }
    var factors: [String: Double] = [:]
    for part in text[text.index(after: colon)...].split(
      separator: ",", omittingEmptySubsequences: false)
    {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false)
      guard sides.count == 2, ["lr", "decay"].contains(sides[0]) else { throw fault("'\(part)'") }
      guard let factor = Double(sides[1]), factor.isFinite, factor >= 0 else {
        throw fault("'\(sides[1])', not a number of at least 0")
      }
      guard factors.updateValue(factor, forKey: String(sides[0])) == nil else {
        throw fault("\(sides[0]) twice")
      }
    }
    self.init(
      String(text[..<colon]), rateFactor: factors["lr"] ?? 1, decayFactor: factors["decay"] ?? 1)
  }
}

extension ParameterGroup: CustomStringConvertible {
  /// The group as ``init(parsing:)`` takes it: `features:lr=0.1,decay=1.0`.
  public var description: String { "\(pattern):lr=\(rateFactor),decay=\(decayFactor)" }
}

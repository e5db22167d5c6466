import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// Weights held against the parameters and running statistics of a network: what fits by name, shape
/// and type, and what does not.
///
/// Every reader of weights goes through it: those that take what fits (``requireAny(path:)``) and those
/// that need all (``requireAll(of:path:prefix:)``).
public struct WeightMatch: Sendable {
  /// What fits.
  public let values: [String: HostTensor]
  /// How much of the network fits, and of which of its outermost layers: `14 of 16 tensors are
  /// loaded: features 10, classifier 4 of 6`.
  public let loaded: String
  /// What the network has and the file has not, or in another shape: a line each, in the order of
  /// the layers.
  public var missing: [String] { faults.map(\.description) }
  /// What the file has and the network has not: a line each, by name.
  public var unused: [String] { unusedNames.map { "\($0) is not in the model" } }

  private let faults: [Fault]
  let unusedNames: [String]

  /// A place of the network that is not filled, and why.
  private struct Fault: CustomStringConvertible {
    enum Reason {
      case absent
      case unreadable(String)
      case otherType(TensorType)
      case notFinite
    }
    let name: String
    let type: TensorType
    let reason: Reason

    var description: String {
      switch reason {
      case .absent: "\(name) \(type.shape) is not in the file"
      case .unreadable(let why): "\(name) \(why)"
      case .otherType(let found): "\(name) is \(found) in the file, \(type) in the model"
      case .notFinite: "\(name) holds numbers in the file that are not finite"
      }
    }
  }

  /// PyTorch counts the batches that a normalisation saw; with a fixed momentum nothing reads it.
  private static let ignored = "num_batches_tracked"

  /// Holds tensors against places by name and type.
  ///
  /// - Parameters:
  ///   - unread: what a file holds in types that are not read, and why.
  ///   - requiresFinite: whether numbers that are not finite do not fit.
  package init(
    _ tensors: [String: HostTensor], to places: [(name: String, type: TensorType)],
    unread: [String: String] = [:], requiresFinite: Bool = true
  ) {
    var (values, faults) = ([String: HostTensor](), [Fault]())
    for (name, type) in places {
      func refuse(_ reason: Fault.Reason) {
        faults.append(Fault(name: name, type: type, reason: reason))
      }
      switch tensors[name] {
      case nil: refuse(unread[name].map(Fault.Reason.unreadable) ?? .absent)
      case let value? where value.type != type: refuse(.otherType(value.type))
      case let value? where requiresFinite && !value.isFinite: refuse(.notFinite)
      case let value?: values[name] = value
      }
    }
    let known = Set(places.map(\.name))
    self.values = values
    self.faults = faults
    loaded =
      "\(values.count) of \(places.count) tensors are loaded: "
      + LayerCounts.text(places.map(\.name)) { values[$0] != nil }
    unusedNames = tensors.keys.filter {
      !known.contains($0) && $0.split(separator: ".").last.map(String.init) != Self.ignored
    }.sorted()
  }

  /// Holds tensors against parameters.
  public init(
    _ tensors: [String: HostTensor], to parameters: [Parameter], unread: [String: String] = [:]
  ) {
    self.init(tensors, to: parameters.map { ($0.name, $0.tensor.type) }, unread: unread)
  }

  /// - Throws: ``TernError`` where nothing fits.
  public func requireAny(path: String) throws {
    guard values.isEmpty else { return }
    throw TernError(
      .badData,
      "\(path): none of its tensors fits the model"
        + [missing.first, unused.first].compactMap { $0.map { "; \($0)" } }.joined())
  }

  /// - Parameters:
  ///   - place: what messages begin with, a path and a colon.
  ///   - prefix: what the names in the file start with and were read without.
  ///   - allowsUnused: whether the file may hold more than the network has.
  /// - Throws: ``TernError`` of kind `badData` that names the first place that is not filled, with the
  ///   nearest name there is, or a tensor that the network has no place for.
  package func requireAll(
    of model: String, place: String, prefix: String = "", allowsUnused: Bool = false
  ) throws {
    if let fault = faults.first {
      var text: String
      switch fault.reason {
      case .absent:
        text = "holds no tensor \(prefix)\(fault.name) of \(model)"
        // Of very many names the nearest would take its time.
        let names = unusedNames.count <= 10_000 ? unusedNames : []
        if let near = EditDistance.nearest(to: fault.name, among: names) {
          text += "; the nearest is \(prefix)\(near)"
        }
      case .unreadable(let why): text = "\(prefix)\(fault.name) \(why)"
      case .otherType(let found):
        text = "\(prefix)\(fault.name) is \(found) where \(model) has \(fault.type)"
      case .notFinite: text = "\(prefix)\(fault.name) is not finite"
      }
      throw TernError(.badData, place + text)
    }
    guard allowsUnused || unusedNames.isEmpty else {
      throw TernError(.badData, "\(place)\(model) has no place for \(prefix)\(unusedNames[0])")
    }
  }
}

extension Session {
  /// Gives every variable its value.
  ///
  /// - Parameters:
  ///   - names: the variables, where others hold no weights.
  ///   - model: what messages call the network.
  ///   - place: what messages begin with, a path and a colon.
  ///   - unread: what a file holds in types that are not read, and why.
  /// - Throws: ``TernError`` of kind `badData` where a variable has none of its shape and type.
  package func load(
    _ tensors: [String: HostTensor], into names: [String]? = nil, of model: String,
    place: String = "weights: ",
    unread: [String: String] = [:], requiresFinite: Bool = true
  ) throws {
    let wanted = names.map(Set.init)
    let places = variableNames.filter { wanted?.contains($0) ?? true }
    let match = WeightMatch(
      tensors, to: places.map { ($0, variableType($0)!) }, unread: unread,
      requiresFinite: requiresFinite)
    try match.requireAll(of: model, place: place, allowsUnused: true)
    try write(match.values)
  }
}

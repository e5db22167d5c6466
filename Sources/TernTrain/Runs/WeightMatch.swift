import TernCore
import TernData
import TernNN

/// Weights from a file held against the parameters and running statistics of a network: what fits
/// by name and shape, and what does not.
public struct WeightMatch: Sendable {
  /// What fits.
  public let values: [String: HostTensor]
  /// How much of the network fits, and of which of its outermost layers: `14 of 16 tensors are
  /// loaded: features 10, classifier 4 of 6`.
  public let loaded: String
  /// What the network has and the file has not, or in another shape: a line each, in the order of
  /// the layers.
  public let missing: [String]
  /// What the file has and the network has not: a line each, by name.
  public let unused: [String]

  /// PyTorch counts the batches that a normalisation saw; with a fixed momentum nothing reads it.
  private static let ignored = "num_batches_tracked"

  /// Holds tensors against parameters.
  public init(_ tensors: [String: HostTensor], to parameters: [Parameter]) {
    var (values, missing) = ([String: HostTensor](), [String]())
    for parameter in parameters {
      let name = parameter.name
      switch tensors[name] {
      case nil: missing.append("\(name) \(parameter.shape) is not in the file")
      case let value? where value.type != parameter.tensor.type:
        missing.append(
          "\(name) is \(value.type) in the file, \(parameter.tensor.type) in the model")
      case let value? where !value.isFinite:
        missing.append("\(name) holds numbers in the file that are not finite")
      case let value?: values[name] = value
      }
    }
    let known = Set(parameters.map(\.name))
    self.values = values
    loaded =
      "\(values.count) of \(parameters.count) tensors are loaded: "
      + LayerCounts.text(parameters) { values[$0.name] != nil }
    self.missing = missing
    unused = tensors.keys.filter {
      !known.contains($0) && $0.split(separator: ".").last.map(String.init) != Self.ignored
    }.sorted().map { "\($0) is not in the model" }
  }

  /// - Throws: ``TernError`` where nothing fits.
  public func requireAny(path: String) throws {
    guard values.isEmpty else { return }
    throw TernError(
      .badData,
      "\(path): none of its tensors fits the model"
        + [missing.first, unused.first].compactMap { $0.map { "; \($0)" } }.joined())
  }
}

import TernCore
import TernData
import TernNN

/// Fits a file of tensors to the parameters of a network.
public struct WeightImport {
  private let model: Model

  /// For a network.
  public init(model: Model) { self.model = model }

  /// What the network has: also what it needs in training alone, such as the visible units' biases of
  /// a Boltzmann machine.
  private func parameters() throws -> [Parameter] {
    // Two samples: a batch normalisation of vectors has no statistics of one.
    let trained = try TrainingGraph.all(of: model, batchSize: 2, update: ParameterUpdate(.sgd()))
    let all =
      try model.inferenceGraph(batchSize: model.ownBatchSize).context.parameters
      + trained.flatMap(\.parameters)
    var names: Set<String> = []
    return all.filter { names.insert($0.name).inserted }
  }

  /// How all of the network starts, also what it needs in training alone.
  package func initialValues(seed: UInt64) throws -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: try parameters().map {
        ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed))
      })
  }

  /// The parameters of the network, by name.
  ///
  /// - Parameters:
  ///   - prefix: what the names in the file start with, and are read without. Where it is empty,
  ///     what a tool put before all names is found: `module.`, `_orig_mod.`.
  ///   - note: told what of the file is left out.
  /// - Throws: ``TernError`` of kind `badData` that names the first parameter that is missing or of
  ///   another shape, or a tensor that the network has no place for.
  public func read(
    _ path: String, prefix: String = "", note: (String) -> Void = { _ in }
  ) throws -> [String: HostTensor] {
    let parameters = try parameters()
    let weights = try WeightsFile(path)
    let path = weights.path
    let known = Set(parameters.map(\.name))
    let (file, naming) = prefix.isEmpty ? weights.named(as: known) : (weights.file, nil)
    if let text = weights.note { note(text) }
    if let naming { note(naming) }
    /// What stands under a name that starts with the prefix.
    func cut<Value>(_ all: [String: Value]) -> [String: Value] {
      Dictionary(
        uniqueKeysWithValues: all.filter { $0.key.hasPrefix(prefix) }.map {
          (String($0.key.dropFirst(prefix.count)), $0.value)
        })
    }
    let match = WeightMatch(cut(file.tensors), to: parameters, unread: cut(file.unread))
    try match.requireAll(of: model.name, place: "\(path): ", prefix: prefix)
    if let text = file.unreadNote { note("\(path): \(text)") }
    return match.values
  }
}

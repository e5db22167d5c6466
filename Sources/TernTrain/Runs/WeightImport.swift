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
      try model.inferenceGraph(batchSize: 1).context.parameters + trained.flatMap(\.parameters)
    var names: Set<String> = []
    return all.filter { names.insert($0.name).inserted }
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
    let (file, wrapper) = prefix.isEmpty ? weights.named(as: known) : (weights.file, nil)
    if let wrapper { note(weights.note(of: wrapper)) }
    var given: [String: HostTensor] = [:]
    for (name, tensor) in file.tensors {
      guard name.hasPrefix(prefix) else { continue }
      given[String(name.dropFirst(prefix.count))] = tensor
    }
    var result: [String: HostTensor] = [:]
    for parameter in parameters {
      guard let tensor = given.removeValue(forKey: parameter.name) else {
        if let reason = file.unread[prefix + parameter.name] {
          throw TernError(.badData, "\(path): \(prefix)\(parameter.name) \(reason)")
        }
        // Of very many names the nearest would take its time.
        let names = given.count <= 10_000 ? Array(given.keys).sorted() : []
        let hint = EditDistance.nearest(to: parameter.name, among: names)
        throw TernError(
          .badData,
          "\(path): holds no tensor \(prefix)\(parameter.name) of \(model.name)"
            + (hint.map { "; the nearest is \(prefix)\($0)" } ?? ""))
      }
      guard tensor.type == parameter.tensor.type else {
        throw TernError(
          .badData,
          "\(path): \(prefix)\(parameter.name) is \(tensor.type) where \(model.name) has "
            + "\(parameter.tensor.type)")
      }
      guard tensor.isFinite else {
        throw TernError(.badData, "\(path): \(prefix)\(parameter.name) is not finite")
      }
      result[parameter.name] = tensor
    }
    if let extra = given.keys.filter({ !$0.hasSuffix("num_batches_tracked") }).min() {
      throw TernError(.badData, "\(path): \(model.name) has no place for \(prefix)\(extra)")
    }
    if let text = file.unreadNote { note("\(path): \(text)") }
    return result
  }
}

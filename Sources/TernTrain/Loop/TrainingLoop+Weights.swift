import Foundation
import TernCore
import TernData
import TernNN
import TernOptim
import TernRuntime

extension [Parameter] {
  /// The order in which to set them: the host's copy of a value is short-lived, and the largest is
  /// made while the device holds nothing else.
  package var largestFirst: [Parameter] { sorted { $0.shape.elementCount > $1.shape.elementCount } }
}

extension TrainingLoop {
  /// The variable that evaluation reads for a parameter.
  func evaluatedName(_ parameter: Parameter) -> String {
    (options.averageDecay == nil ? "" : ParameterUpdate.averagePrefix) + parameter.name
  }

  /// The number of trainable parameters.
  public var parameterCount: Int {
    parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  /// Gives every parameter its initial value.
  ///
  /// - Parameter values: by name, in place of the initialisers'.
  func initialize(_ values: [String: HostTensor] = [:]) throws {
    for parameter in parameters.largestFirst {
      let value =
        values[parameter.name]
        ?? parameter.initializer.value(
          parameter.shape, name: parameter.name, seed: options.seed)
      try session.write([parameter.name: value])
      // The average starts where the parameters do.
      try session.write([evaluatedName(parameter): value])
    }
  }

  /// The network's parameters and running statistics as evaluation uses them: averaged ones where an
  /// average is kept.
  public func weights() throws -> [String: HostTensor] {
    var result: [String: HostTensor] = [:]
    for parameter in parameters {
      result[parameter.name] = try session.read(evaluatedName(parameter))
    }
    return result
  }

  /// Sets parameters and running statistics by name; others keep their values.
  ///
  /// - Throws: ``TernError`` of kind `badData` for a name that the network has not, or another shape.
  public func setWeights(_ weights: [String: HostTensor]) throws {
    let given = parameters.filter { weights[$0.name] != nil }
    let match = WeightMatch(
      weights, to: given.map { ($0.name, $0.tensor.type) }, requiresFinite: false)
    if let name = match.unusedNames.first {
      let hint = EditDistance.nearest(to: name, among: parameters.map(\.name))
      throw TernError(
        .badData,
        "model \(model.name) has no parameter '\(name)'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    try match.requireAll(of: model.name, place: "weights: ")
    for parameter in given {
      let value = match.values[parameter.name]!
      try session.write([parameter.name: value])
      try session.write([evaluatedName(parameter): value])
    }
  }

  /// Writes the weights as a safetensors file, with what is known of the data: classes, columns and
  /// normalisation.
  public func saveWeights(to path: String) throws {
    let file = Safetensors(tensors: try weights(), metadata: data.description(of: model))
    try AtomicFile.write(file.encoded(), to: path)
  }

  /// The variables that decide how training goes on. Sums of gradients do not: a checkpoint is taken
  /// after an update, and the next batch starts a new sum.
  var storedVariables: [String] {
    session.variableNames.filter { !$0.hasPrefix(BatchSums.variablePrefix) }
  }

  /// The weights, and what else the variables hold: the optimizer's state, sums of metrics.
  func variables() throws -> (weights: [String: HostTensor], state: [String: HostTensor]) {
    let names = Dictionary(
      uniqueKeysWithValues: parameters.map { (evaluatedName($0), $0.name) })
    var (weights, state) = ([String: HostTensor](), [String: HostTensor]())
    for name in storedVariables {
      if let parameter = names[name] {
        weights[parameter] = try session.read(name)
      } else {
        state[name] = try session.read(name)
      }
    }
    return (weights, state)
  }

  /// Sets what ``variables()`` gave, and where training stood then.
  ///
  /// - Throws: ``TernError`` of kind `badData` where a variable has no value.
  func restore(
    weights: [String: HostTensor], state: [String: HostTensor], progress: TrainingProgress
  ) throws {
    let values = Dictionary(
      uniqueKeysWithValues: parameters.map { (evaluatedName($0), weights[$0.name]) })
    for name in storedVariables {
      guard let value = values[name] ?? state[name] else {
        throw TernError(.badData, "the checkpoint holds no tensor \(name)")
      }
      try session.write([name: value])
    }
    self.progress = progress
    guard progress.batch > 0,
      !batches.isBetweenUpdates(progress.batch)
        || progress.batch > batches.batchCount
    else { return }
    // Of data that was mended an epoch has another number of batches.
    self.progress.batch = min(
      progress.batch / batches.accumulate * batches.accumulate, batches.batchCount)
  }

  /// What an optimizer remembers of an earlier stage is of another loss.
  func resetOptimizer() throws {
    for name in session.variableNames where name.hasPrefix(Optimizer.statePrefix) {
      guard let type = session.variableType(name) else { continue }
      try session.write([name: HostTensor(repeating: 0, type.shape)])
    }
  }
}

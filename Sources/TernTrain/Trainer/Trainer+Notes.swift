import TernNN
import TernRuntime

// What is said of a run before it starts.

extension Trainer {
  /// What `freeze` leaves to train: `2 of 62 tensors are trained, 650 of 272,282 parameters: fc 2`;
  /// `nil` where nothing is frozen.
  public var freezingNote: String? {
    guard let list = configuration.freeze else { return nil }
    let frozen = FrozenParameters(list)
    let trainable = parameters.filter(\.isTrainable)
    let trained = trainable.filter { !frozen.contains($0.name) }
    func size(_ parameters: [Parameter]) -> Int {
      parameters.reduce(0) { $0 + $1.shape.elementCount }
    }
    return "\(trained.count) of \(trainable.count) tensors are trained, \(size(trained)) of "
      + "\(size(trainable)) parameters: "
      + LayerCounts.text(trainable.map(\.name)) { !frozen.contains($0) }
  }

  /// Where the algorithm for convolutions that was asked for changes nothing; `nil` where it covers all,
  /// or none was asked for.
  public var algorithmNote: String? {
    guard let algorithm = configuration.algorithm?.algorithm,
      let graph = try? model.inferenceGraph(batchSize: 1).graph
    else { return nil }
    return algorithm.note(for: graph, on: device)
  }
}

import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A trained network with its data, to be looked into: what its layers make of samples, what its units
/// look for, and how its loss lies around its weights.
package final class NetworkLook {
  package let model: Model
  /// Parameters and running statistics by name.
  package let weights: [String: HostTensor]
  package let data: TrainingData
  package let objective: any Objective
  package let seed: UInt64
  let device: any Device

  package init(
    _ model: Model, weights: [String: HostTensor], data: TrainingData, objective: any Objective,
    seed: UInt64, on device: any Device
  ) {
    self.model = model
    self.weights = weights
    self.data = data
    self.objective = objective
    self.seed = seed
    self.device = device
  }

  /// A layer of the network whose output can be read.
  package struct Layer: Sendable {
    package let summary: LayerSummary
    let value: ValueID
    package var name: String { summary.name }
  }

  /// The layers that compute something of their own: where values only change their places there is
  /// nothing to see.
  static func layers(_ context: LayerContext) -> [Layer] {
    let graph = context.builder.graph
    return context.summaries.compactMap { summary in
      guard !["flatten", "reshape", "permute", "dropout", "sequential"].contains(summary.kind),
        let node = graph.nodes.last(where: {
          $0.scope == summary.name || $0.scope.hasPrefix(summary.name + ".")
        }), let value = node.outputs.first, graph.type(value).dataType == .float32
      else { return nil }
      return Layer(summary: summary, value: value)
    }
  }

  /// The network for inference, with the outputs of layers as outputs of the graph, by their names.
  func graph(
    batchSize: Int, reading isRead: (Layer) -> Bool
  ) throws -> (graph: Graph, layers: [Layer]) {
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: "")
    _ = try model.forward(model.appendInputs(to: builder, batchSize: batchSize), in: context)
    let layers = Self.layers(context).filter(isRead)
    for layer in layers { builder.output(layer.name, builder.tensor(layer.value)) }
    return (builder.graph, layers)
  }

  /// A network compiled, with its weights.
  func compiled(_ graph: Graph) throws -> Executable {
    let session = Session(device: device)
    let executable = try session.compile(graph)
    try session.load(weights, of: model.name)
    return executable
  }

  /// The first samples of a set in batches of a size, at least one of them.
  ///
  /// - Parameter each: called with each whole batch.
  func batches(
    of set: any Dataset, size: Int, limit: Int, _ each: (Batch) throws -> Void
  ) throws {
    let loader = data.evaluationLoader(set, batchSize: size)
    defer { loader.cancel() }
    var count = 0
    while count < limit, let batch = try loader.next(), batch.count == size {
      try each(batch)
      count += size
    }
  }

  /// Whether its samples are pictures that can be shown.
  package var seesPictures: Bool {
    let shape = model.inputShape
    return shape.rank == 3 && [1, 3].contains(shape[0]) && model.inputs.count == 1
      && model.inputs[0].type.dataType == .float32
  }
}

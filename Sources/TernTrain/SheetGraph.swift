import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A graph that makes a sheet of pictures of what a network has learnt.
struct SheetGraph {
  static let picturesOutput = "pictures"
  /// The samples a sheet is made of at most.
  static let sampleCount = 64

  let graph: Graph
  let columns: Int

  /// `nil` where the objective has nothing to show.
  ///
  /// - Parameter availableCount: the samples there are.
  init?(
    model: Model, objective: any Objective, seed: UInt64, variablePrefix: String,
    availableCount: Int
  ) throws {
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: variablePrefix)
    let samples = SampleInputs(
      builder, model: model, batchSize: min(Self.sampleCount, availableCount))
    guard let sheet = try objective.sheet(of: model, on: samples, in: context) else { return nil }
    builder.output(Self.picturesOutput, sheet.pictures)
    graph = builder.graph
    columns = sheet.columns
  }
}

/// A ``SheetGraph`` on its device.
struct SheetExecutable {
  private let executable: Executable
  private let columns: Int
  private let shape: Shape

  init(_ graph: SheetGraph, _ executable: Executable) {
    self.executable = executable
    columns = graph.columns
    shape = graph.graph.type(graph.graph.output(named: SheetGraph.picturesOutput)!).shape
  }

  /// The first samples that `loader` delivers, as the network renders them.
  func picture(_ loader: BatchLoader, normalization: Normalization) throws -> SheetPicture {
    if let batch = try loader.next() {
      try executable.upload(batch)
    }
    try executable.step()
    let values = try executable.read(SheetGraph.picturesOutput).floats
    return SheetPicture(values, shape: shape, columns: columns, normalization: normalization)
  }
}

import Foundation
import TernCore
import TernGraph
import TernNN

/// A network as an ONNX file of opset 17: what it computes in inference, for batches of any size.
public struct ONNXExport {
  /// The bytes of the file.
  public let data: Data
  /// The names of what it reads.
  public let inputNames: [String]
  /// The names of what it computes.
  public let outputNames: [String]
  /// How many operators it has.
  public let nodeCount: Int

  /// Extents that no network has by chance, so that an extent that follows the batch is known by it.
  private static let probes = (1009, 1013)

  /// Writes a network down.
  ///
  /// - Parameters:
  ///   - values: its parameters and running statistics, by name.
  ///   - batchSize: the one batch that the file is for; any where `nil`.
  ///   - metadata: what is kept beside the network, by name.
  /// - Throws: ``TernError`` of kind `badData` that names the operation for which ONNX has no words.
  public init(
    _ model: Model, values: [String: HostTensor], batchSize: Int? = nil,
    metadata: [String: String] = [:]
  ) throws {
    let batches = batchSize.map { ($0, $0) } ?? Self.probes
    let graphs = (
      try Self.graph(of: model, batchSize: batches.0),
      try Self.graph(of: model, batchSize: batches.1)
    )
    let exporter = GraphExporter(graphs, batches: batches, parameters: values)
    do {
      let graph = try exporter.export(named: model.name)
      data = try ONNXWriter.encoded(graph, metadata: metadata)
      inputNames = graph.inputs.map(\.name)
      outputNames = graph.outputs.map(\.name)
      nodeCount = graph.nodes.count
    } catch let error as ONNXExportError {
      let hint =
        batchSize == nil && error.description.contains("batch's size")
        ? "; --batch-size N writes it for one batch" : ""
      throw TernError(.badData, "model \(model.name): \(error)\(hint)")
    }
  }

  /// What is exported of a network: its inference, or of two that are held against each other the one that
  /// makes pictures.
  ///
  /// - Throws: ``TernError`` where the network does not fit its inputs.
  public static func graph(of model: Model, batchSize: Int) throws -> Graph {
    guard model.task == .adversarial else {
      return try model.inferenceGraph(batchSize: batchSize).graph
    }
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let inputs = try model.appendInputs(to: builder, batchSize: batchSize)
    let noise = try model.forward("latent", inputs[0], in: context)
    builder.output("pictures", try model.forward("generator", noise, in: context))
    return builder.graph
  }
}

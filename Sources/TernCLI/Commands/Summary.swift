import ArgumentParser
import Tern
import TernRuntime

struct Summary: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Describe a network layer by layer, with the memory it will take.",
    discussion: """
      Example:
        tern summary lenet5 --batch-size 128
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml, .onnx, .prototxt).")
  var model: String

  @Option(help: ArgumentHelp("The input's shape: C,H,W.", valueName: "C,H,W"))
  var input: String?

  @Option(help: "The number of classes.")
  var classes: Int?

  @Option(help: "The batch size that the memory is planned for.")
  var batchSize = 64

  @OptionGroup var device: DeviceArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print the plan of a training step too.")
  var verbose = false

  func run() throws {
    guard batchSize >= 1 else {
      throw TernError(.usage, "batch-size: expected at least 1, got \(batchSize)")
    }
    if let classes, classes < 1 {
      throw TernError(.usage, "classes: expected at least 1, got \(classes)")
    }
    let model = try Model.named(
      model, inputShape: try input.map(Shape.init(argument:)), classCount: classes)
    model.notes.forEach(Output.progress)
    let (_, context) = try model.inferenceGraph(batchSize: 1)
    let layers = context.summaries
    let parameterCount = context.parameters.filter(\.isTrainable)
      .reduce(0) { $0 + $1.shape.elementCount }
    let multiplyAdds = layers.reduce(0) { $0 + $1.multiplyAdds }

    let session = Session(device: try device.open())
    let graphs = try TrainingGraph.all(
      of: model, batchSize: batchSize, update: .init(.sgd(momentum: 0.9))
    ).map(\.graph)
    let training = try graphs.map(session.plan)
    let trainingPeak = training.map(\.peakByteCount).max() ?? 0
    let inference = try session.plan(model.inferenceGraph(batchSize: batchSize).graph)

    if json {
      Output.result(
        JSON.object([
          "name": .string(model.name), "parameters": .int(parameterCount),
          "multiply_adds": .int(multiplyAdds),
          "layers": .array(
            layers.map { layer in
              .object([
                "name": .string(layer.name), "type": .string(layer.kind),
                "output": .array(outputShape(layer).map(JSON.int)),
                "parameters": .int(layer.parameterCount),
                "multiply_adds": .int(layer.multiplyAdds),
                "receptive_field": layer.receptiveField.map(JSON.int) ?? .null,
              ])
            }),
          "precision": .string(device.precision.rawValue),
          "train_peak_bytes": .int(trainingPeak),
          "inference_peak_bytes": .int(inference.peakByteCount),
          "launches": .int(
            try PlanSummary(graphs, training, on: session.device).launchCount),
        ]))
      return
    }
    var table = Table(
      ["LAYER", "TYPE", "OUTPUT", "PARAMETERS", "MULTIPLY-ADDS", "FIELD"], numeric: [3, 4, 5])
    for layer in layers {
      table.append([
        layer.name, layer.kind, "\(outputShape(layer))", Format.count(layer.parameterCount),
        Format.count(layer.multiplyAdds), layer.receptiveField.map(String.init) ?? "",
      ])
    }
    Output.result(table.text)
    Output.result(
      """

      \(model.name.visible): \(Format.count(parameterCount)) parameters, \
      \(Format.count(multiplyAdds)) multiply-adds per sample
      memory at batch size \(batchSize) on \(session.device.info.id)\
      \(device.precision == .fp32 ? "" : " in \(device.precision.rawValue)"): \
      training \(Format.bytes(trainingPeak)), \
      inference \(Format.bytes(inference.peakByteCount))
      """)
    guard verbose else { return }
    Output.result(try PlanSummary(graphs, training, on: session.device).text)
    for plan in training {
      Output.result("\(reorders(plan))\n\(types(plan))\n\n\(plan.graph)")
    }
  }

  /// How often a step copies a value from one format to another.
  private func reorders(_ plan: Plan) -> String {
    let nodes = plan.order.map { plan.graph.nodes[$0] }
    let reorders = nodes.filter { $0.operation is Operations.Reorder }
    let byteCount = reorders.reduce(0) { $0 + plan.graph.cost(of: $1).bytes }
    return "\(reorders.count) of them are reorders, which move \(Format.bytes(byteCount))"
  }

  /// What a step computes, by the type of its elements.
  private func types(_ plan: Plan) -> String {
    var byteCounts: [DataType: Int] = [:]
    for index in plan.order {
      for id in plan.graph.nodes[index].outputs {
        byteCounts[plan.graph.type(id).dataType, default: 0] += plan.graph[id].byteCount
      }
    }
    let parts = byteCounts.sorted { $0.value > $1.value }.map {
      "\(Format.bytes($0.value)) of \($0.key)"
    }
    return "its nodes write \(parts.joined(separator: ", "))"
  }

  private func outputShape(_ layer: LayerSummary) -> [Int] {
    [batchSize] + layer.output.dimensions.dropFirst()
  }
}

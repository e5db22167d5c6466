import ArgumentParser
import Tern

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the networks that come with Tern, or describe one.",
    discussion: """
      Examples:
        tern models
        tern models resnet18
      """)

  @Argument(help: "A model's name or a model file (.yaml), to describe it alone.")
  var model: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    if let model {
      try describe(model)
    } else {
      try list()
    }
  }

  private func list() throws {
    let rows = try ZooEntry.all.map { ($0, try Size(of: $0.model())) }
    if json {
      Output.result(
        JSON.object([
          "models": .array(
            rows.map { entry, size in
              .object([
                "name": .string(entry.name), "task": .string(entry.task.name),
                "input": .array(entry.inputShape.map(JSON.int)), "classes": .int(entry.classCount),
                "parameters": .int(size.parameterCount), "source": .string(entry.source),
              ])
            })
        ]))
      return
    }
    var table = Table(["MODEL", "TASK", "INPUT", "PARAMETERS", "FROM"], numeric: [3])
    for (entry, size) in rows {
      table.append([
        entry.name, entry.task.name, "\(entry.inputShape)", Format.count(size.parameterCount),
        entry.source,
      ])
    }
    Output.result(table.text)
  }

  private func describe(_ name: String) throws {
    let network = try Model.named(name)
    let size = try Size(of: network)
    let entry = try? ZooEntry.named(name)
    let source = entry?.source ?? name
    // What nothing else is said of, and what the model asks for.
    let shown =
      ["epochs", "batch_size", "optimizer", "lr", "schedule", "normalize"]
      + (entry?.settings.keys.sorted() ?? [])
    let settings = try TrainingConfiguration(["model": .string(name)]).settings
      .filter { shown.contains($0.name) }
    if json {
      Output.result(
        JSON.object([
          "name": .string(network.name), "task": .string(network.task.name),
          "input": .array(network.inputShape.map(JSON.int)), "classes": .int(network.classCount),
          "parameters": .int(size.parameterCount), "multiply_adds": .int(size.multiplyAdds),
          "layers": .int(size.layerCount), "source": .string(source),
          "settings": .object(
            settings.map { JSON.Member(name: $0.name, value: JSON($0.value)) }),
        ]))
      return
    }
    let flags = settings.map { setting in
      let value = if case .string(let text) = setting.value { text } else { "\(setting.value)" }
      return "--\(setting.name.replacing("_", with: "-")) \(value)"
    }
    Output.result(
      """
      \(network.name)
      from           \(source)
      task           \(network.task.name)
      input          \(network.inputShape)
      classes        \(network.classCount)
      layers         \(size.layerCount), see 'tern summary \(name)'
      parameters     \(Format.count(size.parameterCount))
      multiply-adds  \(Format.count(size.multiplyAdds)) per sample
      trained with   \(flags.joined(separator: " "))
      """)
  }

  /// The numbers that a network is known by.
  private struct Size {
    let parameterCount: Int
    let multiplyAdds: Int
    /// Layers with a row in the summary.
    let layerCount: Int

    init(of model: Model) throws {
      let (_, context) = try model.inferenceGraph(batchSize: 1)
      parameterCount = context.parameters.filter(\.isTrainable)
        .reduce(0) { $0 + $1.shape.elementCount }
      multiplyAdds = context.summaries.reduce(0) { $0 + $1.multiplyAdds }
      layerCount = context.summaries.count
    }
  }
}

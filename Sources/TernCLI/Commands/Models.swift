import ArgumentParser
import Tern

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the networks that come with Tern.",
    discussion: """
      Example:
        tern models
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let rows = try ZooEntry.all.map { entry in
      let (_, context) = try entry.model().inferenceGraph(batchSize: 1)
      let count = context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
      return (entry: entry, parameterCount: count)
    }
    if json {
      Output.result(
        JSON.object([
          "models": .array(
            rows.map { entry, count in
              .object([
                "name": .string(entry.name),
                "input": .array(entry.inputShape.map(JSON.int)), "classes": .int(entry.classCount),
                "parameters": .int(count), "source": .string(entry.source),
              ])
            })
        ]).description)
      return
    }
    var table = Table(["MODEL", "INPUT", "PARAMETERS", "FROM"], numeric: [2])
    for (entry, count) in rows {
      table.append([entry.name, "\(entry.inputShape)", Format.count(count), entry.source])
    }
    Output.result(table.text)
  }
}

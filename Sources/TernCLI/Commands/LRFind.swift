import ArgumentParser
import Foundation
import Tern

struct LRFind: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lr-find",
    abstract: "Find a learning rate: train while it rises, and see where the loss falls fastest.",
    discussion: """
      Example:
        tern lr-find lenet5 --data fashion-mnist --optimizer adam --out lr.svg
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String

  @OptionGroup var options: TrainingOptions

  @Option(help: "The lowest rate.")
  var lowest = 1e-6
  @Option(help: "The highest rate.")
  var highest = 10.0
  @Option(help: "Steps from the lowest rate to the highest.")
  var points = 200
  @Option(help: ArgumentHelp("The picture to write.", valueName: "FILE.svg"))
  var out = "lr-find.svg"
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    guard lowest > 0, highest > lowest, highest.isFinite else {
      throw TernError(
        .usage, "lowest, highest: expected 0 < lowest < highest, got \(lowest), \(highest)")
    }
    guard points >= 10, points <= 100_000 else {
      throw TernError(.usage, "points: expected 10 to 100000, got \(points)")
    }
    try AtomicFile.check(out)
    var settings = try options.settings()
    settings["model"] = .string(model)
    guard settings["data"] != nil else {
      throw TernError(.usage, "which data? give --data, such as fashion-mnist")
    }
    let trainer = try Trainer(
      TrainingConfiguration(settings), catalog: .standard, report: { _ in })
    if let note = trainer.algorithmNote { Output.progress("algorithm: \(note)") }
    let search = try trainer.searchRate(steps: points, lowest: lowest, highest: highest)
    guard search.points.count >= 10 else {
      throw TernError(
        .diverged,
        "the loss diverged after \(search.points.count) steps; try a smaller --lowest than "
          + "\(lowest)")
    }
    if !trainer.isLossTelling {
      Output.warning(
        "the loss of \(trainer.model.name) does not say how well it learns; compare short runs")
    }
    try AtomicFile.write(Data(search.svg.utf8), to: out)
    if json {
      Output.result(
        JSON.object([
          "suggestion": search.suggestion.map(JSON.double) ?? .null,
          "points": .array(
            search.points.map {
              .object([
                "lr": .double($0.rate), "loss": .double($0.loss),
                "smoothed_loss": .double($0.smoothedLoss),
              ])
            }), "plot": .string(out),
        ]))
      return
    }
    guard let suggestion = search.suggestion else {
      Output.result("the loss never fell between \(lowest) and \(highest); see \(out.visible)")
      return
    }
    Output.result(
      "learning rate \(String(format: "%.2g", suggestion)): the loss falls fastest there; see \(out.visible)"
    )
  }
}

import ArgumentParser
import Foundation
import Tern

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw the loss and the accuracy of runs.",
    discussion: """
      Several runs are named by the settings in which they differ. Of a sweep's folder all runs are \
      drawn.

      Examples:
        tern plot runs/lenet5-1 runs/lenet5-2 --out curves.svg
        tern plot runs/lr-sweep --out sweep.svg
      """)

  @Argument(help: ArgumentHelp("The folders of training runs, or of sweeps.", valueName: "RUN"))
  var runs: [String]

  @Option(help: "The picture to write. (default: curves.svg in the first run)")
  var out: String?

  func run() throws {
    guard let first = runs.first else { throw TernError(.usage, "plot which run?") }
    let plot = try CurvePlot(directories: runs)
    guard plot.runs.contains(where: { !$0.history.isEmpty }) else {
      throw TernError(.badData, "\(first): no epoch is done yet")
    }
    let path = out ?? first.appendingPath("curves.svg")
    try AtomicFile.write(Data(plot.svg.utf8), to: path)
    Output.result(path.visible)
  }
}

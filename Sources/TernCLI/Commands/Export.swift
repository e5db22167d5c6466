import ArgumentParser
import Foundation
import Tern

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the weights of a run to one file.",
    discussion: """
      The names and layouts are PyTorch's.

      Examples:
        tern export runs/lenet5-1 --out lenet5.safetensors
        tern export runs/lenet5-1 --out lenet5.npz --checkpoint best
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String

  @Option(help: ArgumentHelp("The file to write: .safetensors or .npz.", valueName: "FILE"))
  var out: String
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"

  func run() throws {
    try AtomicFile.check(out)
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint, verb: "export")
    switch out.pathSuffix {
    case "safetensors": try AtomicFile.write(weights.file.encoded(), to: out)
    case "npz": try AtomicFile.write(NPZWriter.encoded(weights.file.tensors), to: out)
    default:
      throw TernError(.usage, "out: expected a file name in .safetensors or .npz, got '\(out)'")
    }
    if let text = weights.file.unreadNote { Output.progress("\(weights.path): \(text)") }
    Output.result("\(out): \(weights.file.tensors.count) tensors".visible)
  }
}

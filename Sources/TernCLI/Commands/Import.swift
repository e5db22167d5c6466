import ArgumentParser
import Foundation
import Tern

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check weights from elsewhere against a model, and write them for --init and test.",
    discussion: """
      Reads PyTorch's names and layouts; float16, bfloat16 and float64 become float32, and the
      counters of batch normalisation (num_batches_tracked) are left out.

      Example:
        tern import resnet18-torchvision.safetensors --model resnet18 --out resnet18.safetensors
      """)

  @Argument(help: ArgumentHelp("The weights to read.", valueName: "FILE.safetensors"))
  var path: String

  @Option(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String
  @Option(
    help: ArgumentHelp("The input's shape: C,H,W. (default: the model's)", valueName: "C,H,W"))
  var input: String?
  @Option(help: "The number of classes. (default: the model's)")
  var classes: Int?
  @Option(
    help: ArgumentHelp("What the names in the file start with that is cut off.", valueName: "TEXT"))
  var prefix = ""
  @Option(help: ArgumentHelp("The file to write.", valueName: "FILE.safetensors"))
  var out: String

  func run() throws {
    if let classes, classes < 1 {
      throw TernError(.usage, "classes: expected at least 1, got \(classes)")
    }
    let network = try Model.named(
      model, inputShape: try input.map(Shape.init(argument:)), classCount: classes)
    let tensors = try WeightImport(model: network).read(
      path, prefix: prefix, note: Output.progress)
    let file = Safetensors(tensors: tensors, metadata: ["model": network.name])
    try AtomicFile.write(file.encoded(), to: out)
    Output.result("\(out): \(tensors.count) tensors of \(network.name)".visible)
  }
}

import ArgumentParser
import Foundation
import Tern

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Apply a network to a file of samples and write what comes out.",
    discussion: """
      The input is a safetensors file with a tensor 'images' [N, C, H, W]; the output gets a tensor \
      'logits', the network's last layer, without softmax.

      Example:
        tern run resnet18 --weights resnet18.safetensors --input x.safetensors --output y.safetensors
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String
  @Option(help: ArgumentHelp("The model's weights.", valueName: "FILE.safetensors"))
  var weights: String
  @Option(help: ArgumentHelp("The samples.", valueName: "FILE.safetensors"))
  var input: String
  @Option(help: ArgumentHelp("Where to write the logits.", valueName: "FILE.safetensors"))
  var output: String
  @Option(help: "The number of classes. (default: the model's own)")
  var classes: Int?
  @OptionGroup var device: DeviceArguments

  func run() throws {
    if let classes, classes < 1 {
      throw TernError(.usage, "classes: expected at least 1, got \(classes)")
    }
    let images = try Safetensors(contentsOf: input).tensor("images", in: input)
    guard images.type.dataType == .float32, images.shape.rank >= 2,
      images.shape.allSatisfy({ $0 >= 1 })
    else {
      throw TernError(
        .badData, "\(input): images: expected float32 [N, C, H, W], got \(images.type)")
    }
    let model = try Model.named(
      model, inputShape: Shape(Array(images.shape.dimensions.dropFirst())), classCount: classes)
    let values = try WeightImport(model: model).read(weights, note: Output.progress)
    let (graph, _) = try model.inferenceGraph(batchSize: images.shape[0])

    let session = Session(device: try device.open(for: model))
    let executable = try session.compile(graph)
    // What inference does not read, such as auxiliary heads, has no variable.
    let read = Set(session.variableNames)
    try session.write(values.filter { read.contains($0.key) })
    let outputs = try executable.run(["images": images])
    try AtomicFile.write(Safetensors(tensors: outputs).encoded(), to: output)
  }
}

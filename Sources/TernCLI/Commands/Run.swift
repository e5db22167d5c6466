import ArgumentParser
import Foundation
import Tern

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Apply a network to a file of samples and write what comes out.",
    discussion: """
      The input is a safetensors file with a tensor for each of the network's inputs: 'images' \
      [N, C, H, W], unless a model file names them. The output gets a tensor 'logits', the network's \
      last layer, without softmax, or one for each output that a model file names.

      Example:
        tern run resnet18 --weights resnet18.safetensors --input x.safetensors --output y.safetensors
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String
  @Option(
    help: ArgumentHelp(
      "The model's weights. (needed by all that have any)", valueName: "FILE.safetensors"))
  var weights: String?
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
    let file = try Safetensors(contentsOf: input)
    // Its inputs have the same names whatever their size.
    let first = try file.tensor(Model.named(model).inputs[0].name, in: input)
    guard first.shape.rank >= 2, first.shape.allSatisfy({ $0 >= 1 }) else {
      throw TernError(
        .badData, "\(input): expected samples [N, …], such as [N, C, H, W], got \(first.type)")
    }
    let count = first.shape[0]
    let model = try Model.named(
      model, inputShape: Shape(Array(first.shape.dimensions.dropFirst())), classCount: classes)
    let inputs = try model.inputs.map { field in
      let value = try file.tensor(field.name, in: input)
      guard value.type == field.batched(count) else {
        throw TernError(
          .badData, "\(input): \(field.name): expected \(field.batched(count)), got \(value.type)")
      }
      return value
    }
    guard let weights else {
      let parameters = try model.inferenceGraph(batchSize: 1).context.parameters
      guard parameters.isEmpty else {
        throw TernError(.usage, "which weights? give --weights, a file or a run of \(model.name)")
      }
      return try apply([:], model, inputs)
    }
    try apply(
      WeightImport(model: model).read(weights, note: Output.progress), model, inputs)
  }

  private func apply(
    _ values: [String: HostTensor], _ model: Model, _ inputs: [HostTensor]
  ) throws {
    let network = try TrainedNetwork(
      model, weights: values, on: device.open(for: model), batchSize: inputs[0].shape[0])
    let outputs = Dictionary(
      uniqueKeysWithValues: zip(model.outputNames, try network.outputs(for: inputs)))
    try AtomicFile.write(Safetensors(tensors: outputs).encoded(), to: output)
  }
}

import ArgumentParser
import Foundation
import Tern

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Apply a network to a file of samples and write what comes out.",
    discussion: """
      The input is a safetensors file, or NumPy's .npz, with a tensor for each of the network's inputs: 'images' \
      [N, C, H, W], unless a model file names them. The output, in either format, gets a tensor 'logits', the \
      network's last layer, without softmax, or one for each output that a model file names.

      Example:
        tern run resnet18 --weights resnet18.safetensors --input x.safetensors --output y.safetensors
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml, .onnx, .prototxt).")
  var model: String
  @Option(
    help: ArgumentHelp(
      "The model's weights. (needed by all that have any)", valueName: "FILE.safetensors"))
  var weights: String?
  @Option(help: ArgumentHelp("The samples: .safetensors or .npz.", valueName: "FILE"))
  var input: String
  @Option(
    help: ArgumentHelp(
      "Where to write the logits: .safetensors or .npz.", valueName: "FILE"))
  var output: String
  @Option(help: "The number of classes. (default: the model's own)")
  var classes: Int?
  @OptionGroup var device: DeviceArguments

  func run() throws {
    if let classes, classes < 1 {
      throw TernError(.usage, "classes: expected at least 1, got \(classes)")
    }
    let file =
      try isNumPys(input) ? Safetensors(npz: input) : Safetensors(contentsOf: input)
    // Its inputs have the same names whatever their size.
    let name =
      try ONNXNetwork.isPath(model)
      ? nil
      : CaffeNetwork.isPath(model)
        ? CaffeNetwork.firstInput(of: model) : Model.named(model).inputs[0].name
    // A network of an ONNX file, or of Caffe's, may leave its sizes open, which the samples then say.
    let first =
      try name.map { try file.tensor($0, in: input) }
      ?? onlyInput(of: file, named: ONNXNetwork.firstInput(of: model))
    guard first.shape.rank >= 2, first.shape.allSatisfy({ $0 >= 1 }) else {
      throw TernError(
        .badData, "\(input): expected samples [N, …], such as [N, C, H, W], got \(first.type)")
    }
    let count = first.shape[0]
    let model = try Model.named(
      model, inputShape: Shape(Array(first.shape.dimensions.dropFirst())), classCount: classes,
      keepsSoftmax: true)
    model.notes.forEach(Output.progress)
    let inputs = try model.inputs.map { field in
      let value = try model.inputs.count == 1 ? first : file.tensor(field.name, in: input)
      guard value.type == field.batched(count) else {
        throw TernError(
          .badData, "\(input): \(field.name): expected \(field.batched(count)), got \(value.type)")
      }
      return value
    }
    guard let weights else {
      let parameters = try model.inferenceGraph(batchSize: 1).context.parameters
      if ONNXNetwork.isPath(self.model) {
        return try apply(model.initialValues(seed: 0), model, inputs)
      }
      guard parameters.isEmpty else {
        throw TernError(.usage, "which weights? give --weights, a file or a run of \(model.name)")
      }
      return try apply([:], model, inputs)
    }
    try apply(
      WeightImport(model: model).read(weights, note: Output.progress), model, inputs)
  }

  private func isNumPys(_ path: String) -> Bool { path.pathSuffix.lowercased() == "npz" }

  /// The samples of a network with one input, under its name in the file or under Tern's.
  private func onlyInput(of file: Safetensors, named name: String) throws -> HostTensor {
    for known in [name, Field.samplesName, Field.tokensName] {
      if let tensor = file.tensors[known] { return tensor }
    }
    return try file.tensor(name, in: input)
  }

  private func apply(
    _ values: [String: HostTensor], _ model: Model, _ inputs: [HostTensor]
  ) throws {
    let network = try TrainedNetwork(
      model, weights: values, on: device.open(for: model), batchSize: inputs[0].shape[0])
    let outputs = Dictionary(
      uniqueKeysWithValues: zip(model.outputNames, try network.outputs(for: inputs)))
    try AtomicFile.write(
      isNumPys(output)
        ? NPZWriter.encoded(outputs) : Safetensors(tensors: outputs).encoded(), to: output)
  }
}

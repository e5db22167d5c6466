import ArgumentParser
import Foundation
import Tern

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the weights of a run or a model to one file, or the network itself as ONNX.",
    discussion: """
      Weights have PyTorch's names and layouts; torch.load reads a .pt file. An ONNX file (opset 17) holds the network as it infers, for
      batches of any size, without softmax at its end; what samples are normalised by stands in its metadata.

      A network that draws noise reads it in ONNX: dcgan becomes its generator, from 'latent' to 'pictures'.

      Examples:
        tern export runs/lenet5-1 --out lenet5.safetensors
        tern export runs/lenet5-1 --out lenet5.npz --checkpoint best
        tern export runs/resnet18-1 --out resnet18.pt
        tern export runs/resnet18-1 --out resnet18.onnx
        tern export resnet18 --weights resnet18.safetensors --out resnet18.onnx
      """)

  @Argument(
    help: ArgumentHelp(
      "The folder of a training run, a model's name, or a model file (.yaml, .onnx, .prototxt).",
      valueName: "RUN|MODEL"))
  var source: String

  @Option(
    help: ArgumentHelp("The file to write: .safetensors, .npz, .pt or .onnx.", valueName: "FILE"))
  var out: String
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"
  @Option(
    help: ArgumentHelp(
      "The model's weights. (default: its initial ones; an ONNX file has its own)",
      valueName: "FILE"))
  var weights: String?
  @Option(
    help: ArgumentHelp(
      "The input's shape of a model: C,H,W. (default: the model's)", valueName: "C,H,W"))
  var input: String?
  @Option(help: "The number of a model's classes. (default: the model's)")
  var classes: Int?
  @Option(
    help: ArgumentHelp(
      "The one batch size that an ONNX file is for. (default: any)", valueName: "N"))
  var batchSize: Int?

  private static let formats = ["safetensors", "npz", "pt", "onnx"]

  func run() throws {
    let format = out.pathSuffix
    guard Self.formats.contains(format) else {
      throw TernError(
        .usage, "out: expected a file name in .safetensors, .npz, .pt or .onnx, got '\(out)'")
    }
    if let batchSize, batchSize < 1 {
      throw TernError(.usage, "batch-size: expected at least 1, got \(batchSize)")
    }
    guard batchSize == nil || format == "onnx" else {
      throw TernError(.usage, "batch-size: is for .onnx; weights are the same for all")
    }
    if let classes, classes < 1 {
      throw TernError(.usage, "classes: expected at least 1, got \(classes)")
    }
    try AtomicFile.check(out)
    if isModel {
      try exportModel(format)
    } else {
      try exportRun(format)
    }
  }

  /// Whether a model is named: a folder of that name would be a run's.
  private var isModel: Bool {
    Model.isFile(source)
      || (!FileSystem.isFolder(source) && (try? ZooEntry.named(source)) != nil)
  }

  private func exportRun(_ format: String) throws {
    guard weights == nil, input == nil, classes == nil else {
      throw TernError(.usage, "export: --weights, --input and --classes are for a model, not a run")
    }
    let weights = try RunWeights(
      run: source, model: nil, weights: nil, checkpoint: checkpoint, verb: "export")
    if format == "onnx" {
      // The data itself is asked only where the weights do not say what they were trained on.
      let metadata = weights.file.metadata
      let description =
        try SampleDescription(metadata)
        ?? TrainingData(weights.configuration, description: metadata).sampleDescription
      let network = try weights.configuration.network(
        sampleShape: description.shape, targetCount: description.classNames.count,
        vocabularyCount: description.vocabulary?.count)
      let values = try WeightImport(model: network).read(weights.path, note: Output.progress)
      return try writeNetwork(network, values, metadata: metadata)
    }
    try write(weights.file, format)
    if let text = weights.file.unreadNote { Output.progress("\(weights.path): \(text)") }
  }

  private func exportModel(_ format: String) throws {
    let model = try Model.named(
      source, inputShape: try input.map(Shape.init(argument:)), classCount: classes,
      keepsSoftmax: true)
    model.notes.forEach(Output.progress)
    let values: [String: HostTensor]
    if let weights {
      values = try WeightImport(model: model).read(weights, note: Output.progress)
    } else if ONNXNetwork.isPath(source) {
      values = try model.initialValues(seed: 0)
    } else {
      values = try WeightImport(model: model).initialValues(seed: 0)
      if !values.isEmpty {
        Output.progress("no --weights: \(model.name) is written as it starts, untrained")
      }
    }
    let metadata = ["model": model.name]
    if format == "onnx" {
      try writeNetwork(model, values, metadata: metadata)
    } else {
      try write(Safetensors(tensors: values, metadata: metadata), format)
    }
  }

  private func writeNetwork(
    _ network: Model, _ values: [String: HostTensor], metadata: [String: String]
  ) throws {
    let file = try ONNXExport(network, values: values, batchSize: batchSize, metadata: metadata)
    try AtomicFile.write(file.data, to: out)
    let names = { (names: [String]) in names.joined(separator: ", ") }
    Output.result(
      """
      \(out): \(file.nodeCount) operators of opset 17, \
      \(names(file.inputNames)) → \(names(file.outputNames))
      """.visible)
  }

  private func write(_ file: Safetensors, _ format: String) throws {
    let data =
      switch format {
      case "npz": try NPZWriter.encoded(file.tensors)
      case "pt": try TorchWriter.encoded(file.tensors)
      default: try file.encoded()
      }
    try AtomicFile.write(data, to: out)
    Output.result("\(out): \(file.tensors.count) tensors".visible)
  }
}

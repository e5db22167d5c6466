import TernCore
import TernGraph
import TernNN

/// A network from an ONNX file.
///
/// Its first axis is the batch, whatever number the file has there. Initializers are its parameters, under
/// their names; the statistics of batch normalisation are running statistics. Numbers of all real types are
/// float32 on a device.
package struct ONNXNetwork: NetworkLayer {
  private let model: ONNXModel
  /// The names of the graph's inputs, by those of the model's fields.
  private let inputs: [(field: String, input: String)]
  private let outputs: [String]
  private let replaced: [String: ReplacedInitializer]
  private let fixedBatch: Int?

  package var kind: String { "onnx" }

  /// Whether a model's name is that of a file in ONNX's format.
  package static func isPath(_ name: String) -> Bool { name.pathSuffix.lowercased() == "onnx" }

  package func outputs(
    reading tensors: [String: Tensor], in context: LayerContext
  ) throws -> [(name: String, output: Tensor)] {
    let fileBatch = fileBatch(tensors)
    let importer = GraphImporter(
      model, in: context, fixedBatch: fileBatch, followsMode: true, replaced: replaced)
    let values = values(tensors)
    let results: [ONNXValue]
    do { results = try importer.run(values) } catch let error as ONNXNodeError {
      throw TernError(.badData, "\(model.path): \(error)")
    } catch let error as LayerError { throw TernError(.badData, "\(model.path): \(error)") }
    return try zip(outputs, results).map { name, value in
      guard case .device(let tensor, _, _) = value else {
        throw TernError(.badData, "\(model.path): output '\(name)' does not depend on an input")
      }
      if let fileBatch, let own = fileBatch.shape(name), own.first == fileBatch.count,
        tensor.shape.dimensions == own
      {
        throw TernError(
          .badData,
          "\(model.path): is written for a batch of \(fileBatch.count) alone; export it with a batch of any size"
        )
      }
      return (name, tensor)
    }
  }

  private func values(_ tensors: [String: Tensor]) -> [String: ONNXValue] {
    var values: [String: ONNXValue] = [:]
    for (field, input) in inputs {
      let info = model.graph.inputs.first { $0.name == input }!
      values[input] = .device(tensors[field]!, info.type ?? .float)
    }
    return values
  }

  /// What the file names of its own batch, where that is not the one at hand.
  private func fileBatch(_ tensors: [String: Tensor]) -> FixedBatch? {
    guard let fixedBatch, let first = inputs.first.flatMap({ tensors[$0.field] }),
      first.shape[0] != fixedBatch
    else { return nil }
    let builder = GraphBuilder()
    let importer = GraphImporter(
      model, in: LayerContext(builder: builder, mode: .inference), fixedBatch: nil,
      followsMode: true, replaced: replaced)
    let own = try? tensors.map { name, tensor -> (String, Tensor) in
      var type = tensor.type
      type.shape[0] = fixedBatch
      return (name, try builder.input(name, type))
    }
    guard let own else { return nil }
    // A file that is not in order for its own batch is not for another.
    _ = try? importer.run(values(Dictionary(uniqueKeysWithValues: own)))
    return FixedBatch(fixedBatch, now: first.shape[0], importer.values)
  }

  // MARK: Reading

  /// What the first input is called in the file.
  package static func firstInput(of path: String) throws -> String {
    let graph = try ONNXModel(contentsOf: path).graph
    return graph.inputs.first { graph.initializers[$0.name] == nil }?.name ?? Field.samplesName
  }

  /// Reads a network.
  ///
  /// - Parameters:
  ///   - inputShape: one sample of the first input, where the file leaves it open.
  ///   - classCount: the number of classes; another than the file's replaces the last layer.
  ///   - keepsSoftmax: whether a softmax at the end stays; a loss of classes has its own.
  /// - Throws: ``TernError`` with the node that cannot be used, its operator and opset.
  package static func model(
    contentsOf path: String, inputShape: Shape? = nil, classCount: Int? = nil,
    keepsSoftmax: Bool = false
  ) throws -> Model {
    var file = try ONNXModel(contentsOf: path)
    var notes: [String] = []
    if !keepsSoftmax, let bare = file.withoutLastSoftmax() {
      file = bare
      notes.append("\(path): the softmax at the end is left out; the loss has its own")
    }
    let declared = file.graph.inputs.filter { file.graph.initializers[$0.name] == nil }
    guard !declared.isEmpty, !file.graph.outputs.isEmpty else {
      throw TernError(.badData, "\(path): the network has no input, or no output")
    }
    let indices = indexInputs(of: file.graph)
    var fields: [Field] = []
    for (position, info) in declared.enumerated() {
      let shape = try sampleShape(
        info, path: path, given: position == 0 ? inputShape : nil)
      let isIndex = indices.contains(info.name)
      let standard = isIndex ? Field.tokensName : Field.samplesName
      fields.append(
        Field(declared.count == 1 ? standard : info.name, shape, isIndex ? .int32 : .float32))
    }
    var fixedBatch: Int?
    if case .fixed(let count)? = declared[0].shape?.first { fixedBatch = count }
    func network(_ replaced: [String: ReplacedInitializer]) -> ONNXNetwork {
      ONNXNetwork(
        model: file, inputs: zip(fields, declared).map { ($0.name, $1.name) },
        outputs: file.graph.outputs.map(\.name), replaced: replaced, fixedBatch: fixedBatch)
    }
    func model(_ network: ONNXNetwork, classCount: Int, task: ModelTask = .classification) -> Model
    {
      var model = Model(
        name: path.pathStem, inputs: fields, outputs: network.outputs, classCount: classCount,
        layers: Sequential([NamedLayer("onnx", network)]), task: task)
      (model.notes, model.ownBatchSize) = (notes, fixedBatch ?? 1)
      return model
    }
    // What it computes says how many classes there are.
    func outputShape(_ network: ONNXNetwork) throws -> Shape {
      let (graph, _) = try model(network, classCount: 1).inferenceGraph(batchSize: fixedBatch ?? 2)
      return graph.type(graph.outputs[0].id).shape
    }
    let own = network([:])
    let output = try outputShape(own)
    let count = classes(of: output)
    let isPlane = output.rank == 4 && fields[0].type.shape.rank == 3
    let task: ModelTask =
      isPlane && output.dimensions[2...] == fields[0].type.shape.dimensions[1...]
      ? .segmentation : .classification
    guard let classCount, classCount != count else {
      return model(own, classCount: count, task: task)
    }
    guard let (replaced, layer) = file.replacingClasses(count, by: classCount) else {
      throw TernError(
        .badData,
        "\(path): has \(count) classes, and no last layer with weights that could be replaced for "
          + "\(classCount)")
    }
    notes.append(
      "\(path): layer '\(layer)' is replaced for \(classCount) classes in place of \(count), and starts anew"
    )
    let other = network(replaced)
    guard classes(of: try outputShape(other)) == classCount else {
      throw TernError(
        .badData, "\(path): does not have \(classCount) classes with another last layer")
    }
    return model(other, classCount: classCount, task: task)
  }

  private static func classes(of output: Shape) -> Int {
    output.rank >= 2 ? output[1] : 1
  }

  private static func sampleShape(
    _ info: ONNXValueInfo, path: String, given: Shape?
  ) throws -> Shape {
    guard let type = info.type else {
      throw TernError(.badData, "\(path): input '\(info.name)' is a \(info.kind), not a tensor")
    }
    guard type.byteCount != nil else {
      throw TernError(.badData, "\(path): input '\(info.name)' is of type \(type.name)")
    }
    guard let declared = info.shape, declared.count >= 2 else {
      if let given { return given }
      throw TernError(
        .badData,
        "\(path): input '\(info.name)' has no axis of the batch in front of a sample's; "
          + "its shape is \(text(info.shape))"
      )
    }
    let extents = declared.dropFirst().map { extent -> Int? in
      if case .fixed(let count) = extent, count > 0 { count } else { nil }
    }
    if let given {
      guard given.rank == extents.count,
        zip(given, extents).allSatisfy({ $1 == nil || $0 == $1 })
      else {
        throw TernError(
          .badData, "\(path): input '\(info.name)' is \(text(info.shape)), not \(given) a sample")
      }
      return given
    }
    let shape = Shape(extents.compactMap(\.self))
    guard shape.rank == extents.count, Shape([1] + shape.dimensions).isUsable else {
      throw TernError(
        .badData,
        "\(path): input '\(info.name)' is \(text(info.shape)): its shape has to be given"
      )
    }
    return shape
  }

  private static func text(_ shape: [ONNXValueInfo.Extent]?) -> String {
    guard let shape else { return "unknown" }
    let words = shape.map { extent in
      switch extent {
      case .fixed(let count): "\(count)"
      case .symbol(let name): name.isEmpty ? "?" : name
      }
    }
    return "[" + words.joined(separator: ", ") + "]"
  }

  /// The inputs of integers that name rows, of a table or of classes; a device holds them as int32.
  package static func indexInputs(of graph: ONNXGraph) -> Set<String> {
    var result: Set<String> = []
    for info in graph.inputs where info.type?.isInteger ?? false {
      var names: Set<String> = [info.name]
      for node in graph.nodes {
        switch node.operatorName {
        case "Gather", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss":
          if node.inputs.count > 1, names.contains(node.inputs[1]) { result.insert(info.name) }
        case "Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
          if let input = node.inputs.first, names.contains(input) { names.formUnion(node.outputs) }
        default: break
        }
      }
    }
    return result
  }
}

import TernCore
import TernData
import TernGraph
import TernNN

extension CaffeNetwork {
  /// What a net's first input is called in a model: Tern's own name where it is the only one.
  package static func firstInput(of path: String) throws -> String {
    let samples = try CaffeNet(contentsOf: path).inputs.filter { !$0.isLabel }
    return samples.count == 1 ? Field.samplesName : samples.first?.name ?? Field.samplesName
  }

  /// Reads a network.
  ///
  /// - Parameters:
  ///   - inputShape: one sample of the first input; where the file does not say it, it has to be given.
  ///   - classCount: the number of classes; another than the file's gives the last layer so many outputs.
  ///   - keepsSoftmax: whether a softmax at the end stays; a loss of classes has its own.
  /// - Throws: ``TernError`` with the line that is wrong.
  package static func model(
    contentsOf path: String, inputShape: Shape? = nil, classCount: Int? = nil,
    keepsSoftmax: Bool = false
  ) throws -> Model {
    let net = try CaffeNet(contentsOf: path)
    do {
      return try model(
        net, inputShape: inputShape, classCount: classCount, keepsSoftmax: keepsSoftmax)
    } catch let fault as PrototxtFault { throw fault.error(in: path) }
  }

  private static func model(
    _ net: CaffeNet, inputShape: Shape?, classCount: Int?, keepsSoftmax: Bool
  ) throws -> Model {
    var notes: [String] = []
    let outputs = try outputs(of: net, keepsSoftmax: keepsSoftmax, &notes)
    if let file = try missingMeanFile(of: net) {
      notes.append(
        "\(net.path): mean_file '\(file)' is not there; values are normalised as others are")
    }
    let (inputs, isOpen) = try inputs(of: net, outputs, first: inputShape)
    func model(_ counts: [String: Int], classCount: Int) -> Model {
      let network = CaffeNetwork(
        net: net, inputs: inputs, outputs: outputs, outputCounts: counts, isOpen: isOpen)
      var model = Model(
        name: net.path.pathStem, inputs: inputs.map(\.field), outputs: outputs.names,
        classCount: classCount, layers: Sequential([NamedLayer("caffe", network)]),
        task: outputs.hasOwnLosses
          ? .ownLosses(ofNumbers: outputs.takesNumbers) : .classification)
      model.notes = notes
      return model
    }
    guard !isOpen else {
      let last = try lastLayer(of: outputs.main, in: net)
      return model([:], classCount: try last.flatMap(CaffeLayers.outputCount) ?? 1)
    }
    let (graph, _) = try model([:], classCount: 1).inferenceGraph(batchSize: 2)
    let output = graph.type(graph.outputs[0].id).shape
    let count =
      outputs.takesNumbers ? output.elementCount / 2 : output.rank >= 2 ? output[1] : 1
    let own = model([:], classCount: count)
    try buildForTraining(own, outputs)
    guard !outputs.hasOwnLosses, let classCount, classCount != count else { return own }
    var counts: [String: Int] = [:]
    for blob in [outputs.main] + outputs.others.map(\.blob) {
      guard let layer = try lastLayer(of: blob, in: net)
      else {
        throw PrototxtFault(
          line: 1,
          text: "the net has \(count) classes, and no last layer that could have \(classCount)")
      }
      counts[layer.name] = classCount
      notes.append(
        "\(net.path): layer '\(layer.name)' has \(classCount) outputs in place of \(count)")
    }
    return model(counts, classCount: classCount)
  }

  /// Builds the net for training too, so that what is wrong with it is told now.
  private static func buildForTraining(_ model: Model, _ outputs: Outputs) throws {
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    if outputs.hasOwnLosses {
      let type =
        outputs.takesNumbers
        ? TensorType([2, model.classCount], .float32) : TensorType([2], .int32)
      context.labels = { try builder.input(Field.targetsName, type) }
    }
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
  }

  // MARK: Inputs

  /// The fields that the net's inputs come by: samples, and labels beside those that are the targets.
  ///
  /// - Returns: also whether the first waits for data that says how large it is.
  private static func inputs(
    of net: CaffeNet, _ outputs: Outputs, first given: Shape?
  ) throws -> ([(blob: String, field: Field)], isOpen: Bool) {
    let samples = net.inputs.filter { !$0.isLabel }
    guard !samples.isEmpty else {
      throw PrototxtFault(line: 1, text: "the net has no input and no layer of data")
    }
    let losses = outputs.hasOwnLosses ? try net.layers(in: .train).filter(\.isLoss) : []
    let labels = net.inputs.filter { label in
      label.isLabel && label.name != outputs.targets
        && losses.contains { $0.bottoms.contains(label.name) }
    }
    let isAlone = samples.count == 1 && labels.isEmpty
    var isOpen = false
    var inputs = try samples.enumerated().map { index, input in
      let name = isAlone ? Field.samplesName : input.name
      if index == 0, let given { return (blob: input.name, field: Field(name, given)) }
      // Other data may have other extents where there is one input.
      if let shape = try shape(of: input, in: net, looks: !isAlone) {
        return (input.name, Field(name, shape))
      }
      guard index == 0 else {
        throw PrototxtFault(
          line: input.layer?.line ?? 1,
          text: "the extents of '\(input.name)', of which the net has none, are in its data")
      }
      isOpen = true
      return (input.name, Field(name, [1]))
    }
    for label in labels {
      let field =
        isOpen
        ? Field(label.name, [], .int32) : try field(ofLabel: label.name, losses, net, inputs)
      inputs.append((label.name, field))
    }
    return (inputs, isOpen)
  }

  /// One sample of an input, where the file says how large it is.
  ///
  /// - Parameter looks: whether its data of HDF5 is asked, too.
  private static func shape(
    of input: CaffeInput, in net: CaffeNet, looks: Bool
  ) throws -> Shape? {
    if let batch = input.shape {
      guard batch.count >= 2, Shape([1] + batch.dropFirst()).isUsable else { return nil }
      return Shape(Array(batch.dropFirst()))
    }
    guard looks, let layer = input.layer, layer.type == "HDF5Data",
      let source = try layer.settings("hdf5_data_param").text("source")
    else { return nil }
    let place = CaffeSolver.located(source, beside: net.path)
    guard FileSystem.exists(place) else { return nil }
    let shape = Shape(try HDF5Sets.sample(input.name, at: place).shape)
    return Shape([1] + shape.dimensions).isUsable ? shape : nil
  }

  /// Labels beside the targets: a class's number for each sample, or numbers as many as are held against them.
  private static func field(
    ofLabel name: String, _ losses: [CaffeLayer], _ net: CaffeNet,
    _ inputs: [(blob: String, field: Field)]
  ) throws -> Field {
    let readers = losses.filter { $0.bottoms.contains(name) }
    guard readers.allSatisfy({ CaffeLosses.takesNumbers($0.type) }), let first = readers.first
    else {
      return Field(name, [], .int32)
    }
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let network = CaffeNetwork(
      net: net, inputs: inputs, outputs: Outputs(main: ""), outputCounts: [:], isOpen: false)
    let given = Dictionary(
      uniqueKeysWithValues: try inputs.map {
        ($0.blob, try builder.input($0.field.name, $0.field.batched(2)))
      })
    let blob = first.bottoms[0]
    let values = try network.blobs([blob], given, net.layers(in: .train), in: context)[blob]
    guard let values else {
      throw first.fault("bottom '\(blob)' is the top of no layer before it")
    }
    return Field(name, [values.shape.elementCount / 2])
  }

  // MARK: Outputs

  /// The layer with weights that a blob is the result of; `nil` where it is that of another.
  private static func lastLayer(of blob: String, in net: CaffeNet) throws -> CaffeLayer? {
    try net.layers(in: .train).last { $0.tops.contains(blob) }.flatMap {
      ["InnerProduct", "Convolution"].contains($0.type) ? $0 : nil
    }
  }

  /// What is trained, or where there is no loss what comes out at the end.
  static func outputs(
    of net: CaffeNet, keepsSoftmax: Bool, _ notes: inout [String]
  ) throws -> Outputs {
    let losses = try net.layers(in: .train).filter(\.isLoss)
    guard !losses.isEmpty else {
      return try outputsWithoutLoss(of: net, keepsSoftmax: keepsSoftmax, &notes)
    }
    let labels = net.inputs.filter(\.isLabel).map(\.name)
    // The last of those with the largest weight.
    let main = losses.enumerated().max { a, b in
      (a.element.lossWeight ?? 1, a.offset) < (b.element.lossWeight ?? 1, b.offset)
    }!
    guard let blob = main.element.bottoms.first else { throw main.element.fault("no bottom") }
    let isOfClasses =
      losses.allSatisfy { $0.type == "SoftmaxWithLoss" && $0.hasPlainLoss }
      && Set(losses.flatMap { $0.bottoms.dropFirst() }).count <= 1
      && main.element.lossWeight ?? 1 == 1
    guard isOfClasses else {
      for loss in losses where !CaffeLosses.names.contains(loss.type) {
        throw loss.fault(
          "a loss that is not trained here; known are \(CaffeLosses.names.joined(separator: ", "))")
      }
      // Those of the main loss, else the first that is asked for.
      let first = losses.first { $0.lossWeight ?? 1 == main.element.lossWeight ?? 1 }!
      let asked = (first.bottoms + losses.flatMap(\.bottoms)).first(where: labels.contains)
      let readers = losses.filter { loss in asked.map(loss.bottoms.contains) ?? false }
      let ofNumbers = readers.filter { CaffeLosses.takesNumbers($0.type) }
      // Classes have numbers of their own, by their order among the labels that there are.
      if let loss = ofNumbers.first, ofNumbers.count < readers.count {
        throw loss.fault("'\(asked!)' is read as numbers here, as classes by another loss")
      }
      return Outputs(
        main: first.bottoms.first ?? blob, hasOwnLosses: true, targets: asked,
        takesNumbers: !ofNumbers.isEmpty)
    }
    let others = try losses.enumerated().filter { $0.offset != main.offset }.map { _, loss in
      guard let blob = loss.bottoms.first else { throw loss.fault("no bottom") }
      return (blob: blob, weight: loss.lossWeight ?? 1)
    }
    return Outputs(
      main: blob, others: others.filter { $0.weight != 0 },
      targets: main.element.bottoms.dropFirst().first)
  }

  /// The blobs that nothing reads, the last of them first.
  private static func outputsWithoutLoss(
    of net: CaffeNet, keepsSoftmax: Bool, _ notes: inout [String]
  ) throws -> Outputs {
    let layers = try net.layers(in: .test).filter {
      !$0.isData && !["Input", "Accuracy", "Silence"].contains($0.type)
    }
    guard let last = layers.last, let top = last.tops.first else {
      throw PrototxtFault(line: 1, text: "the net computes nothing")
    }
    // A blob may be computed in its place, and be read by what does it.
    var ends: [String] = []
    for layer in layers {
      ends.removeAll(where: layer.bottoms.contains)
      ends += layer.tops.filter { !ends.contains($0) }
    }
    let further = ends.filter { $0 != top }
    if last.type == "Softmax", !keepsSoftmax, let bottom = last.bottoms.first {
      notes.append("\(net.path): the softmax at the end is left out; the loss has its own")
      return Outputs(main: bottom, further: further.filter { $0 != bottom })
    }
    return Outputs(main: top, further: further)
  }
}

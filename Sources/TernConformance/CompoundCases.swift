import Tern

/// Several steps of an optimizer on one parameter with given gradients.
package struct OptimizerCase {
  let testCase: ConformanceCase

  init(_ testCase: ConformanceCase) { self.testCase = testCase }

  /// One update of `parameter` by the input `gradient`, and the learning rate.
  func graph() throws -> (graph: Graph, learningRate: Float) {
    guard let start = testCase.inputs["parameter"] else {
      throw TernError(.badData, "\(testCase.name): input.parameter is missing")
    }
    return try Self.graph(testCase.operation, testCase.attributes, start.type)
  }

  /// One update by an operation `optimizer.NAME` of a parameter of a type.
  package static func graph(
    _ operation: String, _ attributes: [String: AttributeValue], _ type: TensorType
  ) throws -> (graph: Graph, learningRate: Float) {
    let name = String(operation.dropFirst("optimizer.".count))
    var attributes = Attributes(name, attributes)
    let rate = Float(try attributes.double("lr"))
    let optimizer = try Optimizer(name, &attributes)
    try attributes.finish()
    let builder = GraphBuilder()
    let parameter = try builder.variable("parameter", type)
    let gradient = try builder.input("gradient", type)
    try optimizer.update(
      [(parameter, gradient)], in: builder,
      learningRate: builder.input(Optimizer.learningRateInput, []),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    return (builder.graph, rate)
  }

  func execute(by runner: CaseRunner) throws -> [String: HostTensor] {
    let (graph, rate) = try graph()
    let (session, executable) = try runner.compile(graph)
    try session.write(["parameter": testCase.inputs["parameter"]!])

    var results: [String: HostTensor] = [:]
    var step = 0
    while let gradient = testCase.inputs["gradient.\(step)"] {
      _ = try executable.run([
        "gradient": gradient, Optimizer.learningRateInput: HostTensor([], [rate]),
        Optimizer.stepInput: HostTensor([], [Int32(step + 1)]),
      ])
      results["output.parameter.\(step)"] = try session.read("parameter")
      step += 1
    }
    return results
  }
}

/// Several training steps of a network from the zoo on given batches.
struct TrainingCase {
  let testCase: ConformanceCase

  init(_ testCase: ConformanceCase) { self.testCase = testCase }

  func execute(by runner: CaseRunner) throws -> [String: HostTensor] {
    var attributes = Attributes("train", testCase.attributes)
    let loss = try attributes.string("loss")
    let settings = try attributes.map("optimizer")
    var optimizerAttributes = Attributes("optimizer", settings)
    let optimizerName = try optimizerAttributes.string("name")
    let rate = Float(try optimizerAttributes.double("lr"))
    let optimizer = try Optimizer(optimizerName, &optimizerAttributes)
    try optimizerAttributes.finish()
    let steps = try attributes.int("steps")
    let modelName = try attributes.string("model")
    try attributes.finish()
    guard let batch = testCase.inputs["batch.0"], let target = testCase.inputs["target.0"] else {
      throw TernError(.badData, "\(testCase.name): input.batch.0 or input.target.0 is missing")
    }
    guard steps >= 1 else {
      throw TernError(.badData, "\(testCase.name): 'steps' is \(steps), expected at least 1")
    }
    try testCase.checkSamples("batch.0", batch)
    let model = try ZooEntry.named(modelName).model(
      inputShape: Shape(Array(batch.shape.dimensions.dropFirst())))
    let graph = try TrainingGraph(
      model: model, batchSize: batch.shape[0], update: .init(optimizer), seed: 0,
      loss: LossFunction(loss), targetType: target.type)
    let (session, executable) = try runner.compile(graph.graph)
    try session.write(
      Dictionary(
        uniqueKeysWithValues: testCase.inputs.compactMap { name, value in
          name.hasPrefix("parameter.") ? (String(name.dropFirst("parameter.".count)), value) : nil
        }))

    var results: [String: HostTensor] = [:]
    for step in 0..<steps {
      guard let batch = testCase.inputs["batch.\(step)"],
        let target = testCase.inputs["target.\(step)"]
      else { throw TernError(.badData, "\(testCase.name): input.batch.\(step) is missing") }
      let outputs = try executable.run([
        Field.samplesName: batch, Field.targetsName: target,
        Optimizer.learningRateInput: HostTensor([], [rate]),
        Optimizer.stepInput: HostTensor([], [Int32(step + 1)]),
      ])
      results["output.loss.\(step)"] = outputs[TrainingGraph.lossOutput]
    }
    for name in testCase.outputs.keys where name.hasPrefix("parameter.") {
      results["output.\(name)"] = try session.read(String(name.dropFirst("parameter.".count)))
    }
    return results
  }
}

/// A network from the zoo in evaluation mode.
struct ModelCase {
  let testCase: ConformanceCase

  init(_ testCase: ConformanceCase) { self.testCase = testCase }

  func execute(by runner: CaseRunner) throws -> [String: HostTensor] {
    var attributes = Attributes("model", testCase.attributes)
    let name = try attributes.string("model")
    let classes = try attributes.has("num_classes") ? attributes.int("num_classes") : nil
    try attributes.finish()
    guard let images = testCase.inputs["input"] else {
      throw TernError(.badData, "\(testCase.name): input.input is missing")
    }
    try testCase.checkSamples("input", images)
    let model = try ZooEntry.named(name).model(
      inputShape: Shape(Array(images.shape.dimensions.dropFirst())), classCount: classes)
    let (graph, context) = try model.inferenceGraph(batchSize: images.shape[0])
    let (session, executable) = try runner.compile(graph)
    for parameter in context.parameters {
      guard let value = testCase.inputs["parameter.\(parameter.name)"] else {
        throw TernError(.badData, "\(testCase.name): parameter \(parameter.name) is missing")
      }
      try session.write([parameter.name: value])
    }
    return ["output.logits": try executable.run(["images": images])["logits"]!]
  }
}

extension ConformanceCase {
  /// Throws unless a tensor is samples, [N, …], that a network can read.
  fileprivate func checkSamples(_ input: String, _ samples: HostTensor) throws {
    guard samples.shape.rank >= 2, samples.shape.isUsable else {
      throw TernError(
        .badData, "\(name): input.\(input): expected samples [N, …], got \(samples.shape)")
    }
  }
}

import ArgumentParser
import Foundation
import Tern

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a trained network takes samples for.",
    discussion: """
      Examples:
        tern predict runs/lenet5-1 --index 0 --index 17
        tern predict runs/lenet5-1 --data idx:DIR --index 3 --top 3 --json
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String

  @Option(help: "The data whose test set --index counts in. (default: the run's)")
  var data: String?
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("A sample of the test set, counted from 0; repeatable.", valueName: "N"))
  var index: [Int] = []
  @Option(help: "How many classes are shown per sample.")
  var top = 5
  @OptionGroup var device: DeviceArguments
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"
  @Flag(help: "Print a JSON object per sample.")
  var json = false

  func run() throws {
    guard top >= 1 else { throw TernError(.usage, "top: expected at least 1, got \(top)") }
    guard !index.isEmpty else {
      throw TernError(.usage, "predict what? give --index N, a sample of the test set")
    }
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint,
      overrides: data.map { ["data": .string($0)] } ?? [:], verb: "predict")
    let data = try TrainingData(weights.configuration, description: weights.file.metadata)
    let set = data.test
    if let wrong = index.first(where: { $0 < 0 || $0 >= set.count }) {
      throw TernError(.usage, "index: expected 0 to \(set.count - 1), got \(wrong)")
    }
    let network = try Model.named(
      weights.configuration.model, inputShape: set.sampleShape, classCount: set.classCount)
    guard [.classification, .beliefNetwork].contains(network.task) else {
      throw TernError(.usage, "predict: \(network.name) does not classify whole samples")
    }
    let session = Session(device: try device.open())
    let predictor = try Predictor(session: session, model: network, batchSize: index.count)
    try weights.load(into: session)
    let samples = Subset(set, index.map(Int32.init))
    let predictions = try predictor.predict(samples, normalization: data.normalization)
    for (number, probabilities) in zip(index, predictions) {
      show("\(number)", probabilities, set.classNames, label: Int(set.label(number)))
    }
  }

  private func show(
    _ sample: String, _ probabilities: [Double], _ classNames: [String], label: Int?
  ) {
    func name(_ index: Int) -> String {
      index < classNames.count ? classNames[index] : "\(index)"
    }
    let best = probabilities.indices.sorted {
      (-probabilities[$0], $0) < (-probabilities[$1], $1)
    }.prefix(top)
    if json {
      Output.result(
        JSON.object([
          "sample": .string(sample), "label": label.map { .string(name($0)) } ?? .null,
          "predictions": .array(
            best.map {
              .object([
                "class": .int($0), "name": .string(name($0)),
                "probability": .double(probabilities[$0]),
              ])
            }),
        ]).description)
      return
    }
    let classes = best.map { "\(name($0)) \(Format.fixed(probabilities[$0], 4))" }
    let truth = label.map { " (is \(name($0)))" } ?? ""
    Output.result("\(sample)\(truth): \(classes.joined(separator: ", "))")
  }
}

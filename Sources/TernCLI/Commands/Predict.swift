import ArgumentParser
import Foundation
import Tern

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a trained network takes pictures for.",
    discussion: """
      Pictures are PNG or JPEG files, or folders of such; they are resized and normalised as the run's data was. One that
      cannot be read is reported, the others are answered, and the exit code tells of it.

      Examples:
        tern predict runs/resnet18-1 cat.jpg dog.png --top 3
        tern predict runs/lenet5-1 --index 0 --index 17
        tern predict runs/lenet5-1 --data idx:DIR --index 3 --top 3 --json
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String

  @Argument(help: ArgumentHelp("Picture files (PNG, JPEG) or folders of them.", valueName: "IMAGE"))
  var images: [String] = []

  @Option(help: "The data whose test set --index counts in. (default: the run's)")
  var data: String?
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "A sample of the test set, counted from 0, instead of pictures; repeatable.", valueName: "N"))
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
    guard images.isEmpty != index.isEmpty else {
      throw TernError(
        .usage,
        images.isEmpty
          ? "predict what? give picture files, or --index N, a sample of the test set"
          : "give picture files or --index, not both")
    }
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint,
      overrides: data.map { ["data": .string($0)] } ?? [:], verb: "predict")
    if images.isEmpty {
      try predictSamples(weights)
    } else {
      try predictPictures(weights)
    }
  }

  private func predictSamples(_ weights: RunWeights) throws {
    let data = try TrainingData(weights.configuration, description: weights.file.metadata)
    let set = data.test
    if let wrong = index.first(where: { $0 < 0 || $0 >= set.count }) {
      throw TernError(.usage, "index: expected 0 to \(set.count - 1), got \(wrong)")
    }
    let predictor = try predictor(
      weights, shape: set.sampleShape, classCount: set.classCount, batchSize: index.count)
    let samples = Subset(set, index.map(Int32.init))
    let predictions = try predictor.predict(samples, normalization: data.normalization)
    for (number, probabilities) in zip(index, predictions) {
      show("\(number)", probabilities, set.classNames, label: Int(set.label(number)))
    }
  }

  /// Pictures decoded before any is answered.
  private static let batchSize = 16

  private func predictPictures(_ weights: RunWeights) throws {
    guard data == nil else {
      throw TernError(.usage, "data: picture files need none; it is for --index")
    }
    // The data itself is asked only where the weights do not say what they were trained on.
    let metadata = weights.file.metadata
    let description =
      try SampleDescription(metadata)
      ?? TrainingData(weights.configuration, description: metadata).sampleDescription
    let frame = try DataSource.frame(weights.configuration.data, sampleShape: description.shape)
    // A picture that cannot be read is said, and does not keep the others from being answered.
    var failure: TernError?
    func attempt(_ read: () throws -> Void) throws {
      do { try read() } catch let error as TernError {
        Output.error(error.message)
        failure = failure ?? error
      }
    }
    var paths: [String] = []
    for image in images { try attempt { paths += try PictureFolder.expanded(image) } }
    let batchSize = max(min(paths.count, Self.batchSize), 1)
    let predictor = try predictor(
      weights, shape: description.shape, classCount: description.classNames.count,
      batchSize: batchSize)
    for start in stride(from: 0, to: paths.count, by: batchSize) {
      var (names, values) = ([String](), [Float]())
      for path in paths[start..<min(start + batchSize, paths.count)] {
        try attempt {
          values += try frame.values(ofFile: path)
          names.append(path)
        }
      }
      guard !names.isEmpty else { continue }
      let samples = ValueDataset(
        values: values, labels: [Int32](repeating: 0, count: names.count),
        sampleShape: description.shape, classNames: description.classNames)
      let predictions = try predictor.predict(samples, normalization: description.normalization)
      for (name, probabilities) in zip(names, predictions) {
        show(name, probabilities, description.classNames, label: nil)
      }
    }
    if let failure { throw ExitCode(failure.kind.exitCode) }
  }

  private func predictor(
    _ weights: RunWeights, shape: Shape, classCount: Int, batchSize: Int
  ) throws -> Predictor {
    let network = try Model.named(
      weights.configuration.model, inputShape: shape, classCount: classCount)
    guard [.classification, .perceptron, .beliefNetwork].contains(network.task) else {
      throw TernError(.usage, "predict: \(network.name) does not classify whole samples")
    }
    let session = Session(device: try device.open())
    let predictor = try Predictor(session: session, model: network, batchSize: batchSize)
    try weights.load(into: session)
    return predictor
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

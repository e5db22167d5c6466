import ArgumentParser
import Foundation
import Tern

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a trained network takes pictures for.",
    discussion: """
      Pictures are PNG or JPEG files, or folders of them; they are resized and normalised as the run's
      data was. One that cannot be read is reported, the others are answered, and the exit code tells
      of it.

      A network that gives a class per pixel tells the part of the pixels each class has; --masks
      writes the classes as PNG files of the pictures' extents, with a colour per class.

      Examples:
        tern predict runs/resnet18-1 cat.jpg dog.png --top 3
        tern predict runs/lenet5-1 --index 0 --index 17
        tern predict runs/lenet5-1 --data idx:DIR --index 3 --top 3 --json
        tern predict runs/unet-1 street.jpg --masks out
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
  @Option(
    help: ArgumentHelp(
      "Where a network that gives a class per pixel writes its masks. (default: nowhere)",
      valueName: "DIR"))
  var masks: String?
  @Option(
    help: """
      What becomes of pictures that cannot be read: stop ends at the first, skip leaves them out, and \
      the exit code is 0. (default: the others are answered, and the exit code tells)
      """)
  var onError: ItemErrorPolicy?
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
    var overrides: [String: AttributeValue] = [:]
    if let data { overrides["data"] = .string(data) }
    if let onError { overrides["on_error"] = .string(onError.rawValue) }
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint, overrides: overrides,
      verb: "predict")
    if images.isEmpty {
      try predictSamples(weights)
    } else {
      try predictPictures(weights)
    }
  }

  private func predictSamples(_ weights: RunWeights) throws {
    let data = try weights.testData(self.data)
    if self.data != nil || weights.configuration.onError == .skip {
      data.notes.forEach(Output.progress)
    }
    let set = data.test
    if let wrong = index.first(where: { $0 < 0 || $0 >= set.count }) {
      throw TernError(.usage, "index: expected 0 to \(set.count - 1), got \(wrong)")
    }
    let network = try network(
      weights, shape: set.sampleShape, classCount: set.classCount,
      vocabularyCount: set.vocabularyCount)
    let predictor = try predictor(weights, network, count: index.count)
    try checkMaskNames(index.map(String.init))
    for part in parts(index, of: network) {
      let samples = Subset(set, part.map(Int32.init))
      if network.task == .segmentation {
        let found = try predictor.predictMasks(samples, normalization: data.normalization)
        for (number, mask) in zip(part, found) { try show("\(number)", mask, set.classNames) }
      } else if network.task == .association {
        let found = try predictor.outputs(samples, normalization: data.normalization)
        for (number, outputs) in zip(part, found) { show("\(number)", units: outputs) }
      } else if set.hasNumericTargets {
        let found = try predictor.outputs(samples, normalization: data.normalization)
        for (number, outputs) in zip(part, found) {
          show(
            "\(number)", network, outputs, set.classNames, data.targetScale,
            truth: try set.numbers(number))
        }
      } else {
        let found = try predictor.predict(samples, normalization: data.normalization)
        for (number, probabilities) in zip(part, found) {
          show("\(number)", probabilities, set.classNames, label: Int(set.label(number)))
        }
      }
    }
  }

  /// Samples decoded before any is answered.
  private static let batchSize = 16

  /// Scores of every pixel take much memory: such samples are answered one by one.
  private func batchSize(_ network: Model) -> Int {
    network.task == .segmentation ? 1 : Self.batchSize
  }

  private func parts<T>(_ samples: [T], of network: Model) -> [ArraySlice<T>] {
    let size = batchSize(network)
    return stride(from: 0, to: samples.count, by: size).map {
      samples[$0..<min($0 + size, samples.count)]
    }
  }

  private func predictPictures(_ weights: RunWeights) throws {
    guard data == nil else {
      throw TernError(.usage, "data: picture files need none; it is for --index")
    }
    // The data itself is asked only where the weights do not say what they were trained on.
    let metadata = weights.file.metadata
    let description =
      try SampleDescription(metadata)
      ?? TrainingData(weights.configuration, description: metadata).sampleDescription
    let network = try network(
      weights, shape: description.shape, classCount: description.classNames.count)
    let isPerPixel = network.task == .segmentation
    let frame = try DataSource.frame(
      weights.configuration.data, sampleShape: description.shape,
      pictures: weights.configuration.pictureOptions(for: network), isPerPixel: isPerPixel)
    // A picture that cannot be read is said, and does not keep the others from being answered.
    var (failure, failureCount, answerCount) = (TernError?.none, 0, 0)
    func attempt(_ read: () throws -> Void) throws {
      do { try read() } catch let error as TernError where onError != .stop {
        if onError == .skip {
          Output.progress("skipped: \(error.message)")
        } else {
          Output.error(error.message)
        }
        failure = failure ?? error
        failureCount += 1
      }
    }
    var paths: [String] = []
    for image in images { try attempt { paths += try PictureFolder.expanded(image) } }
    try checkMaskNames(paths)
    let predictor = try predictor(weights, network, count: max(paths.count, 1))
    for part in parts(paths, of: network) {
      var (names, values) = ([String](), [Float]())
      for path in part {
        try attempt {
          values += try frame.values(ofFile: path)
          names.append(path)
        }
      }
      guard !names.isEmpty else { continue }
      answerCount += names.count
      let samples = ValueDataset(
        values: values, labels: [Int32](repeating: 0, count: names.count),
        sampleShape: description.shape, classNames: description.classNames)
      if isPerPixel {
        let found = try predictor.predictMasks(samples, normalization: description.normalization)
        for (name, mask) in zip(names, found) {
          let size = try Picture.size(ofFile: name)
          let full = mask.resized(width: size.width, height: size.height)
          try show(name, full, description.classNames)
        }
      } else if network.task == .association {
        let found = try predictor.outputs(samples, normalization: description.normalization)
        for (name, outputs) in zip(names, found) { show(name, units: outputs) }
      } else if [.regression, .multilabel, .pairAssociation, .ownLosses(ofNumbers: true)]
        .contains(network.task)
      {
        let found = try predictor.outputs(samples, normalization: description.normalization)
        for (name, outputs) in zip(names, found) {
          show(name, network, outputs, description.classNames, description.targetScale, truth: nil)
        }
      } else {
        let found = try predictor.predict(samples, normalization: description.normalization)
        for (name, probabilities) in zip(names, found) {
          show(name, probabilities, description.classNames, label: nil)
        }
      }
    }
    guard let failure else { return }
    guard onError == .skip, answerCount > 0 else {
      throw ExitCode(failure.kind.exitCode)
    }
    Output.progress("skipped \(failureCount), which cannot be read; answered \(answerCount)")
  }

  private func network(
    _ weights: RunWeights, shape: Shape, classCount: Int, vocabularyCount: Int? = nil
  ) throws -> Model {
    let network = try weights.configuration.network(
      sampleShape: shape, targetCount: classCount, vocabularyCount: vocabularyCount)
    switch network.task {
    case .classification, .perceptron, .hebbian, .adaline, .beliefNetwork, .regression,
      .multilabel, .association, .pairAssociation, .ownLosses(ofNumbers: true):
      guard masks == nil else {
        throw TernError(.usage, "masks: \(network.name) gives a class per sample, not per pixel")
      }
    case .segmentation: break
    default:
      throw TernError(.usage, "predict: \(network.name) classifies neither samples nor pixels")
    }
    return network
  }

  private func predictor(_ weights: RunWeights, _ network: Model, count: Int) throws -> Predictor {
    let session = Session(device: try device.open(for: network))
    let predictor = try Predictor(
      session: session, model: network, batchSize: min(count, batchSize(network)))
    try weights.load(into: session)
    return predictor
  }

  /// Shows what a memory recalls: + for a unit that is on, - for one that is off.
  private func show(_ sample: String, units: [Float]) {
    if json {
      Output.result(
        JSON.object([
          "sample": .string(sample), "recalled": .array(units.map { .int(Int($0)) }),
        ]))
    } else {
      Output.result("\(sample): \(String(units.map { $0 > 0 ? "+" : "-" }))".visible)
    }
  }

  /// Shows numbers that are predicted in the units of the data, each with its deviation where the network
  /// gives one, or the probabilities of labels.
  private func show(
    _ sample: String, _ network: Model, _ outputs: [Float], _ names: [String],
    _ scale: TargetScale?, truth: [Float]?
  ) {
    let isNumbers = network.task != .multilabel
    let values = names.indices.map { column in
      isNumbers
        ? scale?.original(outputs[column], column: column) ?? Double(outputs[column])
        : 1 / (1 + exp(-Double(outputs[column])))
    }
    // The second half is the logarithm of each variance.
    let deviations: [Double]? =
      isNumbers && outputs.count == 2 * names.count
      ? names.indices.map { column in
        exp(Double(outputs[names.count + column]) / 2) * (scale?.deviations[column] ?? 1)
      } : nil
    if json {
      Output.result(
        JSON.object([
          "sample": .string(sample),
          "truth": truth.map { .array($0.map { .double(Double($0)) }) } ?? .null,
          "predictions": .array(
            names.indices.map { column in
              JSON.object([
                "name": .string(names[column]),
                (isNumbers ? "value" : "probability"): .double(values[column]),
              ]).adding(deviations.map { ["deviation": $0[column]] } ?? [:])
            }),
        ]))
      return
    }
    let texts = names.indices.map { column in
      "\(names[column]) \(Format.fixed(values[column], 4))"
        + (deviations.map { " ± \(Format.fixed($0[column], 4))" } ?? "")
    }
    let told = truth.map { " (is \($0.map { "\($0)" }.joined(separator: ", ")))" } ?? ""
    Output.result("\(sample)\(told): \(texts.joined(separator: ", "))".visible)
  }

  private func show(
    _ sample: String, _ probabilities: [Double], _ classNames: [String], label: Int?
  ) {
    func name(_ index: Int) -> String {
      index < classNames.count ? classNames[index] : "\(index)"
    }
    let best = probabilities.indicesFromLargest.prefix(top)
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
        ]))
      return
    }
    let classes = best.map { "\(name($0)) \(Format.fixed(probabilities[$0], 4))" }
    let truth = label.map { " (is \(name($0)))" } ?? ""
    Output.result("\(sample)\(truth): \(classes.joined(separator: ", "))".visible)
  }
}

import ArgumentParser
import Foundation
import Tern

struct Test: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a trained network on a whole test set.",
    discussion: """
      Of other data than the run's, the test set is measured; where there is none, the validation set;
      where there is neither, all of it. Its classes and columns are found by their names: what the run
      does not know is an error. Pictures of images:DIR become grey or coloured as the network takes
      them.

      Examples:
        tern test runs/lenet5-1
        tern test runs/resnet18-1 --data images:DIR
        tern test --model lenet5 --weights lenet5.safetensors --data fashion-mnist
        tern test --model mcculloch-pitts        # has nothing to learn: its truth table
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String?

  @Option(help: "A model's name or a model file, instead of a run.")
  var model: String?
  @Option(help: ArgumentHelp("The model's weights.", valueName: "FILE.safetensors"))
  var weights: String?
  @Option(help: "The data. (default: the run's)")
  var data: String?
  @Option(help: "Normalisation of the input. (default: the weights' own)")
  var normalize: String?
  @Option(help: "Samples per step. (default: the run's, else 64)")
  var batchSize: Int?
  @OptionGroup var device: DeviceArguments
  @Option(
    help: """
      What becomes of pictures that cannot be read: stop, or skip, which names, counts and leaves them \
      out. (default: the run's, else stop)
      """)
  var onError: ItemErrorPolicy?
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    var overrides: [String: AttributeValue] = [:]
    if let data { overrides["data"] = .string(data) }
    if let normalize { overrides["normalize"] = .string(normalize) }
    if let batchSize { overrides["batch_size"] = .int(batchSize) }
    if let onError { overrides["on_error"] = .string(onError.rawValue) }
    if runPath == nil, weights == nil, data == nil, let model {
      let network = try Model.named(model)
      if network.task == .logic { return try showTruthTable(of: network) }
    }
    guard runPath != nil || model == nil || data != nil else {
      throw TernError(.usage, "which data? give --data, such as fashion-mnist")
    }
    let weights = try RunWeights(
      run: runPath, model: model, weights: weights, checkpoint: checkpoint, overrides: overrides,
      verb: "test")
    let configuration = weights.configuration
    let data = try weights.testData(self.data, normalize: normalize ?? "auto")
    let network = try configuration.network(for: data.test)
    try data.check(network)
    let session = Session(device: try device.open(for: network))
    let evaluator = try Evaluator(
      session: session, model: network, batchSize: configuration.batchSize,
      sampleCount: data.test.count, objective: try configuration.objective(of: network),
      targetScale: data.targetScale, seed: configuration.seed)
    try weights.load(into: session)
    let loader = data.evaluationLoader(
      data.test, batchSize: evaluator.batchSize, workers: configuration.workers)
    defer { loader.cancel() }
    let result = try evaluator.evaluate(loader)
    if self.data != nil || configuration.onError == .skip { data.notes.forEach(Output.progress) }
    if let metrics = result.classification {
      if json {
        Output.result(metrics.json)
      } else {
        Output.result(metrics.text(classNames: data.test.classNames))
      }
    } else if let metrics = result.outputs as? MultilabelMetrics {
      let names = data.test.classNames
      Output.result(
        json
          ? metrics.json(loss: result.loss, names)
          : "\(result.text)\n\n\(metrics.text(names))")
    } else if json {
      Output.result(result.json)
    } else {
      Output.result(result.text)
    }
  }
}

extension Test {
  /// What neurons with fixed weights give for every state of their inputs.
  private func showTruthTable(of network: Model) throws {
    let truth = try TruthTable(of: network, on: device.open(for: network))
    func number(_ value: Float) -> String { "\(Int(value))" }
    guard json else {
      var table = Table(truth.inputNames + truth.outputNames.map { $0.uppercased() })
      for row in truth.rows { table.append((row.inputs + row.outputs).map(number)) }
      return Output.result(table.text)
    }
    func object(_ names: [String], _ values: [Float]) -> JSON {
      .object(zip(names, values).map { JSON.Member(name: $0, value: .int(Int($1))) })
    }
    Output.result(
      JSON.object([
        "truth_table": .array(
          truth.rows.map {
            .object([
              "inputs": object(truth.inputNames, $0.inputs),
              "outputs": object(truth.outputNames, $0.outputs),
            ])
          })
      ]))
  }
}

/// What is measured of a network that does not classify.
extension EvaluationResult {
  var json: JSON {
    JSON.object(["samples": .int(sampleCount)]).adding(means)
  }

  var text: String {
    "samples \(Format.count(sampleCount))"
      + (accuracy.isNaN ? "" : "  accuracy \(Format.fixed(accuracy, 4))")
      + means.sorted { $0.key < $1.key }.map { "  \($0.key) \(Format.fixed($0.value, 4))" }.joined()
  }
}

extension MultilabelMetrics {
  func json(loss: Double, _ names: [String]) -> String {
    JSON.object([
      "loss": .double(loss), "accuracy": .double(accuracy), "exact_match": .double(exactMatch),
      "f1": .double(f1), "auc": auc.map(JSON.double) ?? .null, "samples": .int(sampleCount),
      "per_label": .array(
        zip(names, perLabel).map { name, score in
          .object([
            "name": .string(name), "precision": .double(score.precision),
            "recall": .double(score.recall), "f1": .double(score.f1),
            "support": .int(score.support), "auc": score.auc.map(JSON.double) ?? .null,
          ])
        }),
    ]).description
  }

  func text(_ names: [String]) -> String {
    var table = Table(
      ["LABEL", "PRECISION", "RECALL", "F1", "ROC AUC", "SAMPLES"], numeric: [1, 2, 3, 4, 5])
    for (name, score) in zip(names, perLabel) {
      table.append([
        name, Format.fixed(score.precision, 4), Format.fixed(score.recall, 4),
        Format.fixed(score.f1, 4), score.auc.map { Format.fixed($0, 4) } ?? "–",
        "\(score.support)",
      ])
    }
    return table.text
  }
}

extension ClassificationMetrics {
  var json: JSON {
    JSON.object([
      "loss": .double(loss), "accuracy": .double(accuracy), "top5": .double(top5),
      "samples": .int(sampleCount),
      "confusion": matrixJSON,
      "per_class": .array(
        perClass.map {
          .object([
            "precision": .double($0.precision), "recall": .double($0.recall),
            "f1": .double($0.f1), "support": .int($0.support),
          ])
        }),
      "auc": auc.map(JSON.double) ?? .null,
    ]).adding(isPerPixel ? ["mean_iou": meanIntersectionOverUnion] : [:])
  }

  /// A row per class; of very many classes the pairs that occur: class, prediction, count.
  private var matrixJSON: JSON {
    guard classCount > ConfusionMatrix.largestDense else {
      return .array(confusion.map { .array($0.map(JSON.int)) })
    }
    return .object([
      "classes": .int(classCount),
      "pairs": .array(
        matrix.counts.map { .array([$0.label, $0.prediction, $0.count].map(JSON.int)) }),
    ])
  }

  /// Why there is no area under the curve.
  private func absence(_ classNames: [String]) -> String {
    guard let absent = perClass.firstIndex(where: { $0.support == 0 }) else {
      return "– (a score is not a number)"
    }
    return
      "– (no sample of \(absent < classNames.count ? classNames[absent].visible : "\(absent)"))"
  }

  func text(classNames: [String]) -> String {
    var lines = [
      "samples \(Format.count(sampleCount))  loss \(Format.fixed(loss, 4))  "
        + "accuracy \(Format.fixed(accuracy, 4))"
        // Of five classes or fewer, the right one is always among the best five.
        + (classCount > 5 ? "  top-5 \(Format.fixed(top5, 4))" : "")
        + (isPerPixel ? "  mean IoU \(Format.fixed(meanIntersectionOverUnion, 4))" : "")
        + (isPerPixel ? "" : "  ROC AUC \(auc.map { Format.fixed($0, 4) } ?? absence(classNames))"),
      "",
    ]
    var scores = Table(
      ["CLASS", "PRECISION", "RECALL", "F1", isPerPixel ? "PIXELS" : "SAMPLES"],
      numeric: [1, 2, 3, 4])
    for (index, score) in perClass.enumerated() {
      scores.append([
        index < classNames.count ? classNames[index] : "\(index)",
        Format.fixed(score.precision, 4), Format.fixed(score.recall, 4),
        Format.fixed(score.f1, 4), "\(score.support)",
      ])
    }
    lines.append(scores.text)
    // Wider than a terminal, a confusion matrix says nothing; --json always has it.
    if classCount <= 20 {
      var matrix = Table(
        ["TRUE \\ TAKEN FOR"] + (0..<classCount).map(String.init),
        numeric: Set(1...classCount))
      for (index, row) in confusion.enumerated() {
        let name = index < classNames.count ? classNames[index] : "\(index)"
        matrix.append([name == "\(index)" ? name : "\(index) \(name)"] + row.map(String.init))
      }
      lines += ["", matrix.text]
    }
    return lines.joined(separator: "\n")
  }
}

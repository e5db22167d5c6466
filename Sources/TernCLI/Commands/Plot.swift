import ArgumentParser
import Foundation
import Tern

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw the loss and the accuracy of runs.",
    discussion: """
      Several runs are named by the settings in which they differ. Of a sweep's folder all runs are \
      drawn. --fit draws what one network makes of its one feature instead, with the deviation where it \
      gives one, and the samples of the test set.

      Examples:
        tern plot runs/lenet5-1 runs/lenet5-2 --out curves.svg
        tern plot runs/lr-sweep --out sweep.svg
        tern plot runs/curve --fit --out fit.svg
      """)

  @Argument(help: ArgumentHelp("The folders of training runs, or of sweeps.", valueName: "RUN"))
  var runs: [String]

  @Option(help: "The picture to write. (default: curves.svg, or fit.svg, in the first run)")
  var out: String?
  @Flag(help: "Draw what a network of one feature predicts over it.")
  var fit = false
  @OptionGroup var device: DeviceArguments

  func run() throws {
    guard let first = runs.first else { throw TernError(.usage, "plot which run?") }
    if fit {
      guard runs.count == 1 else {
        throw TernError(.usage, "fit: is of one run, got \(runs.count)")
      }
      let path = out ?? first.appendingPath("fit.svg")
      try AtomicFile.write(Data(fitPlot(first).svg.utf8), to: path)
      Output.result(path.visible)
      return
    }
    let plot = try CurvePlot(directories: runs)
    guard plot.runs.contains(where: { !$0.history.isEmpty }) else {
      throw TernError(.badData, "\(first): no epoch is done yet")
    }
    let path = out ?? first.appendingPath("curves.svg")
    try AtomicFile.write(Data(plot.svg.utf8), to: path)
    Output.result(path.visible)
  }

  /// Samples that are drawn at most; of more, evenly chosen ones.
  private static let sampleLimit = 2000
  /// The places at which the network is asked.
  private static let placeCount = 200

  private func fitPlot(_ path: String) throws -> FitPlot {
    let weights = try RunWeights(
      run: path, model: nil, weights: nil, checkpoint: "last", verb: "plot")
    let data = try weights.testData(nil)
    let set = data.test
    guard set.sampleShape == [1], set.hasNumericTargets, set.classCount == 1 else {
      throw TernError(
        .usage,
        "fit: is for one number predicted from one feature; \(path) reads \(set.sampleShape)"
          + (set.hasNumericTargets ? " and predicts \(set.classCount)" : " and tells classes"))
    }
    let step = max(1, set.count / Self.sampleLimit)
    let samples = try stride(from: 0, to: set.count, by: step).map { index in
      (x: Double(try set.values(index)[0]), y: Double(try set.numbers(index)[0]))
    }
    let xs = samples.map(\.x)
    let (low, high) = (xs.min() ?? 0, xs.max() ?? 1)
    let places = (0..<Self.placeCount).map {
      Float(low + (high - low) * Double($0) / Double(Self.placeCount - 1))
    }
    let network = try weights.configuration.network(for: set)
    let session = Session(device: try device.open(for: network))
    let predictor = try Predictor(session: session, model: network, batchSize: places.count)
    try weights.load(into: session)
    let grid = ValueDataset(
      values: places, numbers: places.map { _ in 0 }, sampleShape: [1],
      targetNames: set.classNames)
    let outputs = try predictor.outputs(grid, normalization: data.normalization)
    let scale = data.targetScale ?? .identity(1)
    return FitPlot(
      title: set.classNames[0], feature: data.columns?.features.first ?? "x", samples: samples,
      places: zip(places, outputs).map { x, output in
        FitPlot.Place(
          x: Double(x), mean: scale.original(output[0], column: 0),
          deviation: output.count == 2
            ? exp(Double(output[1]) / 2) * scale.deviations[0] : nil)
      })
  }
}

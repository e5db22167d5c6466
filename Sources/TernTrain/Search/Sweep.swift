import Foundation
import TernCore
import TernData
import TernNN
import TernRuntime

/// Many runs that differ in some settings, to find the best: a grid, random points, or a Bayesian
/// search, by densities (`bayesian`) or by a Gaussian process. Each run has a folder of its own, and a
/// sweep that was interrupted goes on.
///
/// ```yaml
/// method: bayesian          # grid, random, bayesian, gaussian-process
/// trials: 20                # not for a grid
/// metric: test_accuracy     # what --monitor may name
/// seed: 0
/// settings: {model: lenet5, data: fashion-mnist, epochs: 2}
/// parameters:
///   lr: {min: 0.001, max: 0.3, scale: log}
///   momentum: {min: 0.5, max: 0.99}
///   optimizer: [sgd, adam]
/// ```
package struct Sweep: Sendable {
  package enum Method: String, CaseIterable, Sendable {
    case grid, random, bayesian
    case gaussianProcess = "gaussian-process"
  }

  package let method: Method
  package let metric: MonitoredMetric
  package let trialCount: Int
  package let seed: UInt64
  /// The settings that all runs share.
  package let settings: [String: AttributeValue]
  package let space: SearchSpace
  private let gridPoints: Int

  /// A finished run, or one that could not be done.
  package struct Trial: Sendable {
    package let number: Int
    package let point: [Double]
    package let values: [AttributeValue]
    /// The metric; not a number where the run diverged or failed.
    package let result: Double
    /// Why it could not be done: settings that do not go together, or not with the data.
    package let failure: String?
    package let directory: String
  }

  /// Runs of a larger grid would take longer than anyone waits.
  private static let largestTrialCount = 100_000

  /// Reads a sweep file.
  ///
  /// - Throws: ``TernError`` naming the file and the entry that is wrong.
  package init(contentsOf path: String) throws {
    let map = try YAML.map(ofFile: path)
    do {
      try self.init(Attributes("sweep", map))
    } catch let error as ShapeError {
      // What is wrong within a parameter's map bears its name.
      let place = error.operation == "sweep" ? "" : "\(error.operation): "
      throw TernError(
        .badData, "\(path): \(place)\(error.subject): expected \(error.expected), got \(error.got)")
    } catch let error as TernError {
      throw TernError(.badData, "\(path): \(error.message)")
    }
  }

  private init(_ attributes: Attributes) throws {
    var a = attributes
    let name = try a.string(
      "method", default: "grid", oneOf: Method.allCases.map(\.rawValue))
    method = Method(rawValue: name) ?? .grid
    metric = MonitoredMetric.named(
      try a.string("metric", default: "test_accuracy", oneOf: MonitoredMetric.names))!
    let seedValue = try a.int("seed", default: 0, limit: UInt(Int.max))
    guard seedValue >= 0 else {
      throw ShapeError("sweep", "seed", expected: "at least 0", got: "\(seedValue)")
    }
    seed = UInt64(seedValue)
    settings = try a.map("settings")
    gridPoints = try a.int("points", default: 3)
    guard gridPoints >= 1, gridPoints <= 1000 else {
      throw ShapeError("sweep", "points", expected: "1 to 1000", got: "\(gridPoints)")
    }
    let parameters = try a.map("parameters").sorted { $0.key < $1.key }.map {
      try Self.parameter($0.key, $0.value)
    }
    guard !parameters.isEmpty else {
      throw ShapeError("sweep", "parameters", expected: "at least one setting", got: "none")
    }
    space = SearchSpace(parameters)
    if method == .grid {
      var count = 1
      for parameter in parameters {
        count *= parameter.gridPositions(gridPoints).count
        guard count <= Self.largestTrialCount else { break }
      }
      trialCount = count
    } else {
      trialCount = try a.int("trials", default: 20)
    }
    guard trialCount >= 1, trialCount <= Self.largestTrialCount else {
      throw ShapeError(
        "sweep", "trials", expected: "1 to \(Self.largestTrialCount)", got: "\(trialCount)")
    }
    try a.finish()
    // A value that is refused alone and with others is wrong, and is found now; two that do not go
    // together are a trial that fails.
    let origin = parameters.map { _ in 0.0 }
    for (index, parameter) in parameters.enumerated() {
      for position in parameter.gridPositions(2) {
        do { _ = try configuration([parameter.name: parameter.value(at: position)]) } catch {
          var point = origin
          point[index] = position
          _ = try configuration(space.settings(at: point))
        }
      }
    }
  }

  private static func parameter(_ name: String, _ value: AttributeValue) throws
    -> SearchSpace.Parameter
  {
    switch value {
    case .list(let values) where !values.isEmpty:
      return .init(name: name, domain: .choices(values))
    case .map(let map):
      var a = Attributes(name, map)
      let (low, high) = (try a.double("min"), try a.double("max"))
      let isLogarithmic =
        try a.string("scale", default: "linear", oneOf: ["linear", "log"]) == "log"
      try a.finish()
      guard low.isFinite, high.isFinite, (high - low).isFinite, low < high,
        !isLogarithmic || low > 0
      else {
        throw ShapeError(
          "sweep", name, expected: "min below max" + (isLogarithmic ? ", both above 0" : ""),
          got: "\(low), \(high)")
      }
      var isInteger = false
      if case (.int?, .int?) = (map["min"], map["max"]) { isInteger = true }
      return .init(
        name: name,
        domain: .range(low: low, high: high, isLogarithmic: isLogarithmic, isInteger: isInteger))
    default:
      throw ShapeError(
        "sweep", name, expected: "a list of values, or {min, max}", got: "\(value)")
    }
  }

  private func configuration(_ chosen: [String: AttributeValue]) throws -> TrainingConfiguration {
    // What a sweep ranks by is what its runs watch, so that one that they cannot have is refused.
    let watched = ["monitor": AttributeValue.string(metric.name)]
    return try TrainingConfiguration(
      watched.merging(settings) { _, new in new }.merging(chosen) { _, new in new })
  }

  /// The point of a trial; known once those before it are done.
  private func point(_ number: Int, after trials: [Trial]) -> [Double] {
    switch method {
    case .grid: return space.gridPoint(number, points: gridPoints)
    case .random: return space.random(trial: number, seed: seed)
    case .bayesian:
      return ParzenSearch(space: space, seed: seed).point(
        trial: number, after: trials.map { ($0.point, loss($0.result)) })
    case .gaussianProcess:
      return GaussianProcessSearch(space: space, seed: seed).point(
        trial: number, after: trials.map { ($0.point, loss($0.result)) })
    }
  }

  /// What is minimised; a run that diverged is the worst.
  private func loss(_ result: Double) -> Double { metric.metric.cost(result) }

  /// The trials, the best first.
  package func ranked(_ trials: [Trial]) -> [Trial] {
    trials.sorted { (loss($0.result), $0.number) < (loss($1.result), $1.number) }
  }

  /// Runs what is not done yet. A trial that cannot be done is told and recorded like the others,
  /// and does not keep them from being done.
  ///
  /// - Parameters:
  ///   - directory: holds a folder per run.
  ///   - catalog: where devices are looked up.
  ///   - report: told of each finished trial, also of those done before.
  /// - Returns: the trials; fewer than all where a signal asked for an end.
  /// - Throws: ``TernError`` where the folder cannot be written or is in use, or no trial could be
  ///   done.
  package func run(
    in directory: String, catalog: DeviceCatalog, report: (Trial) throws -> Void
  ) throws -> [Trial] {
    let lock = try FileLock.ofFolder(directory)
    defer { withExtendedLifetime(lock) {} }
    var trials: [Trial] = []
    var firstFault: (any Error)?
    for number in 0..<trialCount {
      let point = point(number, after: trials)
      let path = directory.appendingPath("trial-\(number + 1)")
      let chosen = space.settings(at: point)
      var (value, failure) = (Double.nan, String?.none)
      do {
        guard let result = try result(of: configuration(chosen), in: path, catalog: catalog) else {
          return trials
        }
        value = result
      } catch {
        // No other trial could be written either.
        if let error = error as? TernError, error.kind == .cannotWrite { throw error }
        firstFault = firstFault ?? error
        failure = "\(error)"
      }
      let trial = Trial(
        number: number + 1, point: point,
        values: space.parameters.map { chosen[$0.name] ?? .null }, result: value, failure: failure,
        directory: path)
      trials.append(trial)
      try report(trial)
    }
    if let firstFault, trials.allSatisfy({ $0.failure != nil }) { throw firstFault }
    return trials
  }

  /// Runs one trial, or goes on with it; `nil` where a signal ended it.
  private func result(
    of configuration: TrainingConfiguration, in path: String, catalog: DeviceCatalog
  ) throws -> Double? {
    if RunDirectory(path: path).hasDiverged { return .nan }
    do {
      let progress = try Trainer.complete(configuration, in: path, catalog: catalog)
      guard let progress else { return nil }
      return metric.metric.best(of: progress.history.map { $0.value(metric) })
    } catch let error as TernError where error.kind == .diverged { return .nan }
  }
}

import Foundation
import TernCore
import TernData
import TernRuntime

/// k runs, each with another part of the training set held out; the mean over the held-out parts is
/// what a model of this kind reaches on data it has not seen.
public struct CrossValidation {
  /// One training of several.
  public struct Fold: Sendable {
    /// Counted from 1.
    public let number: Int
    /// Of the epoch that the monitored metric chose.
    public let validation: TrainingEvent.Evaluation
    /// The folder of its run.
    public let directory: String
  }

  /// The trainings that have ended.
  public private(set) var folds: [Fold] = []
  /// Holds a folder per run.
  public private(set) var directory = ""

  /// None has ended yet.
  public init() {}

  /// The mean of a number over the folds, and its standard deviation.
  public struct Spread: Sendable {
    /// Their mean.
    public let mean: Double
    /// Their standard deviation.
    public let deviation: Double

    init(_ values: [Double]) {
      let mean = values.reduce(0, +) / Double(values.count)
      let squares = values.map { ($0 - mean) * ($0 - mean) }
      self.mean = mean
      deviation = (squares.reduce(0, +) / Double(max(values.count - 1, 1))).squareRoot()
    }
  }

  /// The loss on what was held out.
  public var loss: Spread { Spread(folds.map(\.validation.loss)) }

  /// Not a number where there are no classes.
  public var accuracy: Spread { Spread(folds.map(\.validation.accuracy)) }

  /// Does the runs that are not done yet.
  ///
  /// - Parameters:
  ///   - path: holds a folder per run; `nil` for the next free `runs/MODEL-N`.
  ///   - report: told what happens in the run of a fold.
  /// - Returns: false where a signal ended it.
  public mutating func run(
    _ configuration: TrainingConfiguration, in path: String?, catalog: DeviceCatalog,
    report: @escaping (_ fold: Int, TrainingEvent) throws -> Void
  ) throws -> Bool {
    let (directory, lock) = try RunDirectory.lockedFolder(path, model: configuration.model)
    defer { withExtendedLifetime(lock) {} }
    self.directory = directory
    for number in 1...configuration.folds {
      var fold = configuration
      fold.fold = number
      let path = directory.appendingPath("fold-\(number)")
      let progress = try Trainer.complete(fold, in: path, catalog: catalog) {
        try report(number, $0)
      }
      guard let progress else { return false }
      let hasAccuracy = progress.history.first?.validation?.accuracy.isFinite ?? false
      let monitor =
        fold.monitor.flatMap(MonitoredMetric.named)
        ?? MonitoredMetric(hasAccuracy ? .accuracy : .loss, of: .validation)
      // An epoch without the number is the best only where no epoch has it.
      let best =
        progress.history.filter { !$0.value(monitor).isNaN }.max {
          monitor.metric.isBetter($1.value(monitor), than: $0.value(monitor))
        } ?? progress.history.last
      guard let validation = best?.validation else { continue }
      folds.append(Fold(number: number, validation: validation, directory: path))
    }
    try AtomicFile.write(
      Data((json.description + "\n").utf8),
      to: directory.appendingPath("cross-validation.json"))
    return true
  }

  /// All folds and what they come to, as `cross-validation.json` has it and the log ends with it.
  package var json: JSON {
    .object([
      "event": .string("cross-validation"),
      "folds": .array(
        folds.map {
          .object([
            "fold": .int($0.number), "val_loss": .double($0.validation.loss),
            "val_accuracy": .double($0.validation.accuracy), "run": .string($0.directory),
          ])
        }), "mean_loss": .double(loss.mean), "loss_deviation": .double(loss.deviation),
      "mean_accuracy": .double(accuracy.mean), "accuracy_deviation": .double(accuracy.deviation),
    ])
  }
}

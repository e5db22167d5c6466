import Foundation
import TernCore
import TernData
import TernNN
import TernOptim
import TernRuntime

/// Everything that decides what a training run computes, and where it writes it.
///
/// The names of the settings are those of `tern train`'s flags with underscores; ``init(_:)`` reads
/// them from a config file or flags, ``settings`` gives them back for `config.yaml`.
public struct TrainingConfiguration: Equatable, Sendable {
  /// The name of a network, or the path of a model file.
  public var model = "lenet5"
  /// The name of the data, with its place where it needs one.
  public var data = "fashion-mnist"
  /// What the network is trained for, where that is not the model's own task.
  public var task: String?
  /// What is minimised, see ``LossFunction/init(parsing:)``; the task's own where `nil`.
  public var loss: String?
  /// The columns of a table that are to be predicted, separated by commas.
  public var target: String?
  /// What text is cut into.
  public var tokens = TokenUnit.word
  /// How many tokens a vocabulary has at most.
  public var vocabulary = 10_000
  /// The tokens of a sample; the model's own where `nil`.
  public var sequenceLength: Int?
  /// The column of a table that holds text.
  public var textColumn: String?
  /// How often the training set is gone through.
  public var epochs = 10
  /// Ends the run after so many steps, where given; alone, it decides, whatever ``epochs`` usually
  /// is.
  public var steps: Int?
  /// Samples per step.
  public var batchSize = 64
  /// The name of the optimizer.
  public var optimizer = "sgd"
  /// The optimizer's own rate where `nil`: see ``resolvedLearningRate``.
  public var learningRate: Double?
  /// The optimizer's momentum; its usual one where `nil`.
  public var momentum: Double?
  /// Whether the momentum is Nesterov's.
  public var nesterov = false
  /// Weight decay; the optimizer's usual one where `nil`.
  public var weightDecay: Double?
  /// The name of the schedule of the learning rate.
  public var schedule = "constant"
  /// Epochs over which the learning rate rises from 0.
  public var warmupEpochs = 0.0
  /// The epochs over which the schedule was planned, where the run was extended since.
  public var scheduleEpochs: Int?
  /// The numbers of the schedule.
  public var scheduleParameters = Schedule.Parameters()
  /// Batches whose gradients one update sums.
  public var accumulate = 1
  /// The decay of the moving average of the parameters; none is kept where `nil`.
  public var averageDecay: Double?
  /// Penalties on the weights, added to the gradient: λ·sign(w) and λ·w.
  public var l1 = 0.0
  /// The factor of the L2 penalty on weights.
  public var l2 = 0.0
  /// Whether ``weightDecay`` shrinks the parameters past the optimizer's rule.
  public var decoupledDecay = false
  /// `auto` (in inverse proportion to how often a class occurs) or a weight per class: `1,2.5,1`.
  public var classWeights: String?
  /// Parameters that learn or decay by other factors, as ``ParameterGroup/init(parsing:)`` reads them, with
  /// semicolons between.
  public var parameterGroups: String?
  /// The decays of Adam's two averages, where they are not its own.
  public var betas: [Double]?
  /// What keeps the optimizer from dividing by 0; its own where `nil`.
  public var epsilon: Double?
  /// The steps of the Gibbs chain with which a Boltzmann machine is trained.
  public var gibbsSteps = 1
  /// The epochs that each machine of a belief network is trained before all are.
  public var pretrainingEpochs = 1
  /// The part of a pattern that an associative memory is asked to make up for when it is measured.
  public var damage = 0.15
  /// Gradients are scaled down to at most this norm, where given.
  public var clipGradient: Double?
  /// How much of a target is spread over all classes, 0 to 1.
  public var labelSmoothing = 0.0
  /// How inputs are normalised; see ``Normalization``.
  public var normalize = "auto"
  /// Random changes to training pictures; see ``Augmentation``.
  public var augment = "none"
  /// The side of samples made from image folders; the model's own where `nil`.
  public var imageSize: Int?
  /// The part of the training set that is held out for validation, 0 to below 1.
  public var validationSplit = 0.0
  /// The part of data without a test set that is held out for testing; see ``TargetSelection/testSplit``.
  public var testSplit: Double?
  /// Parts that cross-validation cuts the training set into; 1 for none.
  public var folds = 1
  /// The part that is held out for validation, counted from 1.
  public var fold: Int?
  /// Epochs without improvement after which the run stops, where given.
  public var patience: Int?
  /// The metric that decides which checkpoint is best; see ``monitors``.
  public var monitor: String?
  /// What everything random depends on.
  public var seed: UInt64 = 0
  /// Whether each epoch goes through the samples in another order.
  public var shuffle = true
  /// The device that is asked for: `auto` or an id.
  public var device = "auto"
  /// CPU threads; all cores where `nil`.
  public var threads: Int?
  /// How convolutions and whatever else has several implementations are computed, where it is not the
  /// device's own choice.
  public var algorithm: AlgorithmRequest?
  /// What operands may be rounded to, where the device has tensor cores.
  public var precision = Precision.fp32
  /// Threads that prepare batches.
  public var workers = 1
  /// What becomes of pictures that cannot be read.
  public var onError = ItemErrorPolicy.stop
  /// A file of weights to start from.
  public var initialWeights: String?
  /// The parameters that keep their values: prefixes of their names, separated by commas.
  public var freeze: String?
  /// Steps between checkpoints; at the end of each epoch where `nil`.
  public var saveEvery: Int?
  /// Whether the best checkpoint is kept beside the last.
  public var keepBest = true
  /// Steps from one logged step to the next.
  public var logEvery = 50
  /// Whether TensorBoard is told how parameters and gradients are distributed, epoch by epoch.
  public var histograms = false
  /// Where the run was begun: what relative paths in its settings start from.
  public var workingDirectory: String?

  /// Every setting at its default.
  public init() {}

  /// What ``monitor`` may be.
  public static let monitors = MonitoredMetric.all.map(\.name)

  /// The size given, or that of the model; 224 where its input is no picture.
  public var resolvedImageSize: Int {
    if let imageSize { return imageSize }
    guard let shape = (try? Model.named(model))?.inputShape, shape.rank == 3 else { return 224 }
    return shape[2]
  }

  /// The rate given, or one that suits the optimizer.
  public var resolvedLearningRate: Double {
    learningRate
      ?? [
        "sgd": 0.03, "momentum_ema": 0.3, "normalized_gradient": 1e-3, "adagrad": 0.01,
        "rmsprop": 1e-3, "adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3,
      ][optimizer] ?? 0.01
  }
}

// MARK: - Settings by name

extension TrainingConfiguration {
  /// Reads settings by name; those not given keep their defaults.
  ///
  /// - Throws: ``TernError`` of kind `usage` for an unknown name, with the nearest known one, and
  ///   for a value of the wrong type or out of range.
  public init(_ values: [String: AttributeValue]) throws {
    self.init()
    let known = Setting.all.map(\.name)
    for key in values.keys.sorted() where !known.contains(key) {
      let hint = EditDistance.nearest(to: key, among: known).map { "; did you mean '\($0)'?" }
      throw TernError(
        .usage,
        "unknown setting '\(key)'" + (hint ?? "; known are \(known.joined(separator: ", "))"))
    }
    do { try read(Attributes("settings", Self.completed(values))) } catch let error as ShapeError {
      throw TernError(
        .usage,
        "\(error.subject.replacing("_", with: "-")): expected \(error.expected), got \(error.got)")
    }
    // An epoch has a step at least, so that this many are enough for all steps.
    if let steps, values["epochs"] ?? .null == .null { epochs = max(epochs, steps) }
    try validate()
    // Written down with the run, whatever later versions start with.
    try resolve()
  }

  /// The settings with those of the model's recipe, where they are not given.
  private static func completed(_ values: [String: AttributeValue]) -> [String: AttributeValue] {
    values.merging(recipe(for: values)) { $0 == .null ? $1 : $0 }
  }

  /// What the recipe of the model adds to the settings that are given.
  public static func recipe(for values: [String: AttributeValue]) -> [String: AttributeValue] {
    guard case .string(let model)? = values["model"], let entry = try? ZooEntry.named(model) else {
      return [:]
    }
    return entry.settings.filter { values[$0.key] ?? .null == .null }
  }

  private mutating func read(_ source: Attributes) throws {
    var attributes = source
    for setting in Setting.all { try setting.read(&self, &attributes) }
  }

  /// Numbers separated by commas; `nil` where the text is not that.
  static func numbers(_ text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    return parts.contains(nil) ? nil : parts.compactMap(\.self)
  }

  /// Every setting by name, in the order of ``Setting/all``.
  public var settings: [(name: String, value: AttributeValue)] {
    Setting.all.map { ($0.name, $0.value(self)) }
  }

  /// Whether every setting is what it may be, and goes with the others.
  ///
  /// - Throws: ``TernError`` of kind `usage` for the first that does not.
  public func validate() throws {
    func refuse(_ name: String, _ expected: String, _ got: Any) -> TernError {
      TernError(.usage, "\(name): expected \(expected), got \(got)")
    }
    for setting in Setting.all {
      guard let expected = try setting.fault(self) else { continue }
      let got = setting.value(self)
      throw refuse(setting.flagName, expected, setting.kind == .text ? "'\(got.words)'" : got.words)
    }
    guard folds == 1 || validationSplit == 0 else {
      throw refuse("folds", "no validation-split beside it", validationSplit)
    }
    if let fold, !(folds > 1 && (1...folds).contains(fold)) {
      throw refuse("fold", "1 to the number of folds", fold)
    }
  }

  /// What the device is opened with.
  public var deviceOptions: DeviceOptions {
    DeviceOptions(
      threads: threads, algorithm: algorithm?.algorithm,
      candidates: algorithm?.candidates ?? CandidateRequest(), precision: precision)
  }
}

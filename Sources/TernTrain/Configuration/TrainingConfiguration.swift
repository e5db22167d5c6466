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
  public var model = "lenet5"
  public var data = "fashion-mnist"
  public var epochs = 10
  /// Ends the run after so many steps, where given; alone, it decides, whatever ``epochs`` usually
  /// is.
  public var steps: Int?
  public var batchSize = 64
  public var optimizer = "sgd"
  /// The optimizer's own rate where `nil`: see ``resolvedLearningRate``.
  public var learningRate: Double?
  public var momentum: Double?
  public var nesterov = false
  public var weightDecay: Double?
  public var schedule = "constant"
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
  public var l2 = 0.0
  /// Whether ``weightDecay`` shrinks the parameters past the optimizer's rule.
  public var decoupledDecay = false
  /// `auto` (in inverse proportion to how often a class occurs) or a weight per class: `1,2.5,1`.
  public var classWeights: String?
  /// The decays of Adam's two averages, where they are not its own.
  public var betas: [Double]?
  /// The steps of the Gibbs chain with which a Boltzmann machine is trained.
  public var gibbsSteps = 1
  /// The epochs that each machine of a belief network is trained before all are.
  public var pretrainingEpochs = 1
  /// Gradients are scaled down to at most this norm, where given.
  public var clipGradient: Double?
  public var labelSmoothing = 0.0
  public var normalize = "auto"
  /// Random changes to training pictures; see ``Augmentation``.
  public var augment = "none"
  /// The side of samples made from image folders; the model's own where `nil`.
  public var imageSize: Int?
  public var validationSplit = 0.0
  /// Parts that cross-validation cuts the training set into; 1 for none.
  public var folds = 1
  /// The part that is held out for validation, counted from 1.
  public var fold: Int?
  /// Epochs without improvement after which the run stops, where given.
  public var patience: Int?
  /// The metric that decides which checkpoint is best; see ``monitors``.
  public var monitor: String?
  public var seed: UInt64 = 0
  public var shuffle = true
  public var device = "auto"
  public var threads: Int?
  /// How convolutions are computed, where it is not the device's own choice.
  public var algorithm: ConvolutionAlgorithm?
  /// What operands may be rounded to, where the device has tensor cores.
  public var precision = Precision.fp32
  public var workers = 1
  /// What becomes of pictures that cannot be read.
  public var onError = ItemErrorPolicy.stop
  public var initialWeights: String?
  /// The parameters that keep their values: prefixes of their names, separated by commas.
  public var freeze: String?
  /// Steps between checkpoints; at the end of each epoch where `nil`.
  public var saveEvery: Int?
  public var keepBest = true
  public var logEvery = 50
  /// Whether TensorBoard is told how parameters and gradients are distributed, epoch by epoch.
  public var histograms = false
  /// Where the run was begun: what relative paths in its settings start from.
  public var workingDirectory: String?

  public init() {}

  public static let monitors = ["test_accuracy", "test_loss", "val_accuracy", "val_loss"]

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
    let known = Self().settings.map(\.name)
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
    var a = source
    model = try a.string("model", default: model)
    data = try a.string("data", default: data)
    epochs = try a.int("epochs", default: epochs)
    steps = a.has("steps") ? try a.int("steps") : nil
    batchSize = try a.int("batch_size", default: batchSize)
    optimizer = try a.string("optimizer", default: optimizer)
    learningRate = a.has("lr") ? try a.double("lr") : nil
    momentum = a.has("momentum") ? try a.double("momentum") : nil
    nesterov = try a.bool("nesterov", default: nesterov)
    weightDecay = a.has("weight_decay") ? try a.double("weight_decay") : nil
    schedule = try a.string("schedule", default: schedule)
    warmupEpochs = try a.double("warmup_epochs", default: warmupEpochs)
    scheduleEpochs = a.has("schedule_epochs") ? try a.int("schedule_epochs") : nil
    scheduleParameters = Schedule.Parameters(
      stepEpochs: try a.int("lr_step", default: 30),
      milestones: try a.ints("lr_milestones", default: []),
      factor: a.has("lr_gamma") ? try a.double("lr_gamma") : nil,
      patience: try a.int("lr_patience", default: 5),
      minimumRate: try a.double("lr_min", default: 0))
    accumulate = try a.int("accumulate", default: accumulate)
    averageDecay = a.has("ema") ? try a.double("ema") : nil
    l1 = try a.double("l1", default: l1)
    l2 = try a.double("l2", default: l2)
    decoupledDecay = try a.bool("decoupled_decay", default: decoupledDecay)
    classWeights = try Self.text(&a, "class_weights")
    betas = a.has("betas") ? try a.doubles("betas", count: 2, default: []) : nil
    gibbsSteps = try a.int("cd_steps", default: gibbsSteps)
    pretrainingEpochs = try a.int("pretrain_epochs", default: pretrainingEpochs)
    clipGradient = a.has("clip_grad") ? try a.double("clip_grad") : nil
    labelSmoothing = try a.double("label_smoothing", default: labelSmoothing)
    normalize = try Self.text(&a, "normalize") ?? normalize
    augment = try Self.text(&a, "augment") ?? augment
    imageSize = a.has("image_size") ? try a.int("image_size") : nil
    validationSplit = try a.double("validation_split", default: validationSplit)
    folds = try a.int("folds", default: folds)
    fold = a.has("fold") ? try a.int("fold") : nil
    patience = a.has("patience") ? try a.int("patience") : nil
    monitor = a.has("monitor") ? try a.string("monitor", oneOf: Self.monitors) : nil
    seed = try a.unsigned("seed", default: 0)
    shuffle = try a.bool("shuffle", default: shuffle)
    device = try a.string("device", default: device)
    threads = a.has("threads") ? try a.int("threads") : nil
    if a.has("algorithm") {
      algorithm = ConvolutionAlgorithm(
        rawValue: try a.string("algorithm", oneOf: ConvolutionAlgorithm.allCases.map(\.rawValue)))
    }
    if a.has("precision") {
      precision = Precision(
        rawValue: try a.string("precision", oneOf: Precision.allCases.map(\.rawValue)))!
    }
    workers = try a.int("workers", default: workers)
    if a.has("on_error") {
      onError = ItemErrorPolicy(
        rawValue: try a.string("on_error", oneOf: ItemErrorPolicy.allCases.map(\.rawValue)))!
    }
    initialWeights = a.has("init") ? try a.string("init") : nil
    freeze = a.has("freeze") ? try a.string("freeze") : nil
    saveEvery = a.has("save_every") ? try a.int("save_every") : nil
    keepBest = try a.bool("keep_best", default: keepBest)
    logEvery = try a.int("log_every", default: logEvery)
    histograms = try a.bool("histograms", default: histograms)
    workingDirectory = a.has("working_directory") ? try a.string("working_directory") : nil
  }

  /// A setting that is text, or numbers separated by commas, which YAML reads as a list.
  private static func text(_ a: inout Attributes, _ name: String) throws -> String? {
    guard a.has(name) else { return nil }
    if case .list(let list)? = a.values[name] {
      return list.map(\.description).joined(separator: ",")
    }
    return try a.string(name)
  }

  /// Numbers separated by commas; `nil` where the text is not that.
  static func numbers(_ text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    return parts.contains(nil) ? nil : parts.compactMap(\.self)
  }

  /// Every setting by name, in the order of the documentation.
  public var settings: [(name: String, value: AttributeValue)] {
    func optional<T>(_ value: T?, _ make: (T) -> AttributeValue) -> AttributeValue {
      value.map(make) ?? .null
    }
    return [
      ("model", .string(model)), ("data", .string(data)), ("epochs", .int(epochs)),
      ("steps", optional(steps, AttributeValue.int)), ("batch_size", .int(batchSize)),
      ("optimizer", .string(optimizer)), ("lr", optional(learningRate, AttributeValue.double)),
      ("momentum", optional(momentum, AttributeValue.double)), ("nesterov", .bool(nesterov)),
      ("weight_decay", optional(weightDecay, AttributeValue.double)),
      ("schedule", .string(schedule)), ("warmup_epochs", .double(warmupEpochs)),
      ("schedule_epochs", optional(scheduleEpochs, AttributeValue.int)),
      ("lr_step", .int(scheduleParameters.stepEpochs)),
      ("lr_milestones", .list(scheduleParameters.milestones.map(AttributeValue.int))),
      ("lr_gamma", optional(scheduleParameters.factor, AttributeValue.double)),
      ("lr_patience", .int(scheduleParameters.patience)),
      ("lr_min", .double(scheduleParameters.minimumRate)), ("accumulate", .int(accumulate)),
      ("ema", optional(averageDecay, AttributeValue.double)), ("l1", .double(l1)),
      ("l2", .double(l2)), ("decoupled_decay", .bool(decoupledDecay)),
      ("class_weights", optional(classWeights, AttributeValue.string)),
      ("betas", optional(betas) { .list($0.map(AttributeValue.double)) }),
      ("cd_steps", .int(gibbsSteps)), ("pretrain_epochs", .int(pretrainingEpochs)),
      ("clip_grad", optional(clipGradient, AttributeValue.double)),
      ("label_smoothing", .double(labelSmoothing)), ("normalize", .string(normalize)),
      ("augment", .string(augment)), ("image_size", optional(imageSize, AttributeValue.int)),
      ("validation_split", .double(validationSplit)), ("folds", .int(folds)),
      ("fold", optional(fold, AttributeValue.int)),
      ("patience", optional(patience, AttributeValue.int)),
      ("monitor", optional(monitor, AttributeValue.string)), ("seed", .int(Int(seed))),
      ("shuffle", .bool(shuffle)), ("device", .string(device)),
      ("threads", optional(threads, AttributeValue.int)),
      ("algorithm", optional(algorithm?.rawValue, AttributeValue.string)),
      ("precision", .string(precision.rawValue)), ("workers", .int(workers)),
      ("on_error", .string(onError.rawValue)),
      ("init", optional(initialWeights, AttributeValue.string)),
      ("freeze", optional(freeze, AttributeValue.string)),
      ("save_every", optional(saveEvery, AttributeValue.int)), ("keep_best", .bool(keepBest)),
      ("log_every", .int(logEvery)), ("histograms", .bool(histograms)),
      ("working_directory", optional(workingDirectory, AttributeValue.string)),
    ]
  }

  private func validate() throws {
    func check(_ isValid: Bool, _ name: String, _ expected: String, _ got: Any) throws {
      if !isValid { throw TernError(.usage, "\(name): expected \(expected), got \(got)") }
    }
    try check(epochs >= 1, "epochs", "at least 1", epochs)
    try check((steps ?? 1) >= 1, "steps", "at least 1", steps ?? 0)
    try check((scheduleEpochs ?? 1) >= 1, "schedule-epochs", "at least 1", scheduleEpochs ?? 0)
    try check(batchSize >= 1, "batch-size", "at least 1", batchSize)
    try check(batchSize <= 1 << 20, "batch-size", "at most 1048576", batchSize)
    let rate = resolvedLearningRate
    try check(rate >= 0 && rate.isFinite, "lr", "a number of at least 0", rate)
    try check(0...1e6 ~= warmupEpochs, "warmup-epochs", "0 to a million", warmupEpochs)
    try check(accumulate >= 1, "accumulate", "at least 1", accumulate)
    try check(
      averageDecay.map { $0 > 0 && $0 < 1 } ?? true, "ema", "between 0 and 1", averageDecay ?? 0)
    try check(l1 >= 0 && l1.isFinite, "l1", "a number of at least 0", l1)
    try check(l2 >= 0 && l2.isFinite, "l2", "a number of at least 0", l2)
    if let classWeights, classWeights != "auto" {
      try check(
        Self.numbers(classWeights)?.allSatisfy { $0 >= 0 && $0.isFinite } ?? false,
        "class-weights", "auto or a number of at least 0 per class", "'\(classWeights)'")
    }
    try check(1...1000 ~= gibbsSteps, "cd-steps", "1 to 1000", gibbsSteps)
    try check(pretrainingEpochs >= 0, "pretrain-epochs", "at least 0", pretrainingEpochs)
    try check((clipGradient ?? 1) > 0, "clip-grad", "a positive number", clipGradient ?? 0)
    try check(
      labelSmoothing >= 0 && labelSmoothing < 1, "label-smoothing", "0 to below 1", labelSmoothing)
    try check(
      validationSplit >= 0 && validationSplit < 1, "validation-split", "0 to below 1",
      validationSplit)
    try check(folds >= 1, "folds", "at least 1", folds)
    try check(
      folds == 1 || validationSplit == 0, "folds", "no validation-split beside it", validationSplit)
    try check(
      fold.map { folds > 1 && $0 >= 1 && $0 <= folds } ?? true, "fold", "1 to the number of folds",
      fold ?? 0)
    try check(
      (1...4096).contains(imageSize ?? 1), "image-size", "1 to 4096 pixels", imageSize ?? 0)
    _ = try Augmentation(augment)
    try check((patience ?? 1) >= 1, "patience", "at least 1", patience ?? 0)
    try check(
      (1...BackgroundThread.limit).contains(threads ?? 1), "threads",
      "1 to \(BackgroundThread.limit)", threads ?? 0)
    try check(
      (1...BackgroundThread.limit).contains(workers), "workers", "1 to \(BackgroundThread.limit)",
      workers)
    try check((saveEvery ?? 1) >= 1, "save-every", "at least 1", saveEvery ?? 0)
    try check(logEvery >= 1, "log-every", "at least 1", logEvery)
  }

  public var deviceOptions: DeviceOptions {
    DeviceOptions(threads: threads, algorithm: algorithm, precision: precision)
  }
}

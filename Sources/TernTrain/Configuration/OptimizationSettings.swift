import TernCore
import TernData
import TernOptim
import TernRuntime

/// How parameters are moved.
public struct OptimizationSettings: Sendable {
  init() {}

  private static let usualSchedule = Schedule.Parameters()

  /// The name of the optimizer.
  public let optimizer = SettingKey.text(
    "optimizer", "sgd", "The optimizer: \(Optimizer.names.joined(separator: ", ")).")
  /// The optimizer's own rate where `nil`: see ``resolvedLearningRate``.
  public let learningRate = SettingKey.number(
    "lr", "a number of at least 0", "The learning rate.",
    standard: "one that suits the optimizer; sgd 0.03"
  ) { $0 >= 0 && $0.isFinite }
  /// The optimizer's momentum; its usual one where `nil`.
  public let momentum = SettingKey.number(
    "momentum", "a number", "The optimizer's momentum.",
    standard: "0.9 for sgd and momentum_ema"
  ) { !$0.isNaN }
  /// Whether the momentum is Nesterov's.
  public let nesterov = SettingKey.truth("nesterov", false, .flag, "Use Nesterov's momentum.")
  /// Weight decay; the optimizer's usual one where `nil`.
  public let weightDecay = SettingKey.number(
    "weight_decay", "a number", "Weight decay.",
    standard: "the optimizer's own"
  ) { !$0.isNaN }
  /// The name of the schedule of the learning rate.
  public let schedule = SettingKey.text(
    "schedule", "constant", "The schedule: \(Schedule.names.joined(separator: ", ")).",
    standard: "constant, or what the model's recipe says, which is printed")
  /// Epochs over which the learning rate rises from 0.
  public let warmupEpochs = SettingKey.number(
    "warmup_epochs", 0.0, "0 to a million",
    "Epochs over which the learning rate rises from 0.", standard: "0"
  ) { 0...1e6 ~= $0 }
  /// The epochs over which the schedule was planned, where the run was extended since.
  public let scheduleEpochs = SettingKey.integer(
    "schedule_epochs", 1...Int.max,
    "The epochs over which the schedule was planned, where the run was extended since."
  ).with(Setting.Form.none, resuming: .own)
  /// Epochs between the steps of the step schedule.
  public let learningRateStep = SettingKey.integer(
    "lr_step", Self.usualSchedule.stepEpochs, Int.min...Int.max,
    "Epochs between the steps of the step schedule, or to the middle of the sigmoid.")
  /// The epochs at which the multi-step schedule steps.
  public let learningRateMilestones = SettingKey<[Int]>(
    "lr_milestones", .list, Self.usualSchedule.milestones,
    "Epochs at which the multi-step schedule steps.", standard: "none",
    read: { try $0.ints("lr_milestones", default: []) },
    value: { .list($0.map(AttributeValue.int)) }
  ).with(value: "E1,E2...")
  /// What a schedule multiplies the learning rate by; its own factor where `nil`.
  public let learningRateFactor = SettingKey.number(
    "lr_gamma", "a number",
    "What a schedule multiplies the learning rate by.",
    standard: "step, multi-step 0.1; exponential 0.95 an epoch; plateau 0.5; sigmoid -0.1"
  ) { !$0.isNaN }
  /// The exponent of the inverse and polynomial schedules; their own where `nil`.
  public let learningRatePower = SettingKey.number(
    "lr_power", "a number", "The exponent of the schedules inverse and polynomial.", standard: "1"
  ) { !$0.isNaN }
  /// What the schedules step, multi-step, exponential, inverse and sigmoid count.
  public let learningRateUnit = SettingKey.choice(
    "lr_unit", Schedule.Unit.epoch,
    "What --lr-step, --lr-milestones and --lr-gamma count: epoch or step.")
  /// The epochs without improvement that the plateau schedule waits.
  public let learningRatePatience = SettingKey.integer(
    "lr_patience", Self.usualSchedule.patience, Int.min...Int.max,
    "Epochs without improvement that the plateau schedule waits.")
  /// The lowest learning rate that a schedule comes to.
  public let minimumLearningRate = SettingKey.number(
    "lr_min", Self.usualSchedule.minimumRate, "a number", "The lowest learning rate.",
    standard: "0"
  ) { !$0.isNaN }
  /// Batches whose gradients one update sums.
  public let accumulate = SettingKey.integer(
    "accumulate", 1, 1...Int.max, "Batches whose gradients one update sums.")
  /// The parts of a batch that are computed one by one, by one process or by several; one for each process
  /// where `nil`.
  public let shards = SettingKey.integer(
    "shards", 1...1 << 16,
    "Parts of a batch that are computed one by one, each with its own statistics, by one process or by several.",
    standard: "one for each process")
  /// How large the parts of the gradients are that processes exchange while others are computed.
  public let bucket = SettingKey.text(
    "bucket", "4MiB",
    "Processes exchange gradients in parts of about this size, each while those of layers before are computed.",
    fault: { ByteCount.parse($0) == nil ? "a size such as 4MiB" : nil }
  ).with(value: "SIZE", resuming: .free)
  /// How gradients go from one process to another.
  public let wire = SettingKey.choice(
    "wire", WireType.fp32,
    "How gradients go from one process to another: fp32 as they are, bf16 rounded to half as many bytes; the weights "
      + "then depend on the number of processes.")
  /// Of what batch norm takes the statistics.
  public let batchNorm = SettingKey.choice(
    "batch_norm", BatchNormStatistics.local,
    "Of what batch norm takes mean and variance where a batch has several shards: local and shard of each, sync of "
      + "all of them, of which every process computes one."
  )
  /// The decay of the moving average of the parameters; none is kept where `nil`.
  public let averageDecay = SettingKey.number(
    "ema", "between 0 and 1",
    "Keep, evaluate and save a moving average of the weights, such as 0.999."
  ) { $0 > 0 && $0 < 1 }.with(value: "decay")
  /// Penalties on the weights, added to the gradient: λ·sign(w) and λ·w.
  public let l1 = SettingKey.number(
    "l1", 0.0, "a number of at least 0",
    "L1 penalty on the weights; with --l2 the elastic net.", standard: "0"
  ) { $0 >= 0 && $0.isFinite }
  /// The factor of the L2 penalty on weights.
  public let l2 = SettingKey.number(
    "l2", 0.0, "a number of at least 0", "L2 penalty on the weights.", standard: "0"
  ) { $0 >= 0 && $0.isFinite }
  /// Whether ``weightDecay`` shrinks the parameters past the optimizer's rule.
  public let decoupledDecay = SettingKey.truth(
    "decoupled_decay", false, .flag,
    "Apply weight decay to the weights, not to the gradients.")
  /// `auto` (in inverse proportion to how often a class occurs) or a weight per class: `1,2.5,1`.
  public let classWeights = SettingKey.text(
    "class_weights", "What each class counts in the loss.", standard: "1",
    fault: { text in
      guard let text, text != "auto" else { return nil }
      let weights = TrainingConfiguration.numbers(text)
      return weights?.allSatisfy { $0 >= 0 && $0.isFinite } ?? false
        ? nil : "auto or a number of at least 0 per class"
    }
  ).with(value: "auto|W1,W2...")
  /// Parameters that learn or decay by other factors, as ``ParameterGroup/init(parsing:)`` reads them, with
  /// semicolons between.
  public let parameterGroups = SettingKey<String?>(
    "param_groups", .text, nil,
    "Factors on the learning rate and the decay of parameters by their names: \"features:lr=0.1;"
      + "*.bias:decay=0\".",
    standard: "none",
    read: { attributes in
      if case .list(let list)? = attributes.values["param_groups"] {
        return list.map(\.words).joined(separator: ";")
      }
      return try attributes.string("param_groups")
    },
    value: { $0.map(AttributeValue.string) ?? .null }
  ).with(value: "PATTERN:lr=F,decay=F;...")
  /// The decays of Adam's two averages, where they are not its own.
  public let betas = SettingKey<[Double]?>(
    "betas", .list, nil, "The decays of Adam's averages.", standard: "0.9,0.999",
    read: { try $0.doubles("betas", count: 2, default: []) },
    value: { $0.map { .list($0.map(AttributeValue.double)) } ?? .null }
  ).with(value: "B1,B2")
  /// The decay of the average of squares of rmsprop and adadelta; their own where `nil`.
  public let squaresDecay = SettingKey.number(
    "rho", "0 to 1", "The decay of the average of squares: rmsprop's alpha, adadelta's rho.",
    standard: "rmsprop 0.99, adadelta 0.9"
  ) { 0...1 ~= $0 }
  /// What keeps the optimizer from dividing by 0; its own where `nil`.
  public let epsilon = SettingKey.number(
    "eps", "a number of at least 0",
    "What keeps the optimizer from dividing by 0.",
    standard: "the optimizer's own: adagrad 1e-10, adadelta 1e-6, others 1e-8"
  ) { $0 >= 0 && $0.isFinite }
  /// The steps of the Gibbs chain with which a Boltzmann machine is trained.
  public let gibbsSteps = SettingKey.integer(
    "cd_steps", 1, 1...1000, "Gibbs steps with which a Boltzmann machine is trained.")
  /// The epochs that each machine of a belief network is trained before all are.
  public let pretrainingEpochs = SettingKey.integer(
    "pretrain_epochs", 1, 0...Int.max,
    "Epochs that each layer of a belief network or a deep Boltzmann machine is trained first.")
  /// The part of a pattern that an associative memory is asked to make up for when it is measured.
  public let damage = SettingKey.number(
    "damage", 0.15, "0 to below 1",
    "The part of a pattern's units that are turned round before an associative memory is asked for it."
  ) { $0 >= 0 && $0 < 1 }
  /// Gradients are scaled down to at most this norm, where given.
  public let clipGradient = SettingKey.number(
    "clip_grad", "a positive number",
    "The largest norm of all gradients together; larger ones are scaled down."
  ) { $0 > 0 }
  /// How much of a target is spread over all classes, 0 to 1.
  public let labelSmoothing = SettingKey.number(
    "label_smoothing", 0.0, "0 to below 1",
    "How much of the target is spread over all classes.", standard: "0"
  ) { $0 >= 0 && $0 < 1 }
}

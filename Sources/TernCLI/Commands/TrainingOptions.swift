import ArgumentParser
import Tern

/// The flags of `tern train` that are settings of a run. Each overrides the config file.
struct TrainingOptions: ParsableArguments {
  @Option(help: "The data: \(DataSource.forms).")
  var data: String?
  @Option(help: "How often to go through the training set. (default: 10, or what --steps takes)")
  var epochs: Int?
  @Option(help: "How many steps to train, at most. (default: those of --epochs)")
  var steps: Int?
  @Option(help: "Samples per step. (default: 64)")
  var batchSize: Int?
  @Option(help: "The optimizer: \(Optimizer.names.joined(separator: ", ")). (default: sgd)")
  var optimizer: String?
  @Option(help: "The learning rate. (default: one that suits the optimizer; sgd 0.03)")
  var lr: Double?
  @Option(help: "The optimizer's momentum. (default: 0.9 for sgd and momentum_ema)")
  var momentum: Double?
  @Flag(help: "Use Nesterov's momentum.")
  var nesterov = false
  @Option(
    help: ArgumentHelp("The decays of Adam's averages. (default: 0.9,0.999)", valueName: "B1,B2"))
  var betas: String?
  @Option(help: "Gibbs steps with which a Boltzmann machine is trained. (default: 1)")
  var cdSteps: Int?
  @Option(help: "Epochs that each machine of a belief network is trained first. (default: 1)")
  var pretrainEpochs: Int?
  @Option(help: "Weight decay. (default: the optimizer's own)")
  var weightDecay: Double?
  @Option(
    help: """
      The schedule: \(Schedule.names.joined(separator: ", ")). \
      (default: constant, or what the model's recipe says, which is printed)
      """)
  var schedule: String?
  @Option(help: "Epochs over which the learning rate rises from 0. (default: 0)")
  var warmupEpochs: Double?
  @Option(help: "Epochs between the steps of the step schedule. (default: 30)")
  var lrStep: Int?
  @Option(
    help: ArgumentHelp(
      "Epochs at which the multi-step schedule steps. (default: none)", valueName: "E1,E2..."))
  var lrMilestones: String?
  @Option(
    help: """
      What a schedule multiplies the learning rate by. (default: step, multi-step 0.1; \
      exponential 0.95 an epoch; plateau 0.5)
      """)
  var lrGamma: Double?
  @Option(help: "Epochs without improvement that the plateau schedule waits. (default: 5)")
  var lrPatience: Int?
  @Option(help: "The lowest learning rate. (default: 0)")
  var lrMin: Double?
  @Option(help: "Batches whose gradients one update sums. (default: 1)")
  var accumulate: Int?
  @Option(
    help: ArgumentHelp(
      """
      Keep, evaluate and save a moving average of the weights, such as 0.999. (default: none)
      """, valueName: "decay")
  )
  var ema: Double?
  @Option(help: "L1 penalty on the weights; with --l2 the elastic net. (default: 0)")
  var l1: Double?
  @Option(help: "L2 penalty on the weights. (default: 0)")
  var l2: Double?
  @Flag(help: "Apply --weight-decay to the weights, not to the gradients.")
  var decoupledDecay = false
  @Option(
    help: ArgumentHelp(
      "What each class counts in the loss. (default: 1)", valueName: "auto|W1,W2..."))
  var classWeights: String?
  @Option(
    help: "The largest norm of all gradients together; larger ones are scaled down. (default: none)"
  )
  var clipGrad: Double?
  @Option(help: "How much of the target is spread over all classes. (default: 0)")
  var labelSmoothing: Double?
  @Option(
    help: ArgumentHelp(
      "Normalisation of the input. (default: auto)",
      valueName: "auto|none|MEAN,STD|imagenet|min-max|pca|pca-whiten"))
  var normalize: String?
  @Option(
    help: ArgumentHelp(
      """
      Random changes to training pictures, such as flip,crop:4: \
      \(Augmentation.names.joined(separator: ", ")). (default: none)
      """, valueName: "list"))
  var augment: String?
  @Option(help: "The side of pictures from images:DIR, in pixels. (default: the model's own)")
  var imageSize: Int?
  @Option(help: "The part of the training set that is held out for validation. (default: 0)")
  var validationSplit: Double?
  @Option(
    help: "Cross-validation: train as many times, each time holding out another part. (default: 1)")
  var folds: Int?
  @Option(help: "Epochs without improvement after which training stops. (default: none)")
  var patience: Int?
  @Option(
    help: """
      What improvement means: \(TrainingConfiguration.monitors.joined(separator: ", ")). \
      (default: test_accuracy, with a validation split val_accuracy)
      """)
  var monitor: String?
  @Option(help: "The seed of everything random. (default: 0)")
  var seed: Int?
  @Flag(help: "Keep the order of the training set.")
  var noShuffle = false
  @Option(help: "The device: \(DeviceCatalog.requests). (default: auto)")
  var device: String?
  @Option(help: "CPU threads. (default: all cores)")
  var threads: Int?
  @Option(
    help: """
      How convolutions are computed, where the device can: \
      \(ConvolutionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")). \
      (default: its own choice per shape)
      """)
  var algorithm: ConvolutionAlgorithm?
  @Option(
    help: """
      What the operands of matrix products and convolutions may be rounded to, on GPUs with tensor \
      cores: \(Precision.allCases.map(\.rawValue).joined(separator: ", ")). \
      (default: fp32)
      """)
  var precision: Precision?
  @Option(help: "Threads that prepare batches. (default: 1)")
  var workers: Int?
  @Option(
    help: """
      What becomes of pictures that cannot be read: stop ends the run at the first, skip decodes all of \
      them once before training, and names, counts and leaves out those. (default: stop)
      """)
  var onError: ItemErrorPolicy?
  @Option(
    name: .customLong("init"),
    help: """
      Start from these weights (a .safetensors file, or the folder of a run) where names and shapes \
      fit. (default: random ones)
      """)
  var initialWeights: String?
  @Option(
    help: ArgumentHelp(
      """
      Keep the parameters of these layers, and what their normalisations know of the data, as they \
      are: features,classifier.1. (default: none)
      """,
      valueName: "NAME,NAME..."))
  var freeze: String?
  @Option(help: "Steps between checkpoints. (default: an epoch)")
  var saveEvery: Int?
  @Flag(inversion: .prefixedNo, help: "Keep the best checkpoint too. (default: --keep-best)")
  var keepBest: Bool?
  @Option(help: "Steps between log lines. (default: 50)")
  var logEvery: Int?

  @Flag(help: "Tell TensorBoard how parameters and gradients are distributed, each epoch.")
  var histograms = false

  /// What was given, by the names of the settings.
  func settings() throws -> [String: AttributeValue] {
    var result: [String: AttributeValue] = [:]
    func set<T>(_ name: String, _ value: T?, _ make: (T) -> AttributeValue) {
      if let value { result[name] = make(value) }
    }
    set("data", data, AttributeValue.string)
    set("epochs", epochs, AttributeValue.int)
    set("steps", steps, AttributeValue.int)
    set("batch_size", batchSize, AttributeValue.int)
    set("optimizer", optimizer, AttributeValue.string)
    set("lr", lr, AttributeValue.double)
    set("momentum", momentum, AttributeValue.double)
    set("nesterov", nesterov ? true : nil, AttributeValue.bool)
    set("weight_decay", weightDecay, AttributeValue.double)
    if let betas { result["betas"] = try YAML.parseValue("[\(betas)]") }
    set("cd_steps", cdSteps, AttributeValue.int)
    set("pretrain_epochs", pretrainEpochs, AttributeValue.int)
    set("schedule", schedule, AttributeValue.string)
    set("warmup_epochs", warmupEpochs, AttributeValue.double)
    set("lr_step", lrStep, AttributeValue.int)
    if let lrMilestones { result["lr_milestones"] = try YAML.parseValue("[\(lrMilestones)]") }
    set("lr_gamma", lrGamma, AttributeValue.double)
    set("lr_patience", lrPatience, AttributeValue.int)
    set("lr_min", lrMin, AttributeValue.double)
    set("accumulate", accumulate, AttributeValue.int)
    set("ema", ema, AttributeValue.double)
    set("l1", l1, AttributeValue.double)
    set("l2", l2, AttributeValue.double)
    set("decoupled_decay", decoupledDecay ? true : nil, AttributeValue.bool)
    set("class_weights", classWeights, AttributeValue.string)
    set("clip_grad", clipGrad, AttributeValue.double)
    set("label_smoothing", labelSmoothing, AttributeValue.double)
    set("normalize", normalize, AttributeValue.string)
    set("augment", augment, AttributeValue.string)
    set("image_size", imageSize, AttributeValue.int)
    set("validation_split", validationSplit, AttributeValue.double)
    set("folds", folds, AttributeValue.int)
    set("patience", patience, AttributeValue.int)
    set("monitor", monitor, AttributeValue.string)
    set("seed", seed, AttributeValue.int)
    set("shuffle", noShuffle ? false : nil, AttributeValue.bool)
    set("device", device, AttributeValue.string)
    set("threads", threads, AttributeValue.int)
    set("algorithm", algorithm?.rawValue, AttributeValue.string)
    set("precision", precision?.rawValue, AttributeValue.string)
    set("workers", workers, AttributeValue.int)
    set("on_error", onError?.rawValue, AttributeValue.string)
    set("init", initialWeights, AttributeValue.string)
    set("freeze", freeze, AttributeValue.string)
    set("save_every", saveEvery, AttributeValue.int)
    set("keep_best", keepBest, AttributeValue.bool)
    set("log_every", logEvery, AttributeValue.int)
    set("histograms", histograms ? true : nil, AttributeValue.bool)
    return result
  }
}

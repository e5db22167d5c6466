import TernCore
import TernData
import TernOptim
import TernRuntime

extension Setting {
  /// Every setting, in the order of `config.yaml` and of help.
  public static let all: [Setting] = network + optimization + data + running

  private static let network: [Setting] = [
    .text("model", \.model, "A model's name, or a model file.")
      .with(Form.none, resuming: .place),
    .text("data", \.data, "The data: \(DataSource.forms).", standard: "none").with(
      resuming: .place),
    .text(
      "task", \.task, choices: taskNames,
      "What the network is trained for, where that is another "
        + "task than its own: \(taskNames.joined(separator: ", ")).", standard: "the model's own"),
    .text(
      "loss", \.loss, "What is minimised: \(LossFunction.names.joined(separator: ", ")).",
      standard: "the task's: cross_entropy, mse_loss, binary_cross_entropy_with_logits",
      fault: { configuration in
        if let loss = configuration.loss { _ = try LossFunction(parsing: loss) }
        return nil
      }
    ).with(value: "NAME[:key=value,...]"),
    .text(
      "target", \.target, "The columns of a table that are to be predicted.",
      standard: "the one called label, else the last"
    ).with(value: "COLUMN[,COLUMN...]"),
    .choice("tokens", \.tokens, "What text is cut into."),
    .integer(
      "vocabulary", \.vocabulary, 4...1 << 24,
      "How many different tokens of text are known at most; the others are one, unknown."),
    .integer(
      "sequence_length", \.sequenceLength, 2...1 << 16, "The tokens of a sample of text.",
      standard: "the model's own"),
    .text(
      "text_column", \.textColumn, "The column of a table that holds the text.",
      standard: "the one called text, or the only one beside the class"
    ).with(value: "COLUMN"),
    .integer(
      "epochs", \.epochs, 1...Int.max, "How often to go through the training set.",
      standard: "10, or what --steps takes"
    ).with(resuming: .growing),
    .integer(
      "steps", \.steps, 1...Int.max, "How many steps to train, at most.",
      standard: "those of --epochs"),
    .integer("batch_size", \.batchSize, 1...1 << 20, "Samples per step."),
  ]

  private static let taskNames = [
    "classification", "multilabel", "regression", "segmentation",
    "reconstruction", "language-model",
  ]

  private static let optimization: [Setting] = [
    .text(
      "optimizer", \.optimizer, "The optimizer: \(Optimizer.names.joined(separator: ", "))."),
    .number(
      "lr", \.learningRate, "a number of at least 0", "The learning rate.",
      standard: "one that suits the optimizer; sgd 0.03"
    ) { $0 >= 0 && $0.isFinite },
    .number(
      "momentum", \.momentum, "a number", "The optimizer's momentum.",
      standard: "0.9 for sgd and momentum_ema"
    ) { !$0.isNaN },
    .truth("nesterov", \.nesterov, .flag, "Use Nesterov's momentum."),
    .number(
      "weight_decay", \.weightDecay, "a number", "Weight decay.",
      standard: "the optimizer's own"
    ) { !$0.isNaN },
    .text(
      "schedule", \.schedule, "The schedule: \(Schedule.names.joined(separator: ", ")).",
      standard: "constant, or what the model's recipe says, which is printed"),
    .number(
      "warmup_epochs", \.warmupEpochs, "0 to a million",
      "Epochs over which the learning rate rises from 0.", standard: "0"
    ) { 0...1e6 ~= $0 },
    .integer(
      "schedule_epochs", \.scheduleEpochs, 1...Int.max,
      "The epochs over which the schedule was planned, where the run was extended since."
    ).with(Form.none, resuming: .own),
    .integer(
      "lr_step", \.scheduleParameters.stepEpochs, Int.min...Int.max,
      "Epochs between the steps of the step schedule."),
    .other(
      "lr_milestones", .list, "Epochs at which the multi-step schedule steps.", standard: "none",
      read: { $0.scheduleParameters.milestones = try $1.ints("lr_milestones", default: []) },
      value: { .list($0.scheduleParameters.milestones.map(AttributeValue.int)) }
    ).with(value: "E1,E2..."),
    .number(
      "lr_gamma", \.scheduleParameters.factor, "a number",
      "What a schedule multiplies the learning rate by.",
      standard: "step, multi-step 0.1; exponential 0.95 an epoch; plateau 0.5"
    ) { !$0.isNaN },
    .integer(
      "lr_patience", \.scheduleParameters.patience, Int.min...Int.max,
      "Epochs without improvement that the plateau schedule waits."),
    .number(
      "lr_min", \.scheduleParameters.minimumRate, "a number", "The lowest learning rate.",
      standard: "0"
    ) { !$0.isNaN },
    .integer(
      "accumulate", \.accumulate, 1...Int.max, "Batches whose gradients one update sums."),
    .number(
      "ema", \.averageDecay, "between 0 and 1",
      "Keep, evaluate and save a moving average of the weights, such as 0.999."
    ) { $0 > 0 && $0 < 1 }.with(value: "decay"),
    .number(
      "l1", \.l1, "a number of at least 0",
      "L1 penalty on the weights; with --l2 the elastic net.", standard: "0"
    ) { $0 >= 0 && $0.isFinite },
    .number(
      "l2", \.l2, "a number of at least 0", "L2 penalty on the weights.", standard: "0"
    ) { $0 >= 0 && $0.isFinite },
    .truth(
      "decoupled_decay", \.decoupledDecay, .flag,
      "Apply --weight-decay to the weights, not to the gradients."),
    .text(
      "class_weights", \.classWeights, "What each class counts in the loss.", standard: "1",
      fault: { configuration in
        guard let text = configuration.classWeights, text != "auto" else { return nil }
        let weights = TrainingConfiguration.numbers(text)
        return weights?.allSatisfy { $0 >= 0 && $0.isFinite } ?? false
          ? nil : "auto or a number of at least 0 per class"
      }
    ).with(value: "auto|W1,W2..."),
    .other(
      "param_groups", .text,
      "Factors on the learning rate and the decay of parameters by their names: \"features:lr=0.1;"
        + "*.bias:decay=0\".",
      standard: "none",
      read: { configuration, attributes in
        if case .list(let list)? = attributes.values["param_groups"], attributes.has("param_groups")
        {
          configuration.parameterGroups = list.map(\.words).joined(separator: ";")
        } else {
          configuration.parameterGroups =
            attributes.has("param_groups") ? try attributes.string("param_groups") : nil
        }
      },
      value: { $0.parameterGroups.map(AttributeValue.string) ?? .null }
    ).with(value: "PATTERN:lr=F,decay=F;..."),
    .other(
      "betas", .list, "The decays of Adam's averages.", standard: "0.9,0.999",
      read: { $0.betas = $1.has("betas") ? try $1.doubles("betas", count: 2, default: []) : nil },
      value: { $0.betas.map { .list($0.map(AttributeValue.double)) } ?? .null }
    ).with(value: "B1,B2"),
    .number(
      "eps", \.epsilon, "a number of at least 0",
      "What keeps the optimizer from dividing by 0.",
      standard: "the optimizer's own: adagrad 1e-10, adadelta 1e-6, others 1e-8"
    ) { $0 >= 0 && $0.isFinite },
    .integer(
      "cd_steps", \.gibbsSteps, 1...1000, "Gibbs steps with which a Boltzmann machine is trained."),
    .integer(
      "pretrain_epochs", \.pretrainingEpochs, 0...Int.max,
      "Epochs that each layer of a belief network or a deep Boltzmann machine is trained first."),
    .number(
      "damage", \.damage, "0 to below 1",
      "The part of a pattern's units that are turned round before an associative memory is asked for it."
    ) { $0 >= 0 && $0 < 1 },
    .number(
      "clip_grad", \.clipGradient, "a positive number",
      "The largest norm of all gradients together; larger ones are scaled down."
    ) { $0 > 0 },
    .number(
      "label_smoothing", \.labelSmoothing, "0 to below 1",
      "How much of the target is spread over all classes.", standard: "0"
    ) { $0 >= 0 && $0 < 1 },
  ]

  private static let data: [Setting] = [
    .text(
      "normalize", \.normalize,
      "Normalisation of the input, and of numbers to be predicted: auto and none are for both."
    ).with(value: "auto|none|MEAN,STD|imagenet|min-max|pca|pca-whiten"),
    .text(
      "augment", \.augment,
      "Random changes to training pictures, such as flip,crop:4: "
        + "\(Augmentation.names.joined(separator: ", ")).",
      fault: { configuration in
        _ = try Augmentation(configuration.augment)
        return nil
      }
    ).with(value: "list"),
    .integer(
      "image_size", \.imageSize, 1...4096, "The side of pictures from images:DIR, in pixels.",
      standard: "the model's own"),
    .number(
      "validation_split", \.validationSplit, "0 to below 1",
      "The part of the training set that is held out for validation.", standard: "0"
    ) { $0 >= 0 && $0 < 1 },
    .number(
      "test_split", \.testSplit, "0 to below 1",
      "The part that is held out for testing of data without a test set; 0 measures the training "
        + "samples.",
      standard:
        "0.2; 0 of fewer than \(TargetSelection.fewSamples) samples with numbers to be predicted"
    ) { $0 >= 0 && $0 < 1 },
    .integer(
      "folds", \.folds, 1...Int.max,
      "Cross-validation: train as many times, each time holding out another part."),
    .integer(
      "fold", \.fold, Int.min...Int.max, "The part that is held out for validation, counted from 1."
    ).with(Form.none),
    .integer(
      "patience", \.patience, 1...Int.max,
      "Epochs without improvement after which training stops."),
    .text(
      "monitor", \.monitor, choices: TrainingConfiguration.monitors,
      "What improvement means: \(TrainingConfiguration.monitors.joined(separator: ", ")).",
      standard:
        "test_accuracy, with a validation split val_accuracy; loss where nothing is classified"),
    .other(
      "seed", .integer, "The seed of everything random.",
      read: { $0.seed = try $1.unsigned("seed", default: 0) }, value: { .int(Int($0.seed)) }),
    .truth("shuffle", \.shuffle, .negatedFlag, "Keep the order of the training set."),
  ]

  private static let running: [Setting] = [
    .text("device", \.device, "The device: \(DeviceCatalog.requests).").with(resuming: .rounding),
    .integer(
      "threads", \.threads, 1...BackgroundThread.limit, "CPU threads.", standard: "all cores"
    )
    .with(resuming: .rounding),
    .other(
      "algorithm", .text,
      "How convolutions are computed, where the device can: "
        + ConvolutionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
        + "; or, separated by commas, implementations of anything by their names in -v, or no-NAME to rule "
        + "one out.",
      standard: "the device's own choice per shape",
      read: { configuration, attributes in
        configuration.algorithm = try attributes.algorithmRequest("algorithm")
      },
      value: { ($0.algorithm?.description).map(AttributeValue.string) ?? .null }
    ).with(resuming: .rounding),
    .choice(
      "precision", \.precision,
      "What the operands of matrix products and convolutions may be rounded to, on GPUs with tensor "
        + "cores: \(Precision.allCases.map(\.rawValue).joined(separator: ", "))."),
    .integer("workers", \.workers, 1...BackgroundThread.limit, "Threads that prepare batches.")
      .with(resuming: .free),
    .choice(
      "on_error", \.onError,
      "What becomes of pictures that cannot be read: stop ends the run at the first, skip decodes all of "
        + "them once before training, and names, counts and leaves out those."
    ).with(resuming: .free),
    .text(
      "init", \.initialWeights,
      "Start from these weights (a .safetensors file, or the folder of a run) where names and shapes fit.",
      standard: "random ones"
    ).with(resuming: .place),
    .text(
      "freeze", \.freeze,
      "Keep the parameters of these layers, and what their normalisations know of the data, as they "
        + "are: features,classifier.1.",
      fault: {
        $0.freeze.map { FrozenParameters($0).names.isEmpty } ?? false
          ? "names of layers or parameters" : nil
      }
    ).with(value: "NAME,NAME..."),
    .integer(
      "save_every", \.saveEvery, 1...Int.max, "Steps between checkpoints.", standard: "an epoch"
    )
    .with(resuming: .free),
    .truth("keep_best", \.keepBest, .bothFlags, "Keep the best checkpoint too.")
      .with(resuming: .free),
    .integer("log_every", \.logEvery, 1...Int.max, "Steps between log lines.").with(
      resuming: .free),
    .truth(
      "histograms", \.histograms, .flag,
      "Tell TensorBoard how parameters and gradients are distributed, each epoch."
    ).with(resuming: .free),
    .text(
      "working_directory", \.workingDirectory,
      "Where the run was begun: what relative paths in its settings start from."
    ).with(Form.none, resuming: .own),
  ]
}

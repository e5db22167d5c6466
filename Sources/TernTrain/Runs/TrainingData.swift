import TernCluster
import TernCore
import TernData
import TernFormats
import TernNN

/// The sets of a run, and how their samples enter the network.
public struct TrainingData: Sendable {
  /// What is trained on.
  public let training: any Dataset
  /// Held out of the training set, where the configuration asks for it.
  public let validation: (any Dataset)?
  /// What is measured at the end.
  public let test: any Dataset
  /// Whether the validation set is measured as test set because there is no other.
  let testIsValidation: Bool
  /// The columns of a table, where it has names for them.
  public let columns: TableColumns?
  /// The tokens of text.
  public let vocabulary: Vocabulary?
  /// What is used for what, and what is left out; a line each.
  public let notes: [String]
  /// What samples become before they enter the network.
  public let normalization: Normalization
  /// How numbers to be predicted are scaled for the network; `nil` where there are classes.
  public let targetScale: TargetScale?
  /// How the training set's samples are changed at random.
  public let augmentation: Augmentation
  /// The setting that ``normalization`` comes from.
  private let normalize: String

  /// Samples at hand, which the network reads as they are, and is measured on too.
  public init(_ samples: any Dataset) throws {
    self.init(
      training: samples, test: samples,
      normalization: try Normalization("none", statisticsOf: samples))
  }

  /// Data as a user names it.
  ///
  /// - Parameter normalize: see ``Normalization/init(_:statisticsOf:)``.
  public init(_ source: DataSource, normalize: String = "auto") throws {
    self.init(
      training: source.training, validation: source.validation, test: source.test,
      normalization: try Normalization(normalize, statisticsOf: source.training),
      notes: source.notes)
  }

  /// Data sets at hand.
  public init(
    training: any Dataset, validation: (any Dataset)? = nil, test: any Dataset,
    normalization: Normalization, targetScale: TargetScale? = nil, notes: [String] = []
  ) {
    self.targetScale =
      training.hasNumericTargets ? targetScale ?? .identity(training.classCount) : nil
    (testIsValidation, columns, vocabulary, self.notes) = (false, nil, nil, notes)
    self.training = training
    self.validation = validation
    self.test = test
    self.normalization = normalization
    augmentation = Augmentation()
    normalize = normalization.text
  }

  /// Opens the data a configuration names.
  ///
  /// - Parameter description: what was stored with weights; its classes and columns keep their places,
  ///   and its normalisation is used again unless the configuration gives another.
  /// - Parameter model: where the network's name or file is, if not in the configuration.
  /// - Parameter writesIndex: whether an index of samples in archives and databases may be put beside them.
  public init(
    _ configuration: TrainingConfiguration, description: [String: String] = [:],
    model modelPath: String? = nil, writesIndex: Bool = true
  ) throws {
    let network = try Model.named(
      modelPath ?? configuration.model, task: configuration.chosenTask())
    let known = SampleDescription(description)
    var source = try Self.source(
      configuration, network, known: known?.samples, writesIndex: writesIndex)
    source = try source.map { try IntegerSamples.of($0, for: network.inputs[0]) }
    test = source.test
    var notes = source.notes
    if let fold = configuration.fold {
      let parts = try Subset.fold(
        source.training, fold - 1, of: configuration.folds, seed: configuration.seed)
      (training, validation) = (parts.rest, parts.held)
      notes.append(
        "fold \(fold) of \(configuration.folds): \(parts.held.count) of the training samples are held "
          + "out for validation")
    } else if configuration.validationSplit > 0 {
      let parts = try Subset.split(
        source.training, fraction: configuration.validationSplit, seed: configuration.seed)
      (training, validation) = (parts.first, parts.second)
      notes.append(
        "validation-split: \(parts.second.count) of the training samples, drawn at random, are held out "
          + "for validation")
    } else {
      (training, validation) = (source.training, source.validation)
    }
    testIsValidation =
      source.testIsValidation && configuration.fold == nil && configuration.validationSplit == 0
    columns = source.columns
    vocabulary = source.vocabulary
    self.notes = notes
    let stored = SampleDescription.normalization(in: description)
    let isNumeric = training.hasNumericTargets && network.task == .regression
    if isNumeric, let scale = known?.targetScale, scale.means.count == training.classCount {
      targetScale = scale
    } else if training.hasNumericTargets {
      // Losses of margins hold outputs against signs, and labels are 0 or 1 as they are.
      let form = try configuration.loss.map(LossFunction.init(parsing:))?.form ?? .numbers
      targetScale =
        isNumeric && form == .numbers && configuration.normalize != "none"
        ? try TargetScale(statisticsOf: training) : .identity(training.classCount)
    } else {
      targetScale = nil
    }
    guard !training.hasIntegerSamples else {
      normalization = try Normalization("none", statisticsOf: training)
      augmentation = try Augmentation(configuration.augment).prepared(for: training)
      normalize = configuration.normalize
      return
    }
    if let stored, stored.fits(training.sampleShape),
      ["auto", description[SampleDescription.normalizeKey]].contains(configuration.normalize)
    {
      normalization = stored
    } else {
      // What is held out for validation has no part in it.
      normalization = try Normalization(configuration.normalize, statisticsOf: training)
    }
    augmentation = try Augmentation(configuration.augment).prepared(for: training)
    normalize = configuration.normalize
  }

  /// Opens data, held against what a network was trained on.
  private static func source(
    _ configuration: TrainingConfiguration, _ network: Model, known: TrainedSamples?,
    writesIndex: Bool
  ) throws -> DataSource {
    func open(_ known: TrainedSamples?) throws -> DataSource {
      try DataSource.open(
        configuration.locatedData, pictures: configuration.pictureOptions(for: network),
        known: known, onError: configuration.onError,
        targets: configuration.targetSelection(for: network),
        inputs: network.inputs, writesIndex: writesIndex)
    }
    do { return try open(known) } catch let error as TernError
      where error.kind == .badData && known != nil
    {
      // A folder may have been added or renamed since.
      guard let known, let now = try? open(nil).training.classNames, now != known.classNames else {
        throw error
      }
      let change =
        zip(now, known.classNames).first(where: !=).map { "class '\($0)' is where '\($1)' was" }
        ?? "\(now.count) classes where there were \(known.classNames.count)"
      throw TernError(
        .badData, "\(configuration.data): changed since the network was trained: \(change)")
    }
  }

  /// Opens data that a network is to be measured on which was trained on other.
  ///
  /// - Parameters:
  ///   - description: what is stored with its weights.
  ///   - normalize: `auto` takes the normalisation stored there.
  ///   - onError: what becomes of pictures that cannot be read.
  ///   - model: the network, and the settings that say what is predicted.
  public init(
    testing specification: String, trainedOn trainingData: String,
    _ description: SampleDescription, normalize: String = "auto", onError: ItemErrorPolicy = .stop,
    model: Model, settings: TrainingConfiguration
  ) throws {
    var source = try DataSource.openTestSet(
      specification, trainedOn: trainingData, pictures: settings.pictureOptions(for: model),
      known: description.samples, onError: onError,
      targets: settings.targetSelection(for: model), inputs: model.inputs)
    source = try source.map { try IntegerSamples.of($0, for: model.inputs[0]) }
    self.init(
      training: source.test, test: source.test,
      normalization: normalize == "auto"
        ? description.normalization : try Normalization(normalize, statisticsOf: source.test),
      targetScale: description.targetScale, notes: source.notes)
  }

  /// Data that is at hand.
  public init(
    _ configuration: TrainingConfiguration, checkpoint: Checkpoint?, model: String? = nil,
    writesIndex: Bool = true
  ) throws {
    try self.init(
      configuration, description: checkpoint?.description ?? [:], model: model,
      writesIndex: writesIndex)
  }

  /// Checks that a network predicts what the data has: a class per sample or per pixel.
  ///
  /// - Throws: ``TernError`` of kind `usage` where it does not.
  public func check(_ model: Model) throws {
    let isPerPixel = training.targetShape.rank == 2
    let takesNumbers = [
      .regression, .multilabel, .pairAssociation, .ownLosses(ofNumbers: true),
    ].contains(model.task)
    guard takesNumbers == training.hasNumericTargets || model.isGenerative else {
      throw TernError(
        .usage,
        takesNumbers
          ? "\(model.name) predicts numbers, the data has classes"
          : "\(model.name) tells classes, the data has numbers; task regression predicts them")
    }
    switch model.task {
    case .ownLosses(ofNumbers: true) where training.classCount != model.classCount:
      throw TernError(
        .badData,
        "\(model.name) gives \(model.classCount) numbers, the data has \(training.classCount)")
    case .segmentation where !isPerPixel:
      throw TernError(
        .usage,
        "\(model.name) gives a class per pixel, the data has one per sample; images:DIR with folders "
          + "images and masks has one per pixel")
    case .classification where isPerPixel, .perceptron where isPerPixel,
      .beliefNetwork where isPerPixel:
      throw TernError(
        .usage,
        "\(model.name) gives a class per sample, the data has one per pixel (masks); unet and "
          + "hourglass give that")
    default: break
    }
  }

  /// What of the data a network has to know to be used.
  public var sampleDescription: SampleDescription {
    SampleDescription(
      shape: training.sampleShape, classNames: training.classNames, columns: columns,
      normalization: normalization, targetScale: targetScale, vocabulary: vocabulary)
  }

  /// What is stored with the weights of a model trained on this data.
  func description(of model: Model) -> [String: String] {
    var result = sampleDescription.metadata
    result["model"] = model.name
    result[SampleDescription.normalizeKey] = normalize
    return result
  }

  /// What the bytes of training batches stand for; `nil` where they have floats.
  func trainingPixels(_ options: TrainingLoop.Options) -> PixelTable? {
    options.uploadsBytes ? PixelTable(training, normalization, augmentation) : nil
  }

  /// What the bytes of the test set's and the validation set's batches stand for; `nil` where one has floats.
  func evaluationPixels(_ options: TrainingLoop.Options) -> PixelTable? {
    guard options.uploadsBytes, let table = PixelTable(test, normalization) else { return nil }
    return validation.map { PixelTable($0, normalization) == table } ?? true ? table : nil
  }

  /// The batches of a training epoch, from `startBatch` on.
  func trainingLoader(_ options: TrainingLoop.Options, epoch: Int, startBatch: Int)
    -> BatchLoader
  {
    BatchLoader(
      training, batchSize: options.shardSize, normalization: normalization,
      targetScale: targetScale,
      shuffle: options.shuffles ? (options.seed, epoch) : nil,
      augmentation: (augmentation, options.seed, epoch),
      storesBytes: trainingPixels(options) != nil,
      batchesPerUpdate: options.accumulate * options.shards,
      batches: options.batches(of: training.count).ownBatches(from: startBatch),
      workers: options.workers)
  }

  /// The batches of a set, in its own order.
  ///
  /// - Parameters:
  ///   - batchSize: the evaluator's.
  ///   - group: whose members share the batches: each gets every so manieth.
  ///   - storesBytes: whether samples are delivered as bytes.
  public func evaluationLoader(
    _ set: any Dataset, batchSize: Int, workers: Int = 1, group: (any ProcessGroup)? = nil,
    storesBytes: Bool = false
  ) -> BatchLoader {
    let batchCount = (set.count + batchSize - 1) / batchSize
    return BatchLoader(
      set, batchSize: batchSize, normalization: normalization, targetScale: targetScale,
      storesBytes: storesBytes,
      batches: group.map { Array(stride(from: $0.rank, to: batchCount, by: $0.size)) },
      workers: workers)
  }

  /// The first samples of the test set, in one batch.
  func sheetLoader() -> BatchLoader {
    BatchLoader(
      test, batchSize: SheetGraph.sampleCount, normalization: normalization,
      targetScale: targetScale)
  }
}

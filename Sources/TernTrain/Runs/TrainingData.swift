import TernCore
import TernData
import TernNN

/// The sets of a run, and how their samples enter the network.
public struct TrainingData: Sendable {
  public let training: any Dataset
  /// Held out of the training set, where the configuration asks for it.
  public let validation: (any Dataset)?
  public let test: any Dataset
  public let normalization: Normalization
  /// How the training set's samples are changed at random.
  public let augmentation: Augmentation
  /// The setting that ``normalization`` comes from.
  private let normalize: String

  /// Data sets at hand.
  public init(
    training: any Dataset, validation: (any Dataset)? = nil, test: any Dataset,
    normalization: Normalization
  ) {
    self.training = training
    self.validation = validation
    self.test = test
    self.normalization = normalization
    augmentation = Augmentation()
    normalize = normalization.text
  }

  /// Opens the data a configuration names.
  ///
  /// - Parameter description: what was stored with weights; its normalisation is used again unless
  ///   the configuration gives another.
  public init(_ configuration: TrainingConfiguration, description: [String: String] = [:]) throws {
    let source = try DataSource.open(
      configuration.locatedData, imageSize: configuration.resolvedImageSize)
    test = source.test
    if let fold = configuration.fold {
      let parts = try Subset.fold(
        source.training, fold - 1, of: configuration.folds, seed: configuration.seed)
      (training, validation) = (parts.rest, parts.held)
    } else if configuration.validationSplit > 0 {
      let parts = try Subset.split(
        source.training, fraction: configuration.validationSplit, seed: configuration.seed)
      (training, validation) = (parts.first, parts.second)
    } else {
      (training, validation) = (source.training, source.validation)
    }
    let stored = SampleDescription.normalization(in: description)
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

  /// Opens data that a network is to be measured on which was trained on other.
  ///
  /// - Parameters:
  ///   - description: what is stored with its weights.
  ///   - normalize: `auto` takes the normalisation stored there.
  public init(
    testing specification: String, trainedOn trainingData: String,
    _ description: SampleDescription, normalize: String = "auto"
  ) throws {
    let set = try DataSource.openTestSet(
      specification, trainedOn: trainingData, sampleShape: description.shape,
      classNames: description.classNames)
    self.init(
      training: set, test: set,
      normalization: normalize == "auto"
        ? description.normalization : try Normalization(normalize, statisticsOf: set))
  }

  public init(_ configuration: TrainingConfiguration, checkpoint: Checkpoint?) throws {
    try self.init(configuration, description: checkpoint?.description ?? [:])
    if let checkpoint { try check(sameClassesAs: checkpoint.description, configuration) }
  }

  /// Checks that data which a network was trained on has the same classes still: a folder may have
  /// been added or renamed since.
  ///
  /// - Parameter description: what is stored with the network's weights.
  /// - Throws: ``TernError`` of kind `badData` where it has not.
  public func check(
    sameClassesAs description: [String: String], _ configuration: TrainingConfiguration
  ) throws {
    guard let known = SampleDescription(description)?.classNames, known != test.classNames else {
      return
    }
    let now = test.classNames
    let change =
      zip(now, known).first(where: !=).map { "class '\($0)' is where '\($1)' was" }
      ?? "\(now.count) classes where there were \(known.count)"
    throw TernError(
      .badData, "\(configuration.data): changed since the network was trained: \(change)")
  }

  /// Checks that a network predicts what the data has: a class per sample or per pixel.
  ///
  /// - Throws: ``TernError`` of kind `usage` where it does not.
  public func check(_ model: Model) throws {
    let isPerPixel = training.targetShape.rank == 2
    switch model.task {
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

  public var sampleDescription: SampleDescription {
    SampleDescription(
      shape: training.sampleShape, classNames: training.classNames, normalization: normalization)
  }

  /// What is stored with the weights of a model trained on this data.
  func description(of model: Model) -> [String: String] {
    var result = sampleDescription.metadata
    result["model"] = model.name
    result[SampleDescription.normalizeKey] = normalize
    return result
  }

  /// The batches of a training epoch, from `startBatch` on.
  func trainingLoader(_ configuration: TrainingConfiguration, epoch: Int, startBatch: Int)
    -> BatchLoader
  {
    BatchLoader(
      training, batchSize: configuration.batchSize, normalization: normalization,
      shuffle: configuration.shuffle ? (configuration.seed, epoch) : nil,
      augmentation: (augmentation, configuration.seed, epoch), startBatch: startBatch,
      workers: configuration.workers)
  }

  /// The batches of a set, in its own order.
  public func evaluationLoader(_ set: any Dataset, _ configuration: TrainingConfiguration)
    -> BatchLoader
  {
    BatchLoader(
      set, batchSize: configuration.batchSize, normalization: normalization,
      workers: configuration.workers)
  }

  /// The first samples of the test set, in one batch.
  func sheetLoader(_ configuration: TrainingConfiguration) -> BatchLoader {
    BatchLoader(
      test, batchSize: SheetGraph.sampleCount, normalization: normalization)
  }
}

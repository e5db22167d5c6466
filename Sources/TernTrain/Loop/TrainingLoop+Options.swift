import TernCluster
import TernCore
import TernOptim

/// Of what batch norm takes mean and variance where several processes, or shards, compute a batch.
public enum BatchNormStatistics: String, CaseIterable, Sendable {
  /// Of what a process computes at a time, that is of a shard.
  case local
  /// Of each shard.
  case shard
  /// Of the whole batch: processes add up their sums in every layer, forward and backward.
  case sync
}

/// How gradients go from one process to another.
public enum WireType: String, CaseIterable, Sendable {
  /// As they are.
  case fp32
  /// Rounded to bfloat16, whenever they go: half as many bytes, and weights that depend on the number of processes.
  case bf16
}

extension TrainingLoop {
  /// How a network is trained.
  public struct Options: Sendable {
    /// Samples per batch.
    public var batchSize: Int
    /// How often to go through the training set; a schedule may end with it.
    public var epochs: Int
    /// Ends after so many steps, where given.
    public var steps: Int?
    /// The optimizer, and what becomes of the gradients before it.
    public var update: ParameterUpdate
    /// How the learning rate goes on.
    public var schedule: Schedule
    /// The epochs over which the schedule is planned, where they are not ``epochs``.
    public var scheduleEpochs: Int?
    /// Batches whose gradients one update sums.
    public var accumulate = 1
    /// The parts of a batch that are computed one by one, by this process or by those of ``group``. Each has
    /// its own statistics of normalisation; the results depend on the number of shards, not on who computes
    /// them.
    public var shards = 1
    /// The processes that train together, each on its share of the shards; `nil` where this one is alone.
    public var group: (any ProcessGroup)?
    /// The processes hand over the sums of gradients in parts of about so many bytes, each while the gradients of
    /// layers before are still computed.
    public var bucketByteCount = TrainingGraph.usualBucketByteCount
    /// How gradients go from one process to another.
    public var wire = WireType.fp32
    /// Of what batch norm takes the statistics.
    public var batchNorm = BatchNormStatistics.local
    /// Adds up the statistics of batch norm over ``group``.
    var statisticsExchange: SharedStatistics?
    /// The decay of the moving average of the parameters, which is what is evaluated; none is kept where
    /// `nil`.
    public var averageDecay: Double?
    /// What everything random depends on.
    public var seed: UInt64 = 0
    /// Whether each epoch goes through the samples in another order.
    public var shuffles = true
    /// Threads that prepare batches.
    public var workers = 1
    /// The parameters that keep their values.
    public var frozen = FrozenParameters("")
    /// The bytes that a step may take on the device, where that is less than the device has: values that do
    /// not fit are computed again in the backward pass, with the same results.
    public var memoryLimit: Int?
    /// Whether the loss is multiplied, so that small gradients are numbers of float16, and steps whose gradients
    /// overflow are skipped; as the device's precision needs it where `nil`.
    public var scalesLoss: Bool?
    /// Whether pictures that are bytes go to the device as bytes, a quarter of what floats take, and become the same
    /// floats there. ``Batch/samples`` has bytes then.
    public var uploadsBytes = false
    /// Whether gradients can be read, for their distributions.
    var keepsGradients = false
    /// How messages propose another batch size.
    var batchSizeWords: @Sendable (Int) -> String = { "a batch size of \($0)" }
    /// Parts of a cross-validation, of which the data is one.
    var folds = 1

    /// - Parameter learningRate: of all steps; ``schedule`` may say otherwise.
    public init(
      batchSize: Int = 64, epochs: Int = 10,
      optimizer: Optimizer = .sgd(momentum: 0.9), learningRate: Double = 0.03
    ) {
      self.batchSize = batchSize
      self.epochs = epochs
      update = ParameterUpdate(optimizer)
      schedule = Schedule(.constant, baseRate: learningRate)
    }

    /// - Throws: ``TernError`` of kind `usage` for the first option that is out of range.
    func check() throws {
      let counts = [
        ("batchSize", batchSize), ("epochs", epochs), ("accumulate", accumulate),
        ("shards", shards), ("bucketByteCount", bucketByteCount), ("workers", workers),
        ("steps", steps ?? 1),
      ]
      for (name, value) in counts where value < 1 {
        throw TernError(.usage, "\(name): expected at least 1, got \(value)")
      }
      guard batchSize <= 1 << 20 else {
        throw TernError(.usage, "batchSize: expected at most 1048576, got \(batchSize)")
      }
      guard workers <= BackgroundThread.limit else {
        throw TernError(
          .usage, "workers: expected at most \(BackgroundThread.limit), got \(workers)")
      }
      guard batchSize.isMultiple(of: shards) else {
        throw TernError(
          .usage,
          "shards: \(batchSizeWords(batchSize)) cannot be divided by \(shards); "
            + "\(batchSizeWords((batchSize / shards + 1) * shards)) can")
      }
      if let group, group.size > accumulate * shards {
        throw TernError(
          .usage,
          "shards: \(accumulate * shards) of an update are too few for \(group.size) processes")
      }
      guard batchNorm != .sync || accumulate == 1 && shards == group?.size ?? 1 else {
        throw TernError(
          .usage,
          "batchNorm: sync is of a batch that every process computes one shard of; got \(accumulate * shards) "
            + "shards of an update for \(group?.size ?? 1)")
      }
      if let averageDecay, !(averageDecay > 0 && averageDecay < 1) {
        throw TernError(.usage, "averageDecay: expected between 0 and 1, got \(averageDecay)")
      }
    }

    /// The samples of a shard: what one graph computes.
    var shardSize: Int { batchSize / shards }

    func batches(of sampleCount: Int) -> BatchSchedule {
      BatchSchedule(
        sampleCount: sampleCount, batchSize: shardSize, accumulate: accumulate * shards,
        rank: group?.rank ?? 0, worldSize: group?.size ?? 1)
    }
  }
}

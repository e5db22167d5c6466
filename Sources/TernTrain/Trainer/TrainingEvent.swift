import TernCore

/// What happens during a run, as the log tells it.
public enum TrainingEvent: Sendable {
  /// What is said before the first step.
  public struct Start: Sendable {
    /// The network's name.
    public let model: String
    /// How many numbers are trained.
    public let parameterCount: Int
    /// The device's id.
    public let device: String
    /// The name its driver gives.
    public let deviceName: String
    /// Why it was chosen.
    public let deviceReason: String
    /// All device memory of a training step, in bytes.
    public let planByteCount: Int
    /// What a step computes again because it has no room to keep it, in words; `nil` where all is kept.
    public let recomputation: String?
    /// The folder of the run; `nil` where nothing is written.
    public let runDirectory: String?
    /// How often the training set is gone through.
    public let epochs: Int
    /// The steps of an epoch.
    public let stepsPerEpoch: Int
    /// What is trained and measured on.
    public let data: Data
    /// How many processes, or devices, train together.
    public let ranks: Int
    /// The parts of a batch that are computed one by one.
    public let shards: Int
  }
  /// What a run is trained and measured on.
  public struct Data: Sendable {
    /// Samples to train on.
    public let trainingCount: Int
    /// Samples for validation; `nil` where there are none.
    public let validationCount: Int?
    /// Samples for testing.
    public let testCount: Int
    /// Classes, or numbers to be predicted.
    public let classCount: Int
    /// Where the sets are from, what is left out; a line each.
    public let notes: [String]
  }
  /// A step that is logged.
  public struct Step: Sendable {
    /// Counted from 1.
    public let step: Int
    /// The epoch, counted from 1.
    public let epoch: Int
    /// The loss of its batch.
    public let loss: Double
    /// Its learning rate.
    public let learningRate: Double
    /// What the loss was multiplied by for its gradients; `nil` where it was not.
    public let lossScale: Double?
    /// Samples per second since the last logged step.
    public let imagesPerSecond: Double
    /// Waiting for data per step since the last such event, in milliseconds.
    public let dataWaitMilliseconds: Double
  }
  /// What was measured of a set.
  public struct Evaluation: Sendable, Hashable {
    /// The mean loss.
    public let loss: Double
    /// Not a number where there are no classes.
    public let accuracy: Double
    /// What the objective measures besides, by name.
    public let metrics: [String: Double]

    init(loss: Double, accuracy: Double, metrics: [String: Double] = [:]) {
      self.loss = loss
      self.accuracy = accuracy
      self.metrics = metrics
    }

    init(_ result: EvaluationResult) {
      self.init(
        loss: result.loss, accuracy: result.accuracy,
        metrics: result.means.filter { $0.key != TrainingGraph.lossOutput })
    }
  }
  /// An epoch that has ended.
  public struct Epoch: Sendable, Hashable {
    /// The epoch, counted from 1.
    public let epoch: Int
    /// The mean loss of its steps.
    public let trainLoss: Double
    /// What the objective measures besides, by name.
    public let trainMetrics: [String: Double]
    /// What was measured of the test set.
    public let test: Evaluation
    /// What was measured of the validation set; `nil` where there is none.
    public let validation: Evaluation?
    /// The learning rate of its last step.
    public let learningRate: Double
    /// Training alone: evaluation and set-up excluded.
    public let imagesPerSecond: Double
    /// How long training it took, in seconds.
    public let seconds: Double
    /// How long it took to add up the sums of several processes; `nil` where one is alone.
    public internal(set) var communication: CommunicationTime? = nil
  }
  /// How large gradients are at the end of an epoch, on the first batch of the training set.
  public struct Gradients: Sendable {
    /// The epoch, counted from 1.
    public let epoch: Int
    /// The mean of the magnitudes of each weight's gradient, by the weights' names in the order of the layers.
    public let magnitudes: [(parameter: String, mean: Double)]
  }
  /// Why training ended.
  public enum EndReason: String, Sendable {
    /// All epochs are over; a signal came; a value was not finite.
    case finished, interrupted, diverged
    /// Nothing has improved for long enough.
    case earlyStop = "early-stop"
  }
  /// What is said at the end.
  public struct End: Sendable {
    /// Why training ended.
    public let reason: EndReason
    /// The best accuracy of an epoch.
    public let bestAccuracy: Double
    /// How long it all took, in seconds.
    public let seconds: Double
    /// The most memory the process held at once, in bytes.
    public let peakRSSByteCount: Int
    /// How long it took to add up the sums of several processes; `nil` where one is alone.
    public let communication: CommunicationTime?
  }

  /// Training begins.
  case start(Start)
  /// The first step of this process is done, so long after preparation began.
  case firstStep(seconds: Double)
  /// A step is logged.
  case step(Step)
  /// An epoch has ended.
  case epoch(Epoch)
  /// The gradients of an epoch, where their distributions are asked for.
  case gradients(Gradients)
  /// A checkpoint was written there.
  case checkpoint(path: String)
  /// Training has ended.
  case end(End)

  /// The event as a line of the log.
  package var json: JSON {
    switch self {
    case .start(let e):
      return .object([
        "event": .string("start"), "model": .string(e.model), "parameters": .int(e.parameterCount),
        "device": .string(e.device), "device_name": .string(e.deviceName),
        "device_reason": .string(e.deviceReason), "plan_bytes": .int(e.planByteCount),
        "recomputation": e.recomputation.map(JSON.string) ?? .null,
        "epochs": .int(e.epochs), "steps_per_epoch": .int(e.stepsPerEpoch),
        "run": e.runDirectory.map(JSON.string) ?? .null,
        "data": .object([
          "training": .int(e.data.trainingCount),
          "validation": e.data.validationCount.map(JSON.int) ?? .null,
          "test": .int(e.data.testCount), "classes": .int(e.data.classCount),
          "notes": .array(e.data.notes.map(JSON.string)),
        ]), "ranks": .int(e.ranks), "shards": .int(e.shards),
      ])
    case .firstStep(let seconds):
      return .object(["event": .string("first-step"), "setup_seconds": .double(seconds)])
    case .step(let e):
      return .object([
        "event": .string("step"), "step": .int(e.step), "epoch": .int(e.epoch),
        "loss": .double(e.loss), "lr": .double(e.learningRate),
        "images_per_second": .double(e.imagesPerSecond),
        "data_wait_ms": .double(e.dataWaitMilliseconds),
      ]).adding(e.lossScale.map { ["loss_scale": $0] } ?? [:])
    case .epoch(let e): return e.json
    case .gradients(let e):
      return .object([
        "event": .string("gradients"), "epoch": .int(e.epoch),
        "mean_magnitudes": .object(
          e.magnitudes.map { JSON.Member(name: $0.parameter, value: .double($0.mean)) }),
      ])
    case .checkpoint(let path):
      return .object(["event": .string("checkpoint"), "path": .string(path)])
    case .end(let e):
      return .object([
        "event": .string("end"), "reason": .string(e.reason.rawValue),
        "best_accuracy": .double(e.bestAccuracy), "seconds": .double(e.seconds),
        "peak_rss_bytes": .int(e.peakRSSByteCount),
      ]).adding(
        e.communication.map {
          [
            "communication_seconds": $0.seconds,
            "communication_hidden": $0.hiddenShare,
          ]
        } ?? [:])
    }
  }
}

extension TrainingEvent.Epoch {
  /// - Parameter training: the loss and the objective's metrics.
  init(
    epoch: Int, training: [String: Double], test: TrainingEvent.Evaluation,
    validation: TrainingEvent.Evaluation?, learningRate: Double, imagesPerSecond: Double,
    seconds: Double, communication: CommunicationTime?
  ) {
    self.init(
      epoch: epoch, trainLoss: training[TrainingGraph.lossOutput] ?? .nan,
      trainMetrics: training.filter { $0.key != TrainingGraph.lossOutput }, test: test,
      validation: validation, learningRate: learningRate, imagesPerSecond: imagesPerSecond,
      seconds: seconds, communication: communication)
  }

  /// The objective's metrics under the names of the log: `train_kl`, `test_kl`, …
  public var metrics: [String: Double] {
    var result: [String: Double] = [:]
    for (set, metrics) in [
      ("train", trainMetrics), ("test", test.metrics), ("val", validation?.metrics ?? [:]),
    ] {
      for (name, value) in metrics { result["\(set)_\(name)"] = value }
    }
    return result
  }

  var json: JSON {
    JSON.object([
      "event": .string("epoch"), "epoch": .int(epoch), "train_loss": .double(trainLoss),
      "test_loss": .double(test.loss), "test_accuracy": .double(test.accuracy),
      "val_loss": validation.map { .double($0.loss) } ?? .null,
      "val_accuracy": validation.map { .double($0.accuracy) } ?? .null,
      "lr": .double(learningRate), "images_per_second": .double(imagesPerSecond),
      "seconds": .double(seconds),
    ]).adding(metrics).adding(
      communication.map {
        ["communication_seconds": $0.seconds, "hidden_seconds": $0.hiddenSeconds]
      } ?? [:])
  }

  private static let standardKeys: Set = [
    "train_loss", "test_loss", "test_accuracy", "val_loss", "val_accuracy",
  ]

  init?(_ json: JSON) {
    guard case .object(let members) = json,
      let epoch = json.integer("epoch", in: 1...Int(Int32.max))
    else { return nil }
    func number(_ name: String) -> Double { json[name]?.doubleValue ?? .nan }
    /// The objective's own metrics of a set.
    func metrics(_ set: String) -> [String: Double] {
      var result: [String: Double] = [:]
      for member in members
      where member.name.hasPrefix(set + "_") && !Self.standardKeys.contains(member.name) {
        result[String(member.name.dropFirst(set.count + 1))] = member.value.doubleValue ?? .nan
      }
      return result
    }
    self.init(
      epoch: epoch, trainLoss: number("train_loss"), trainMetrics: metrics("train"),
      test: .init(
        loss: number("test_loss"), accuracy: number("test_accuracy"), metrics: metrics("test")),
      validation: json["val_loss"]?.doubleValue.map {
        .init(loss: $0, accuracy: number("val_accuracy"), metrics: metrics("val"))
      },
      learningRate: number("lr"), imagesPerSecond: number("images_per_second"),
      seconds: number("seconds"),
      communication: json["communication_seconds"]?.doubleValue.map {
        CommunicationTime(seconds: $0, exposedSeconds: $0 - number("hidden_seconds"))
      })
  }

  /// A metric that is watched; not a number where it was not measured.
  func value(_ monitored: MonitoredMetric) -> Double {
    guard let evaluation = monitored.set == .test ? test : validation else { return .nan }
    return switch monitored.metric {
    case .loss: evaluation.loss
    case .accuracy: evaluation.accuracy
    default: evaluation.metrics[monitored.metric.name] ?? .nan
    }
  }
}

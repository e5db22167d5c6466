import TernCore

/// What happens during a run, as the log tells it.
public enum TrainingEvent: Sendable {
  public struct Start: Sendable {
    public let model: String
    public let parameterCount: Int
    public let device: String
    public let deviceName: String
    public let deviceReason: String
    /// All device memory of a training step, in bytes.
    public let planByteCount: Int
    public let runDirectory: String?
    public let epochs: Int
    public let stepsPerEpoch: Int
  }
  public struct Step: Sendable {
    /// Counted from 1.
    public let step: Int
    public let epoch: Int
    public let loss: Double
    public let learningRate: Double
    public let imagesPerSecond: Double
    /// Waiting for data per step since the last such event, in milliseconds.
    public let dataWaitMilliseconds: Double
  }
  public struct Evaluation: Sendable, Hashable {
    public let loss: Double
    public let accuracy: Double

    init(loss: Double, accuracy: Double) {
      self.loss = loss
      self.accuracy = accuracy
    }

    init(_ metrics: ClassificationMetrics) {
      self.init(loss: metrics.loss, accuracy: metrics.accuracy)
    }
  }
  public struct Epoch: Sendable, Hashable {
    public let epoch: Int
    public let trainLoss: Double
    public let test: Evaluation
    public let validation: Evaluation?
    public let learningRate: Double
    /// Training alone: evaluation and set-up excluded.
    public let imagesPerSecond: Double
    public let seconds: Double
  }
  public enum EndReason: String, Sendable {
    case finished, interrupted, diverged
    case earlyStop = "early-stop"
  }
  public struct End: Sendable {
    public let reason: EndReason
    public let bestAccuracy: Double
    public let seconds: Double
    public let peakRSSByteCount: Int
  }

  case start(Start)
  case step(Step)
  case epoch(Epoch)
  case checkpoint(path: String)
  case end(End)

  /// The event as a line of the log.
  public var json: JSON {
    switch self {
    case .start(let e):
      return .object([
        "event": .string("start"), "model": .string(e.model), "parameters": .int(e.parameterCount),
        "device": .string(e.device), "device_name": .string(e.deviceName),
        "device_reason": .string(e.deviceReason), "plan_bytes": .int(e.planByteCount),
        "epochs": .int(e.epochs), "steps_per_epoch": .int(e.stepsPerEpoch),
        "run": e.runDirectory.map(JSON.string) ?? .null,
      ])
    case .step(let e):
      return .object([
        "event": .string("step"), "step": .int(e.step), "epoch": .int(e.epoch),
        "loss": .double(e.loss), "lr": .double(e.learningRate),
        "images_per_second": .double(e.imagesPerSecond),
        "data_wait_ms": .double(e.dataWaitMilliseconds),
      ])
    case .epoch(let e): return e.json
    case .checkpoint(let path):
      return .object(["event": .string("checkpoint"), "path": .string(path)])
    case .end(let e):
      return .object([
        "event": .string("end"), "reason": .string(e.reason.rawValue),
        "best_accuracy": .double(e.bestAccuracy), "seconds": .double(e.seconds),
        "peak_rss_bytes": .int(e.peakRSSByteCount),
      ])
    }
  }
}

extension TrainingEvent.Epoch {
  var json: JSON {
    .object([
      "event": .string("epoch"), "epoch": .int(epoch), "train_loss": .double(trainLoss),
      "test_loss": .double(test.loss), "test_accuracy": .double(test.accuracy),
      "val_loss": validation.map { .double($0.loss) } ?? .null,
      "val_accuracy": validation.map { .double($0.accuracy) } ?? .null,
      "lr": .double(learningRate), "images_per_second": .double(imagesPerSecond),
      "seconds": .double(seconds),
    ])
  }

  init?(_ json: JSON) {
    guard let epoch = json["epoch"]?.intValue else { return nil }
    func number(_ name: String) -> Double { json[name]?.doubleValue ?? .nan }
    self.init(
      epoch: epoch, trainLoss: number("train_loss"),
      test: .init(loss: number("test_loss"), accuracy: number("test_accuracy")),
      validation: json["val_loss"]?.doubleValue.map {
        .init(loss: $0, accuracy: number("val_accuracy"))
      },
      learningRate: number("lr"), imagesPerSecond: number("images_per_second"),
      seconds: number("seconds"))
  }

  /// A metric that can be monitored, by name.
  func metric(_ name: String) -> Double {
    switch name {
    case "test_loss": test.loss
    case "val_loss": validation?.loss ?? .nan
    case "val_accuracy": validation?.accuracy ?? .nan
    default: test.accuracy
    }
  }
}

import TernCore
import TernRuntime

// What of a run's settings may differ where it goes on.

extension TrainingConfiguration {
  /// Whether this is what a run makes of `asked`: the same settings, but for those that a run
  /// decides where they are not given.
  public func isRun(of asked: TrainingConfiguration) -> Bool {
    var asked = asked
    if asked.device == "auto" || DeviceInfo.isID(device, of: asked.device) {
      asked.device = device
    }
    asked.imageSize = asked.imageSize ?? imageSize
    asked.monitor = asked.monitor ?? monitor
    return asked == self
  }

  /// The settings that cannot be changed between two parts of a run without changing what it
  /// computes. Where the data lies, on what device, and how often something is said or saved, can.
  var decisiveSettings: [(name: String, value: String)] {
    let free: Set = [
      "model", "data", "epochs", "init", "device", "threads", "algorithm", "workers", "save_every",
      "keep_best", "log_every", "histograms",
    ]
    return settings.filter { !free.contains($0.name) }.map { ($0.name, $0.value.description) }
  }
}

extension Checkpoint {
  /// Refuses to go on with other settings than those the checkpoint was made with, as where
  /// `config.yaml` was edited, and with other data.
  ///
  /// - Throws: ``TernError`` of kind `usage` with both values of each setting that differs.
  func check(_ configuration: TrainingConfiguration, sampleCount: Int) throws {
    var differences: [(was: String, now: String)] = []
    for (name, value) in configuration.decisiveSettings {
      if let was = settings[name], was != value {
        differences.append(("\(name) \(was)", "\(name) \(value)"))
      }
    }
    if let was = settings[Self.sampleCountKey], was != "\(sampleCount)" {
      differences.append(("\(was) samples", "\(sampleCount) samples"))
    }
    guard !differences.isEmpty else { return }
    throw TernError(
      .usage,
      "the run was trained with \(differences.map(\.was).joined(separator: ", ")), "
        + "it would go on with \(differences.map(\.now).joined(separator: ", ")): "
        + "put back what was changed, or start another run")
  }

  /// The name of the training set's size among ``settings``.
  static let sampleCountKey = "training_samples"
}

import TernCore
import TernData
import TernOptim
import TernRuntime

/// Where and how a run is computed, and what is written of it.
public struct RunSettings: Sendable {
  init() {}

  /// The device that is asked for: `auto` or an id, or several with commas between.
  public let device = SettingKey.text(
    "device", "auto",
    "The device: \(DeviceCatalog.requests); \(DeviceCatalog.severalRequests), each of which computes a part of every "
      + "batch."
  ).with(resuming: .rounding)
  /// CPU threads, of all devices together; all cores where `nil`.
  public let threads = SettingKey.integer(
    "threads", 1...BackgroundThread.limit, "CPU threads, of all devices together.",
    standard: "all cores"
  )
  .with(resuming: .rounding)
  /// The most memory that a step takes on the device, such as `2GiB`; all that there is where `nil`.
  public let memory = SettingKey.text(
    "memory",
    "The most memory that a step takes on the device; values that do not fit are computed again in the backward "
      + "pass, with the same results.",
    standard: "what the device has",
    fault: { $0.map { ByteCount.parse($0) == nil } ?? false ? "a size such as 2GiB" : nil }
  ).with(value: "SIZE", resuming: .free)
  /// How convolutions and whatever else has several implementations are computed, where it is not the
  /// device's own choice.
  public let algorithm = SettingKey<AlgorithmRequest?>(
    "algorithm", .text, nil,
    "How convolutions are computed, where the device can: "
      + ConvolutionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
      + "; or, separated by commas, implementations of anything by their names in -v, or no-NAME to rule "
      + "one out.",
    standard: "the device's own choice per shape",
    read: { try $0.algorithmRequest("algorithm") },
    value: { ($0?.description).map(AttributeValue.string) ?? .null }
  ).with(resuming: .rounding)
  /// In how many bits networks are computed.
  public let precision = SettingKey.choice("precision", Precision.fp32, Precision.help)
  /// Whether the precision is taken where it is slower.
  public let forcesPrecision = SettingKey.truth(
    "force_precision", false, .flag, "Take the precision also where it is slower than fp32."
  ).with(resuming: .free)
  /// Threads that prepare batches.
  public let workers = SettingKey.integer(
    "workers", 1, 1...BackgroundThread.limit, "Threads that prepare batches."
  )
  .with(resuming: .free)
  /// What becomes of samples that cannot be read: pictures in files, and samples of archives and databases.
  public let onError = SettingKey.choice(
    "on_error", ItemErrorPolicy.stop,
    "What becomes of pictures, and of samples of archives and databases, that cannot be read: stop ends the "
      + "run at the first, skip decodes all of them once before training, and names, counts and leaves out "
      + "those."
  ).with(resuming: .free)
  /// A file of weights to start from.
  public let initialWeights = SettingKey.text(
    "init",
    "Start from these weights (a .safetensors file, or the folder of a run) where names and shapes fit.",
    standard: "random ones"
  ).with(resuming: .place)
  /// The parameters that keep their values: prefixes of their names, separated by commas.
  public let freeze = SettingKey.text(
    "freeze",
    "Keep the parameters of these layers, and what their normalisations know of the data, as they "
      + "are: features,classifier.1.",
    fault: {
      $0.map { FrozenParameters($0).names.isEmpty } ?? false
        ? "names of layers or parameters" : nil
    }
  ).with(value: "NAME,NAME...")
  /// Steps between checkpoints; at the end of each epoch where `nil`.
  public let saveEvery = SettingKey.integer(
    "save_every", 1...Int.max, "Steps between checkpoints.", standard: "an epoch"
  )
  .with(resuming: .free)
  /// Whether the best checkpoint is kept beside the last.
  public let keepBest = SettingKey.truth(
    "keep_best", true, .bothFlags, "Keep the best checkpoint too."
  )
  .with(resuming: .free)
  /// Steps from one logged step to the next.
  public let logEvery = SettingKey.integer("log_every", 50, 1...Int.max, "Steps between log lines.")
    .with(
      resuming: .free)
  /// Whether TensorBoard is told how parameters and gradients are distributed, epoch by epoch.
  public let histograms = SettingKey.truth(
    "histograms", false, .flag,
    "Tell TensorBoard how parameters and gradients are distributed, each epoch."
  ).with(resuming: .free)
  /// Where the run was begun: what relative paths in its settings start from.
  public let workingDirectory = SettingKey.text(
    "working_directory", "Where the run was begun: what relative paths in its settings start from."
  ).with(Setting.Form.none, resuming: .own)
}

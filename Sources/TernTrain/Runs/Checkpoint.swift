import Foundation
import TernCore
import TernData
import TernOptim

/// How far a run has come: with the variables, everything that decides how it goes on.
public struct TrainingProgress: Sendable, Equatable {
  /// The epoch under way, counted from 0.
  public var epoch = 0
  /// The batches of it that are done.
  public var batch = 0
  /// All steps done so far.
  public var step = 0
  public var seconds = 0.0
  /// The epochs that are done.
  public var history: [TrainingEvent.Epoch] = []
  /// The best value of the monitored metric, and how many epochs ago it was reached.
  public var best: Double?
  public var epochsWithoutImprovement = 0
  /// The steps before which the plateau schedule lowered the learning rate, ascending.
  public var rateDrops: [Int] = []
  /// Whether the run has ended by itself: all epochs done, or stopped early.
  public var isFinished = false

  public init() {}

  var json: JSON {
    .object([
      "epoch": .int(epoch), "batch": .int(batch), "step": .int(step), "seconds": .double(seconds),
      "history": .array(history.map(\.json)), "best": best.map(JSON.double) ?? .null,
      "epochs_without_improvement": .int(epochsWithoutImprovement),
      "rate_drops": .array(rateDrops.map(JSON.int)), "is_finished": .bool(isFinished),
    ])
  }

  init?(_ json: JSON) {
    guard let epoch = json["epoch"]?.intValue, let batch = json["batch"]?.intValue,
      let step = json["step"]?.intValue, case .array(let history)? = json["history"],
      epoch >= 0, batch >= 0, step >= 0
    else { return nil }
    self.epoch = epoch
    self.batch = batch
    self.step = step
    seconds = json["seconds"]?.doubleValue ?? 0
    self.history = history.compactMap(TrainingEvent.Epoch.init)
    best = json["best"]?.doubleValue
    epochsWithoutImprovement = json["epochs_without_improvement"]?.intValue ?? 0
    if case .array(let drops)? = json["rate_drops"] { rateDrops = drops.compactMap(\.intValue) }
    isFinished = json["is_finished"] == .bool(true)
  }
}

/// A moment of a run from which it goes on as if it had never stopped.
///
/// On disk: a folder with `weights.safetensors` (parameters and running statistics) and
/// `state.safetensors` (optimizer state; progress in the metadata).
public struct Checkpoint: Sendable {
  public static let weightsFile = "weights.safetensors"
  public static let stateFile = "state.safetensors"

  public var weights: [String: HostTensor]
  /// What a reader of the weights needs besides: model, input, classes, normalisation.
  public var description: [String: String]
  public var state: [String: HostTensor]
  public var progress: TrainingProgress
  /// The settings it was made with, as text; see ``TrainingConfiguration/decisiveSettings``.
  var settings: [String: String]

  init(
    weights: [String: HostTensor], description: [String: String], state: [String: HostTensor],
    progress: TrainingProgress, settings: [String: String]
  ) {
    self.settings = settings
    self.weights = weights
    self.description = description
    self.state = state
    self.progress = progress
  }

  /// Reads the folder of a checkpoint.
  public init(contentsOf directory: String) throws {
    func path(_ file: String) -> String { (directory as NSString).appendingPathComponent(file) }
    let weightsFile = try Safetensors(contentsOf: path(Self.weightsFile))
    let stateFile = try Safetensors(contentsOf: path(Self.stateFile))
    guard let text = stateFile.metadata["progress"], let json = try? JSON(parsing: text),
      let progress = TrainingProgress(json)
    else { throw TernError(.badData, "\(path(Self.stateFile)): no training progress in it") }
    self.init(
      weights: weightsFile.tensors, description: weightsFile.metadata, state: stateFile.tensors,
      progress: progress,
      settings: stateFile.metadata.filter { $0.key.hasPrefix(Self.settingPrefix) }.reduce(into: [:])
      {
        $0[String($1.key.dropFirst(Self.settingPrefix.count))] = $1.value
      })
  }

  /// What the names of settings start with in the metadata of the state.
  private static let settingPrefix = "settings."

  /// The name of the first tensor with an element that is not finite.
  public var firstNonFinite: String? {
    for (name, tensor) in (weights.merging(state) { a, _ in a }).sorted(by: { $0.key < $1.key }) {
      if !tensor.isFinite { return name }
    }
    return nil
  }

  /// Writes the files into a folder that exists.
  func write(toDirectory directory: String) throws {
    func path(_ file: String) -> String { (directory as NSString).appendingPathComponent(file) }
    try AtomicFile.write(
      Safetensors(tensors: weights, metadata: description).encoded(), to: path(Self.weightsFile))
    var metadata = ["progress": progress.json.description]
    for (name, value) in settings { metadata[Self.settingPrefix + name] = value }
    try AtomicFile.write(
      Safetensors(tensors: state, metadata: metadata).encoded(), to: path(Self.stateFile))
  }
}

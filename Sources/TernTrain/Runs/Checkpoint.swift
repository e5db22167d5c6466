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
  /// How long was trained, in seconds.
  public var seconds = 0.0
  /// The epochs that are done.
  public var history: [TrainingEvent.Epoch] = []
  /// The best value of the monitored metric, and how many epochs ago it was reached.
  public var best: Double?
  /// Epochs since the monitored metric was at its best.
  public var epochsWithoutImprovement = 0
  /// The steps before which the plateau schedule lowered the learning rate, ascending.
  public var rateDrops: [Int] = []
  /// Whether the run has ended by itself: all epochs done, or stopped early.
  public var isFinished = false

  /// Nothing was trained yet.
  public init() {}

  var json: JSON {
    .object([
      "epoch": .int(epoch), "batch": .int(batch), "step": .int(step), "seconds": .double(seconds),
      // The epochs themselves are in a file that grows, see RunDirectory+Checkpoints.
      "epochs_done": .int(history.count), "best": best.map(JSON.double) ?? .null,
      "epochs_without_improvement": .int(epochsWithoutImprovement),
      "rate_drops": .array(rateDrops.map(JSON.int)), "is_finished": .bool(isFinished),
    ])
  }

  /// As large as numbers of epochs, batches and steps get; no sum or product of two overflows.
  private static let counts = 0...Int(Int32.max) - 1

  /// - Parameter history: reads so many of the run's first epochs.
  /// - Returns: `nil` where a field is missing, or no number that a run comes to.
  init?(_ json: JSON, history: (Int) -> [TrainingEvent.Epoch]) {
    func count(_ name: String) -> Int? { json.integer(name, in: Self.counts) }
    guard let epoch = count("epoch"), let batch = count("batch"), let step = count("step"),
      let waited = count("epochs_without_improvement"),
      let seconds = json["seconds"]?.doubleValue, seconds.isFinite, seconds >= 0,
      case .array(let drops)? = json["rate_drops"]
    else { return nil }
    self.epoch = epoch
    self.batch = batch
    self.step = step
    self.seconds = seconds
    if case .array(let epochs)? = json["history"] {
      // As runs of earlier versions have it.
      self.history = epochs.compactMap(TrainingEvent.Epoch.init)
    } else {
      guard let done = count("epochs_done"), done <= epoch else { return nil }
      self.history = history(done)
    }
    best = json["best"]?.doubleValue
    epochsWithoutImprovement = waited
    rateDrops = drops.compactMap(\.intValue).filter(Self.counts.contains)
    guard rateDrops.count == drops.count else { return nil }
    isFinished = json["is_finished"] == .bool(true)
  }
}

/// A moment of a run from which it goes on as if it had never stopped.
///
/// On disk: a folder with `weights.safetensors` (parameters and running statistics) and
/// `state.safetensors` (optimizer state; progress in the metadata), beside the history of the epochs,
/// which all checkpoints of a run share.
public struct Checkpoint: Sendable {
  /// The file of the weights.
  public static let weightsFile = "weights.safetensors"
  /// The file of what training goes on with besides.
  public static let stateFile = "state.safetensors"
  /// In the folder that the checkpoints are in.
  static let historyFile = "history.jsonl"

  static func isFile(_ name: String) -> Bool { name == weightsFile || name == stateFile }

  /// Parameters and running statistics, by name.
  public var weights: [String: HostTensor]
  /// What a reader of the weights needs besides: model, input, classes, normalisation.
  public var description: [String: String]
  /// What training goes on with besides, by name.
  public var state: [String: HostTensor]
  /// How far training came.
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
    func path(_ file: String) -> String { directory.appendingPath(file) }
    let weightsFile = try Safetensors(contentsOf: path(Self.weightsFile))
    let stateFile = try Safetensors(contentsOf: path(Self.stateFile))
    guard let text = stateFile.metadata["progress"], let json = try? JSON(parsing: text),
      let progress = TrainingProgress(json, history: { Self.history($0, beside: directory) })
    else { throw TernError(.badData, "\(path(Self.stateFile)): no training progress in it") }
    self.init(
      weights: weightsFile.tensors, description: weightsFile.metadata, state: stateFile.tensors,
      progress: progress,
      settings: stateFile.metadata.filter { $0.key.hasPrefix(Self.settingPrefix) }.reduce(into: [:])
      {
        $0[String($1.key.dropFirst(Self.settingPrefix.count))] = $1.value
      })
  }

  /// The first epochs of the history beside a checkpoint; fewer where it has lost its history.
  private static func history(_ count: Int, beside directory: String) -> [TrainingEvent.Epoch] {
    guard count > 0 else { return [] }
    var folder = directory
    while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
    let parent = folder.parentPath
    let path = parent.isEmpty ? historyFile : "\(parent)/\(historyFile)"
    guard let data = FileSystem.contents(of: path, upToCount: maximumHistoryByteCount) else {
      return []
    }
    return data.split(separator: UInt8(ascii: "\n")).prefix(count).compactMap { line in
      (try? JSON(parsing: String(decoding: line, as: UTF8.self))).flatMap(TrainingEvent.Epoch.init)
    }
  }
  private static let maximumHistoryByteCount = 1 << 30

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
    func path(_ file: String) -> String { directory.appendingPath(file) }
    try AtomicFile.write(
      Safetensors(tensors: weights, metadata: description).encoded(), to: path(Self.weightsFile))
    var metadata = ["progress": progress.json.description]
    for (name, value) in settings { metadata[Self.settingPrefix + name] = value }
    try AtomicFile.write(
      Safetensors(tensors: state, metadata: metadata).encoded(), to: path(Self.stateFile))
  }
}

import Foundation
import TernCore
import TernData
import TernNN

/// The folder a training run writes: configuration, logs, results and checkpoints.
///
/// ```
/// config.yaml        everything that decides the run
/// model/             the model file, where the network is one
/// log.jsonl          one event per line
/// results.csv        one row per epoch
/// summary.json       the final numbers
/// report.html        the run on one page
/// events.out.*       for TensorBoard
/// samples.png        what a generating network makes, by epoch in samples/
/// checkpoints/last   the newest checkpoint
/// checkpoints/best   the best by the monitored metric
/// ```
///
/// `last` and `best` are links to folders that were complete before the link was made, so a run
/// killed at any moment leaves the old checkpoint or the new one.
public final class RunDirectory {
  public let path: String
  /// What ``discard()`` removes: of a run that was created here and has no checkpoint yet.
  private var disposable: String?

  public init(path: String) { self.path = path }

  private func file(_ name: String) -> String { (path as NSString).appendingPathComponent(name) }

  public var configurationPath: String { file("config.yaml") }
  public func checkpointPath(_ name: String) -> String { file("checkpoints/\(name)") }

  /// Where a run's network is read: a model file as it was when the run began.
  public func modelPath(_ model: String) -> String {
    let copy = modelCopy(model)
    let isCopied = ModelFile.isPath(model) && FileManager.default.fileExists(atPath: copy)
    return isCopied ? copy : model
  }

  private func modelCopy(_ model: String) -> String {
    file("model/" + (model as NSString).lastPathComponent)
  }

  /// The next free `runs/MODEL-N`.
  public static func nextPath(model: String) -> String {
    let name = ((model as NSString).lastPathComponent as NSString).deletingPathExtension
    var number = 1
    while FileManager.default.fileExists(atPath: "runs/\(name)-\(number)") { number += 1 }
    return "runs/\(name)-\(number)"
  }

  // MARK: Creating and opening

  /// Creates the folder of a new run.
  ///
  /// - Parameter notes: comments on settings, by their names.
  /// - Throws: ``TernError`` of kind `cannotWrite`, also where the folder holds a run already.
  public static func create(
    path: String, configuration: TrainingConfiguration, notes: [String: String] = [:]
  ) throws -> RunDirectory {
    let run = RunDirectory(path: path)
    if exists(path) {
      throw TernError(
        .cannotWrite,
        "\(path): holds a run already; resume it with --resume or choose another --out")
    }
    // What stood in the folder before is not the run's.
    run.disposable =
      FileManager.default.fileExists(atPath: path) ? run.configurationPath : path
    do {
      try run.createDirectory(run.file("checkpoints"))
      let model = configuration.model
      if ModelFile.isPath(model) {
        try run.createDirectory(run.file("model"))
        try AtomicFile.write(Data(YAML.text(ofFile: model).utf8), to: run.modelCopy(model))
      }
      try run.write(configuration, notes: notes)
      try run.writeResults([])
    } catch {
      run.discard()
      throw error
    }
    return run
  }

  /// Removes a run that failed before its first checkpoint, so that the same command can be given
  /// again; any other stays.
  func discard() {
    guard let disposable else { return }
    try? FileManager.default.removeItem(atPath: disposable)
  }

  /// Whether a folder holds a run.
  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: RunDirectory(path: path).configurationPath)
  }

  /// Whether the run ended because a value was not finite.
  var hasDiverged: Bool {
    guard let data = FileManager.default.contents(atPath: file("summary.json")),
      let summary = try? JSON(parsing: String(decoding: data, as: UTF8.self))
    else { return false }
    return summary["reason"] == .string(TrainingEvent.EndReason.diverged.rawValue)
  }

  /// Opens the folder of an earlier run.
  ///
  /// - Throws: ``TernError`` of kind `notFound` where there is none.
  public static func open(path: String) throws -> RunDirectory {
    let run = RunDirectory(path: path)
    guard exists(path) else {
      throw TernError(.notFound, "\(path): no training run there (no config.yaml)")
    }
    return run
  }

  private func createDirectory(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw TernError(.cannotWrite, "\(path): cannot create the folder")
    }
  }

  // MARK: Configuration and results

  public func write(
    _ configuration: TrainingConfiguration, notes: [String: String] = [:]
  ) throws {
    let text = YAML.text(configuration.settings, notes: notes)
    try AtomicFile.write(Data(text.utf8), to: configurationPath)
  }

  /// The configuration of the run.
  public func configuration() throws -> TrainingConfiguration {
    try TrainingConfiguration(contentsOf: configurationPath)
  }

  static let columns = [
    "epoch", "train_loss", "test_loss", "test_accuracy", "val_loss", "val_accuracy", "lr",
    "images_per_second", "seconds",
  ]

  /// Writes `results.csv` anew: a row per epoch.
  public func writeResults(_ history: [TrainingEvent.Epoch]) throws {
    let own = Set(history.flatMap { $0.metrics.keys }).sorted()
    let columns = Self.columns + own
    var text = columns.joined(separator: ",") + "\n"
    for epoch in history {
      let json = epoch.json
      text +=
        columns.map { name in
          let value = json[name]?.description ?? ""
          return value == "null" ? "" : value
        }.joined(separator: ",") + "\n"
    }
    try AtomicFile.write(Data(text.utf8), to: file("results.csv"))
  }

  func writeReport(_ html: String) throws {
    try AtomicFile.write(Data(html.utf8), to: file("report.html"))
  }

  /// The newest sheet of pictures, where the network makes some.
  var newestSheet: Data? { FileManager.default.contents(atPath: file("samples.png")) }

  /// Writes the pictures of an epoch: `samples/epoch-3.png`, and `samples.png` for the newest.
  func write(_ sheet: SheetPicture, epoch: Int) throws {
    let data = sheet.png
    try createDirectory(file("samples"))
    try AtomicFile.write(data, to: file("samples/epoch-\(epoch).png"))
    try AtomicFile.write(data, to: file("samples.png"))
  }

  public func writeSummary(_ summary: JSON) throws {
    try AtomicFile.write(Data((summary.description + "\n").utf8), to: file("summary.json"))
  }

  /// Appends an event to `log.jsonl`.
  public func append(_ event: TrainingEvent) throws {
    try AppendedFile.append(Data((event.json.description + "\n").utf8), to: file("log.jsonl"))
  }

  // MARK: Checkpoints

  /// Saves a checkpoint as `last`, and as `best` too where it is that.
  public func save(_ checkpoint: Checkpoint, isBest: Bool) throws {
    let name = "step-\(checkpoint.progress.step)"
    let directory = file("checkpoints/\(name)")
    // Left behind by a run that was killed, or saved again at the same step: written anew beside.
    let temporary = file("checkpoints/.\(name)")
    try? FileManager.default.removeItem(atPath: temporary)
    try createDirectory(temporary)
    do { try checkpoint.write(toDirectory: temporary) } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw error
    }
    let target: String
    if FileManager.default.fileExists(atPath: directory) {
      target = "\(name)-\(UInt32.random(in: 0 ... .max))"
    } else {
      target = name
    }
    guard rename(temporary, file("checkpoints/\(target)")) == 0 else {
      throw TernError(.cannotWrite, "\(directory): cannot be created")
    }
    AtomicFile.synchronizeDirectory(file("checkpoints"))
    // In this order: a run killed between the two goes on before this checkpoint and links both.
    if isBest { try link("best", to: target) }
    try link("last", to: target)
    disposable = nil
    removeUnreferenced()
  }

  private func link(_ name: String, to target: String) throws {
    let temporary = checkpointPath(".\(name)")
    unlink(temporary)
    guard symlink(target, temporary) == 0, rename(temporary, checkpointPath(name)) == 0 else {
      throw TernError(.cannotWrite, "\(checkpointPath(name)): cannot be written")
    }
    AtomicFile.synchronizeDirectory(file("checkpoints"))
  }

  private func removeUnreferenced() {
    let manager = FileManager.default
    let kept = ["last", "best"].compactMap {
      try? manager.destinationOfSymbolicLink(atPath: checkpointPath($0))
    }
    let names = (try? manager.contentsOfDirectory(atPath: file("checkpoints"))) ?? []
    for name in names where name.contains("step-") && !kept.contains(name) {
      try? manager.removeItem(atPath: checkpointPath(name))
    }
  }

  /// The newest checkpoint, or `nil` where none was written yet.
  public func lastCheckpoint() throws -> Checkpoint? {
    guard FileManager.default.fileExists(atPath: checkpointPath("last")) else { return nil }
    return try Checkpoint(contentsOf: checkpointPath("last"))
  }
}

extension TrainingConfiguration {
  /// Reads a config file.
  public init(contentsOf path: String) throws {
    let settings = try YAML.map(ofFile: path)
    do { try self.init(settings) } catch let error as TernError {
      throw TernError(.badData, "\(path): \(error.message)")
    }
  }
}

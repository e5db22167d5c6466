import Foundation
import TernCore
import TernData
import TernFormats
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
/// checkpoints/       see RunDirectory+Checkpoints
/// .lock              which process writes here
/// ```
///
/// One process at a time writes to a run: the one that created it, or has claimed it.
public final class RunDirectory {
  /// Where the folder is.
  public let path: String
  /// Held while this process writes to the run.
  private var lock: FileLock?
  /// Whether the run was created here and has no checkpoint yet: ``discard()`` removes it then.
  private var isDisposable = false
  /// The columns of `results.csv` as it is on the disk.
  private var columns: [String] = []

  /// A folder that may be there or not.
  public init(path: String) { self.path = path }

  /// The name of the file of events.
  static let logFile = "log.jsonl"
  /// What of a log is read at most.
  static let maximumLogByteCount = 1 << 28

  func file(_ name: String) -> String { path.hasSuffix("/") ? path + name : "\(path)/\(name)" }

  /// The file of the settings.
  public var configurationPath: String { file("config.yaml") }
  private var lockPath: String { file(FileLock.fileName) }

  /// Where a run's network is read: a model file as it was when the run began.
  public func modelPath(_ model: String) -> String {
    let copy = modelCopy(model)
    return Model.isFile(model) && FileSystem.exists(copy) ? copy : model
  }

  private func modelCopy(_ model: String) -> String {
    file("model/" + model.lastPathPart)
  }

  // MARK: Creating and opening

  /// Creates the folder of a new run.
  ///
  /// - Parameters:
  ///   - path: the folder; `nil` for the next free `runs/MODEL-N`.
  ///   - notes: comments on settings, by their names.
  /// - Throws: ``TernError`` of kind `cannotWrite`, also where the folder holds a run already.
  public static func create(
    path: String?, configuration: TrainingConfiguration, notes: [String: String] = [:]
  ) throws -> RunDirectory {
    let run = try claimed(path, model: configuration.model)
    do {
      try run.createDirectory(run.file("checkpoints"))
      let model = configuration.model
      if Model.isFile(model) {
        try run.createDirectory(run.file("model"))
        for file in try Model.files(of: model) {
          try AtomicFile.write(InputFile.contents(of: file), to: run.modelCopy(file))
        }
      }
      try run.writeHistory([])
      // Whatever the folder had under this name is not appended to.
      try AtomicFile.write(Data(), to: run.file(logFile))
      var configuration = configuration
      configuration.workingDirectory = FileSystem.workingDirectory
      try run.write(configuration, notes: notes)
    } catch {
      run.discard()
      throw error
    }
    return run
  }

  /// Makes a folder this process's own, which holds no run.
  ///
  /// - Parameter path: `nil` for the next free `runs/MODEL-N`: of several processes each gets one of
  ///   its own.
  private static func claimed(_ path: String?, model: String) throws -> RunDirectory {
    let (path, lock) = try lockedFolder(path, model: model)
    guard !exists(path) else { throw holdsRun(path) }
    let run = RunDirectory(path: path)
    run.lock = lock
    run.isDisposable = true
    return run
  }

  /// Takes the lock of a folder, which is created where it is not there.
  ///
  /// - Parameter path: `nil` for the next free `runs/MODEL-N`.
  /// - Throws: ``TernError`` of kind `cannotWrite`, also where another process has it.
  static func lockedFolder(
    _ path: String?, model: String
  ) throws -> (path: String, lock: FileLock) {
    if let path { return (path, try FileLock.ofFolder(path)) }
    var number = 1
    while true {
      let path = "runs/\(model.pathStem)-\(number)"
      if !FileSystem.exists(path), let lock = try FileLock.ofFolder(path, mustBeNew: true) {
        return (path, lock)
      }
      number += 1
    }
  }

  /// Finds out whether a run could be created at a path, before its data are read and its network is
  /// compiled.
  ///
  /// - Parameter path: `nil` for the next free `runs/MODEL-N`.
  /// - Throws: ``TernError`` of kind `cannotWrite`.
  public static func check(path: String?) throws {
    if let path, exists(path) { throw holdsRun(path) }
    if let path { try RunDirectory(path: path).refuseLinks() }
    var folder = path ?? "runs"
    while !FileSystem.exists(folder) {
      let parent = folder.parentPath.isEmpty ? "." : folder.parentPath
      guard parent != folder else {
        throw TernError(
          .cannotWrite, "\(path ?? "runs"): no folder that it could be in is to be seen")
      }
      folder = parent
    }
    guard FileSystem.isFolder(folder) else {
      throw TernError(.cannotWrite, "\(path ?? folder): \(folder) is not a folder")
    }
    do { try AtomicFile.check(folder.appendingPath(".tern-check")) } catch let error as TernError {
      throw TernError(error.kind, "\(path ?? "runs"): cannot be written: \(error.message)")
    }
  }

  /// Finds out before anything is trained that one of the files is a link, which would be refused later.
  private func refuseLinks() throws {
    for name in [
      "config.yaml", Self.logFile, "results.csv", "summary.json", "report.html", "samples.png",
      "checkpoints/\(Checkpoint.historyFile)",
    ] { try AtomicFile.refuseLink(file(name)) }
  }

  private static func holdsRun(_ path: String) -> TernError {
    TernError(.cannotWrite, "\(path): holds a run already", remedy: .resumeOrChooseFolder)
  }

  /// Removes a run that failed before its first checkpoint, so that the same command can be given
  /// again; any other stays. What others have put into the folder stays too.
  func discard() {
    guard isDisposable else { return }
    for name in ["config.yaml", "results.csv", Self.logFile, "checkpoints/history.jsonl"] {
      _ = file(name).withFilePath { unlink($0) }
    }
    for name in FileSystem.names(in: file("model")) ?? [] {
      _ = file("model/\(name)").withFilePath { unlink($0) }
    }
    for name in FileSystem.names(in: path) ?? [] where name.hasPrefix("events.out.tfevents.") {
      _ = file(name).withFilePath { unlink($0) }
    }
    for name in ["checkpoints", "model"] { _ = file(name).withFilePath { rmdir($0) } }
    // With it goes the folder, if it was made for the run and nothing else is in it.
    lock = nil
    isDisposable = false
  }

  /// A run with a checkpoint is not discarded.
  func keep() { isDisposable = false }

  /// Whether a folder holds a run.
  static func exists(_ path: String) -> Bool {
    FileSystem.exists(RunDirectory(path: path).configurationPath)
  }

  /// Whether the run ended because a value was not finite.
  var hasDiverged: Bool {
    guard let data = FileSystem.contents(of: file("summary.json"), upToCount: 1 << 20),
      let summary = try? JSON(parsing: String(decoding: data, as: UTF8.self))
    else { return false }
    return summary["reason"] == .string(TrainingEvent.EndReason.diverged.rawValue)
  }

  /// Opens the folder of an earlier run, to read it.
  ///
  /// - Throws: ``TernError`` of kind `notFound` where there is none.
  public static func open(path: String) throws -> RunDirectory {
    let run = RunDirectory(path: path)
    guard exists(path) else {
      throw TernError(.notFound, "\(path): no training run there (no config.yaml)")
    }
    return run
  }

  /// Makes an earlier run this process's own, to go on with it.
  ///
  /// - Throws: ``TernError`` of kind `cannotWrite`, also where another process writes to it.
  public func claim() throws {
    guard lock == nil else { return }
    try refuseLinks()
    lock = try FileLock(lockPath, for: path)
    removeLeftovers()
  }

  func createDirectory(_ path: String) throws {
    guard path.isEmpty || FileSystem.createFolder(path) else {
      throw TernError(
        .cannotWrite, "\(path): cannot create the folder: \(String(cString: strerror(errno)))")
    }
  }

  // MARK: Configuration and results

  /// Writes the file of the settings.
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

  private static let standardColumns = [
    "epoch", "train_loss", "test_loss", "test_accuracy", "val_loss", "val_accuracy", "lr",
    "images_per_second", "seconds",
  ]

  /// Writes what is known of the epochs anew: `results.csv`, and the history that a checkpoint counts
  /// in; what an interrupted run wrote after its last checkpoint is gone then.
  func writeHistory(_ history: [TrainingEvent.Epoch]) throws {
    try AtomicFile.write(
      Data(history.map { $0.json.description + "\n" }.joined().utf8), to: historyPath)
    try writeResults(history)
  }

  /// Appends the last epoch, so that the thousandth takes no longer than the first.
  func appendLast(of history: [TrainingEvent.Epoch]) throws {
    guard let epoch = history.last else { return }
    // On the disk before a checkpoint counts it.
    try AppendedFile.append(
      Data((epoch.json.description + "\n").utf8), to: historyPath, isFlushed: true)
    if Set(epoch.metrics.keys).isSubset(of: columns) {
      try AppendedFile.append(Data(row(epoch).utf8), to: file("results.csv"))
    } else {
      try writeResults(history)
    }
  }

  /// A row per epoch; a metric that some have and others have not has a column too.
  private func writeResults(_ history: [TrainingEvent.Epoch]) throws {
    let own = Set(history.flatMap { $0.metrics.keys }).sorted()
    columns = Self.standardColumns + own
    let text = columns.map(\.csvField).joined(separator: ",") + "\n" + history.map(row).joined()
    try AtomicFile.write(Data(text.utf8), to: file("results.csv"))
  }

  private func row(_ epoch: TrainingEvent.Epoch) -> String {
    let json = epoch.json
    return columns.map { name in
      let value = json[name]?.description ?? ""
      return value == "null" ? "" : value
    }.joined(separator: ",") + "\n"
  }

  func writeReport(_ html: String) throws {
    try AtomicFile.write(Data(html.utf8), to: file("report.html"))
  }

  /// The newest sheet of pictures, where the network makes some.
  var newestSheet: Data? {
    FileSystem.contents(of: file("samples.png"), upToCount: 1 << 30)
  }

  /// Writes the pictures of an epoch: `samples/epoch-3.png`, and `samples.png` for the newest.
  func write(_ sheet: SheetPicture, epoch: Int) throws {
    let data = sheet.png
    try createDirectory(file("samples"))
    try AtomicFile.write(data, to: file("samples/epoch-\(epoch).png"))
    try AtomicFile.write(data, to: file("samples.png"))
  }

  package func writeSummary(_ summary: JSON) throws {
    try AtomicFile.write(Data((summary.description + "\n").utf8), to: file("summary.json"))
  }

  /// Appends an event to `log.jsonl`.
  public func append(_ event: TrainingEvent) throws {
    try AppendedFile.append(Data((event.json.description + "\n").utf8), to: file(Self.logFile))
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

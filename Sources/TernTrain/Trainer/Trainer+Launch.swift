import Foundation
import TernCluster
import TernCore
import TernData
import TernNN
import TernRuntime

extension Trainer {
  /// Prepares a run from its settings alone: opens the device, the data and the network they name.
  ///
  /// - Parameters:
  ///   - catalog: where the device is looked up.
  ///   - allowsFallback: whether the CPU stands in for a device that is not there.
  ///   - run: the folder of a run that is gone on with.
  ///   - checkpoint: where to go on.
  ///   - group: the processes that train together.
  ///   - writesIndex: whether an index of samples in archives and databases may be put beside them.
  ///   - report: told what happens.
  public convenience init(
    _ configuration: TrainingConfiguration, catalog: DeviceCatalog, allowsFallback: Bool = false,
    run: RunDirectory? = nil, checkpoint: Checkpoint? = nil, group: (any ProcessGroup)? = nil,
    writesIndex: Bool = true, report: @escaping (TrainingEvent) throws -> Void
  ) throws {
    var configuration = configuration
    let modelPath = run?.modelPath(configuration.model) ?? configuration.model
    let choices = try Self.hinting(
      run, .deviceUnavailable, "\(Setting.flag("device")) goes on with another"
    ) {
      try catalog.chooseAll(configuration.device, allowsFallback: allowsFallback)
    }
    guard choices.count == 1 || choices.count == group?.size else {
      throw TernError(
        .usage,
        group == nil
          ? "device: several devices are for tern train"
          : "device: a process that a launcher started drives one device; start one for each")
    }
    // The same number whoever computes the shards, for the number of threads decides the last bits.
    if let shards = configuration.shards, shards > 1, configuration.threads == nil {
      configuration.threads =
        choices.count * max(1, ProcessInfo.processInfo.processorCount / shards)
    }
    var deviceOptions = configuration.deviceOptions
    deviceOptions.threads = deviceOptions.threads.map { max(1, $0 / choices.count) }
    let choice = choices[choices.count == 1 ? 0 : group?.rank ?? 0]
    let device = try catalog.open(choice, options: deviceOptions)
    // As many where the run goes on, for the same reason.
    if choices.count == 1, device.info.backend == "cpu" {
      configuration.threads = device.options.threads
    }
    configuration.device = choices.map(\.info.id).joined(separator: ",")
    if configuration.data.hasPrefix("images:"), !Model.isFile(modelPath) {
      var located = configuration
      located.model = modelPath
      configuration.imageSize = located.resolvedImageSize
    }
    let data = try Self.hinting(
      run, .notFound, "where the data has moved, \(Setting.flag("data")) says its place"
    ) {
      try TrainingData(
        configuration, checkpoint: checkpoint, model: modelPath, writesIndex: writesIndex)
    }
    let model = try configuration.network(modelPath, for: data.training)
    try self.init(
      configuration: configuration, model: model, data: data, device: device,
      deviceReason: choice.reason, checkpoint: checkpoint, group: group, report: report)
  }

  /// Adds to a fault of going on with a run what can be done about it.
  private static func hinting<Result>(
    _ run: RunDirectory?, _ kind: TernError.Kind, _ hint: String, _ body: () throws -> Result
  ) throws -> Result {
    do { return try body() } catch let error as TernError where error.kind == kind && run != nil {
      throw TernError(kind, "\(error.message); \(hint)")
    }
  }

  /// Does a run, goes on with it where its folder shows that it was begun, or finds it done.
  ///
  /// - Parameters:
  ///   - path: the run's folder.
  ///   - report: told what happens.
  /// - Returns: how far it came; `nil` where a signal ended it.
  /// - Throws: ``TernError``, also where the folder holds a run with other settings.
  public static func complete(
    _ configuration: TrainingConfiguration, in path: String, catalog: DeviceCatalog,
    report: @escaping (TrainingEvent) throws -> Void = { _ in }
  ) throws -> TrainingProgress? {
    let begun = RunDirectory.exists(path) ? try RunDirectory.open(path: path) : nil
    var checkpoint: Checkpoint?
    if let run = begun {
      guard try run.configuration().isRun(of: configuration) else {
        throw TernError(
          .usage, "\(path): was run with other settings", remedy: .chooseFolder)
      }
      try run.claim()
      checkpoint = try run.lastCheckpoint()
      if let progress = checkpoint?.progress, progress.isFinished { return progress }
    }
    // Nothing is written before everything that can be wrong with the settings was found.
    let trainer = try Trainer(
      configuration, catalog: catalog, run: begun, checkpoint: checkpoint, report: report)
    let run =
      try begun
      ?? RunDirectory.create(
        path: path, configuration: trainer.configuration, notes: trainer.settingNotes)
    guard try trainer.train(writingTo: run).reason != .interrupted else { return nil }
    return trainer.progress
  }
}

import ArgumentParser
import Foundation
import Tern

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network.",
    discussion: """
      What is used for training, validation and testing is printed at the start, and what is left out.

      Of a picture in a folder, turned as its camera noted, training and evaluation see the largest
      centred square, 7/8 of it on each side, resized by a triangle filter; training with --augment
      resized-crop a part drawn at random, other random changes what they say. A network that gives a
      class per pixel sees all of the picture.

      A solver of Caffe's gives the network and how it is trained; --data takes the place of its layers of data,
      and flags that of what it says.

      Examples:
        tern train lenet5 --data fashion-mnist --epochs 8
        tern train --solver lenet_solver.prototxt --data mnist
        tern train --resume runs/lenet5-1 --epochs 16
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml, .onnx, .prototxt).")
  var model: String?

  @OptionGroup var options: TrainingOptions

  @Option(
    help: ArgumentHelp("Go on with an earlier run. (default: start a new one)", valueName: "RUN"))
  var resume: String?
  @Flag(
    help: """
      With --resume and a larger --epochs, stretch a cosine or one-cycle schedule over all of them; \
      without, it ends where it was planned to.
      """)
  var restartSchedule = false
  @Option(help: ArgumentHelp("The folder to write. (default: runs/MODEL-N)", valueName: "DIR"))
  var out: String?
  @Option(help: ArgumentHelp("Read settings from a file. (default: none)", valueName: "FILE.yaml"))
  var config: String?
  @Option(
    help: ArgumentHelp(
      "Train as a solver of Caffe's says. (default: none)", valueName: "FILE.prototxt"))
  var solver: String?
  @Option(
    help: ArgumentHelp(
      "Set a setting by its name in config.yaml; repeatable.", valueName: "key=value"))
  var set: [String] = []
  @Flag(help: "Train on the CPU where the device asked for is not there.")
  var allowFallback = false
  @Option(help: "The form of the log: auto, bar, line, json.")
  var logFormat = LogFormat.auto
  @Flag(help: "Print JSON lines only, as --log-format json does.")
  var json = false
  @Option(help: "Colours: auto, always, never.")
  var color = ColorMode.auto
  @Flag(name: .shortAndLong, help: "Print results only.")
  var quiet = false
  @Flag(name: .shortAndLong, help: "Print the plan too.")
  var verbose = false
  @Flag(help: "Build, plan and run one step; write nothing.")
  var dryRun = false
  @Option(
    help: ArgumentHelp(
      "Write the time of every node (Chrome trace). (default: no file)", valueName: "FILE"))
  var profile: String?

  mutating func run() throws {
    Interruption.ignoreWriteSignals()
    guard resume != nil || !restartSchedule else {
      throw TernError(.usage, "restart-schedule: is for --resume")
    }
    try profile.map(AtomicFile.check)
    let group = try Cluster.join()
    // The first process alone writes and prints.
    if !Cluster.isFirst { quiet = true }
    var job = try resume.map(resumedJob) ?? newJob()
    if let group {
      guard !dryRun, profile == nil, job.configuration.folds == 1 else {
        throw TernError(.usage, "dry-run, profile and folds: are for one process")
      }
      job.configuration.shards = job.configuration.shards ?? group.size
    }
    if json { logFormat = .json }
    let reporter = Reporter(
      format: logFormat, color: color, isQuiet: quiet, configuration: job.configuration)
    if job.configuration.folds > 1, job.configuration.fold == nil {
      try crossValidate(job.configuration, reporter)
      return
    }
    let members = try deviceMembers(&job, group)
    do {
      try train(job, reporter, group: members?.first ?? group) {
        try members?.finish()
        try group?.finish()
      }
    } catch let error where !(error is ExitCode) {
      throw members?.end(error) ?? error
    }
  }

  /// The devices of this process behind the first, where it has several: each trains on a thread of its own.
  private func deviceMembers(_ job: inout Job, _ group: MPIGroup?) throws -> DeviceMembers? {
    let request = job.configuration.device
    guard request.contains(",") || request.hasSuffix(":all") else { return nil }
    let choices = try DeviceCatalog.standard.chooseAll(request, allowsFallback: allowFallback)
    guard choices.count > 1 else { return nil }
    guard group == nil else {
      throw TernError(
        .usage, "device: a process that a launcher started drives one device; start one for each")
    }
    guard !dryRun, profile == nil, job.configuration.folds == 1 else {
      throw TernError(.usage, "dry-run, profile and folds: are for one device")
    }
    job.configuration.device = choices.map(\.info.id).joined(separator: ",")
    job.configuration.shards = job.configuration.shards ?? choices.count
    let (configuration, path) = (job.configuration, job.run?.path)
    return try DeviceMembers(count: choices.count) { member in
      let run = try path.map { try RunDirectory.open(path: $0) }
      return try CompilationProgress.reporting({ _, _ in }) {
        try Trainer(
          configuration, catalog: .standard, run: run, checkpoint: try run?.lastCheckpoint(),
          group: member, report: { _ in })
      }
    }
  }

  /// - Parameter finish: waits for the other members where this one has done all.
  private func train(
    _ job: Job, _ reporter: Reporter, group: (any ProcessGroup)?, finish: () throws -> Void
  ) throws {
    let trainer = try reporter.showingCompilation {
      try Trainer(
        job.configuration, catalog: reporter.watching(.standard), allowsFallback: allowFallback,
        run: job.run, checkpoint: job.checkpoint, group: group, writesIndex: !dryRun,
        report: Cluster.isFirst ? reporter.report : { _ in })
    }
    if !quiet {
      for note in trainer.model.notes + job.notes + trainer.resumptionNotes {
        Output.progress(note)
      }
      for note in trainer.initializationNotes { Output.progress("init: \(note)") }
      if let note = trainer.freezingNote { Output.progress("freeze: \(note)") }
      if let note = trainer.algorithmNote { Output.progress("algorithm: \(note)") }
    }
    if verbose { Output.lines("\(trainer.trainingPlan.graph)") }
    if let profile { try writeProfile(trainer, to: profile) }
    if dryRun {
      reporter.finishDryRun(loss: try trainer.dryRun())
      return
    }
    // Nothing is written before everything that can be wrong with the input was found.
    Interruption.install()
    guard Cluster.isFirst else {
      let end = try trainer.train(writingTo: nil)
      try finish()
      if end.reason == .interrupted { throw ExitCode(128 + (Interruption.stop ?? SIGINT)) }
      return
    }
    trainer.pulse = reporter.pulse
    let run =
      try job.run
      ?? RunDirectory.create(
        path: out, configuration: trainer.configuration, notes: trainer.settingNotes)
    if job.run != nil { try run.write(trainer.configuration, notes: trainer.settingNotes) }
    // What went wrong stands on a line of its own.
    defer { reporter.closeBar() }
    let end = try trainer.train(writingTo: run)
    try finish()
    reporter.finish(end, run: run.path)
    if !quiet, job.checkpoint?.progress.step == trainer.stepCount, end.reason != .interrupted {
      let isOpen = job.configuration.steps == nil && end.reason == .finished
      Output.progress(
        "nothing was left to train" + (isOpen ? "; a larger --epochs goes on with the run" : ""))
    }
    if end.reason == .interrupted {
      Output.progress("resume with: tern train --resume \(run.path.shellPath)")
      throw ExitCode(128 + (Interruption.stop ?? SIGINT))
    }
  }

  private func crossValidate(_ configuration: TrainingConfiguration, _ reporter: Reporter) throws {
    guard !dryRun, profile == nil else {
      throw TernError(.usage, "folds: --dry-run and --profile are for single runs")
    }
    Interruption.install()
    var validation = CrossValidation()
    let isComplete = try validation.run(
      configuration, in: out, catalog: reporter.watching(.standard)
    ) {
      try reporter.report($1)
    }
    guard isComplete else {
      Output.progress("go on with the same command and --out \(validation.directory.shellPath)")
      throw ExitCode(128 + (Interruption.stop ?? SIGINT))
    }
    if logFormat == .json {
      Output.result(validation.json)
      return
    }
    let hasAccuracy = validation.accuracy.mean.isFinite
    var table = Table(
      ["FOLD", "VAL LOSS"] + (hasAccuracy ? ["VAL ACCURACY"] : []) + ["RUN"],
      numeric: hasAccuracy ? [1, 2] : [1])
    for fold in validation.folds {
      let accuracy = hasAccuracy ? [Format.fixed(fold.validation.accuracy, 4)] : []
      table.append(
        ["\(fold.number)", Format.loss(fold.validation.loss)] + accuracy + [fold.directory])
    }
    Output.result(table.text)
    let (name, spread) =
      hasAccuracy ? ("accuracy", validation.accuracy) : ("loss", validation.loss)
    Output.result(
      "\(name) \(Format.fixed(spread.mean, 4)) ± \(Format.fixed(spread.deviation, 4)) "
        + "over \(configuration.folds) folds")
  }

  private func writeProfile(_ trainer: Trainer, to path: String) throws {
    let trace = try trainer.profile()
    try AtomicFile.write(Data((trace.description + "\n").utf8), to: path)
  }
}

// MARK: - What to run

extension Train {
  struct Job {
    var configuration: TrainingConfiguration
    var run: RunDirectory?
    var checkpoint: Checkpoint?
    /// What is to be said before it begins.
    var notes: [String] = []
  }

  /// Settings given by flags: `--set` first, the flags of their own over it.
  private func givenSettings() throws -> [String: AttributeValue] {
    var settings: [String: AttributeValue] = [:]
    for assignment in set {
      guard let separator = assignment.firstIndex(of: "=") else {
        throw TernError(.usage, "set: expected key=value, got '\(assignment)'")
      }
      let key = String(assignment[..<separator]).replacing("-", with: "_")
      settings[key] = try YAML.parseValue(String(assignment[assignment.index(after: separator)...]))
    }
    settings.merge(try options.settings()) { _, flag in flag }
    if let model { settings["model"] = .string(model) }
    return settings
  }

  private func newJob() throws -> Job {
    var settings: [String: AttributeValue] = [:]
    if let config { settings = try YAML.map(ofFile: config) }
    let file = settings
    var solverNotes: [String] = []
    if let solver {
      let read = try CaffeSolver(contentsOf: solver)
      settings.merge(read.settings) { own, _ in own }
      solverNotes = read.notes
    }
    settings.merge(try givenSettings()) { _, given in given }
    let recipe = TrainingConfiguration.recipe(for: settings)
    for required in ["model", "data"] where settings[required] ?? recipe[required] == nil {
      throw TernError(
        .usage,
        required == "model"
          ? "which model? see 'tern models'" : "which data? give --data, such as fashion-mnist")
    }
    do {
      let words = recipe.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.words)" }
      var job = Job(configuration: try TrainingConfiguration(settings))
      if !words.isEmpty {
        job.notes = ["recipe of \(job.configuration.model): \(words.joined(separator: ", "))"]
      }
      job.notes = solverNotes + job.notes
      if !dryRun, Cluster.isFirst, job.configuration.folds == 1 {
        try RunDirectory.check(path: out)
      }
      return job
    } catch let error as TernError {
      // What is wrong without the flags is the file's fault.
      if let config, Self.fault(of: file)?.message == error.message {
        throw TernError(.usage, "\(config): \(error.message)")
      }
      throw error
    }
  }

  private static func fault(of settings: [String: AttributeValue]) -> TernError? {
    do { _ = try TrainingConfiguration(settings) } catch { return error as? TernError }
    return nil
  }

  private func resumedJob(_ path: String) throws -> Job {
    let run = try RunDirectory.open(path: path)
    guard config == nil, out == nil, solver == nil else {
      throw TernError(
        .usage, "--resume takes its settings from the run; drop --config, --solver and --out")
    }
    // Before anything is read that another process may be writing.
    if !dryRun, Cluster.isFirst { try run.claim() }
    let resumption = try Resumption(
      of: run, given: givenSettings(), restartsSchedule: restartSchedule)
    return Job(
      configuration: resumption.configuration, run: run, checkpoint: try run.lastCheckpoint(),
      notes: resumption.notes)
  }
}

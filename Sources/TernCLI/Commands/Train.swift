import ArgumentParser
import Foundation
import Tern

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network.",
    discussion: """
      Examples:
        tern train lenet5 --data fashion-mnist --epochs 8
        tern train --resume runs/lenet5-1 --epochs 16
      """)

  @Argument(help: "A model's name (see 'tern models') or a model file (.yaml).")
  var model: String?

  @OptionGroup var options: TrainingOptions

  @Option(help: ArgumentHelp("Go on with an earlier run.", valueName: "RUN"))
  var resume: String?
  @Option(help: ArgumentHelp("The folder to write. (default: runs/MODEL-N)", valueName: "DIR"))
  var out: String?
  @Option(help: ArgumentHelp("Read settings from a file.", valueName: "FILE.yaml"))
  var config: String?
  @Option(help: ArgumentHelp("Set a setting by its name in config.yaml.", valueName: "key=value"))
  var set: [String] = []
  @Flag(help: "Let the CPU run what the device has no kernel for.")
  var allowFallback = false
  @Option(help: "The form of the log: auto, bar, line, json.")
  var logFormat = LogFormat.auto
  @Option(help: "Colours: auto, always, never.")
  var color = ColorMode.auto
  @Flag(name: .shortAndLong, help: "Print results only.")
  var quiet = false
  @Flag(name: .shortAndLong, help: "Print the plan too.")
  var verbose = false
  @Flag(help: "Build, plan and run one step; write nothing.")
  var dryRun = false
  @Option(help: ArgumentHelp("Write the time of every node (Chrome trace).", valueName: "FILE"))
  var profile: String?

  func run() throws {
    Interruption.ignoreWriteSignals()
    let job = try resume.map(resumedJob) ?? newJob()
    let reporter = Reporter(
      format: logFormat, color: color, isQuiet: quiet, configuration: job.configuration)
    if job.configuration.folds > 1, job.configuration.fold == nil {
      try crossValidate(job.configuration, reporter)
      return
    }
    let trainer = try Trainer(
      job.configuration, catalog: .standard, run: job.run, checkpoint: job.checkpoint,
      report: reporter.report)
    if !quiet {
      for note in trainer.initializationNotes { Output.progress("init: \(note)") }
    }
    if verbose { Output.progress("\(trainer.trainingPlan.graph)") }
    if let profile { try writeProfile(trainer, to: profile) }
    if dryRun {
      try trainer.dryRun()
      return
    }
    // Nothing is written before everything that can be wrong with the input was found.
    Interruption.install()
    let run =
      try job.run
      ?? RunDirectory.create(
        path: out ?? RunDirectory.nextPath(model: job.configuration.model),
        configuration: job.configuration)
    if job.run != nil { try run.write(job.configuration) }
    let end = try trainer.train(writingTo: run)
    reporter.finish(end, run: run.path)
    if end.reason == .interrupted {
      Output.progress("resume with: tern train --resume \(run.path.shellWord)")
      throw ExitCode(128 + (Interruption.stop ?? SIGINT))
    }
  }

  private func crossValidate(_ configuration: TrainingConfiguration, _ reporter: Reporter) throws {
    guard !dryRun, profile == nil else {
      throw TernError(.usage, "folds: --dry-run and --profile are for single runs")
    }
    Interruption.install()
    let directory = out ?? RunDirectory.nextPath(model: configuration.model)
    var validation = CrossValidation()
    let isComplete = try validation.run(configuration, in: directory, catalog: .standard) {
      try reporter.report($1)
    }
    guard isComplete else {
      Output.progress("go on with the same command and --out \(directory.shellWord)")
      throw ExitCode(128 + (Interruption.stop ?? SIGINT))
    }
    guard logFormat != .json else { return }
    var table = Table(["FOLD", "VAL LOSS", "VAL ACCURACY", "RUN"], numeric: [1, 2])
    for fold in validation.folds {
      table.append([
        "\(fold.number)", Format.fixed(fold.validation.loss, 4),
        Format.fixed(fold.validation.accuracy, 4), fold.directory,
      ])
    }
    Output.result(table.text)
    Output.result(
      "accuracy \(Format.fixed(validation.meanAccuracy, 4)) ± "
        + "\(Format.fixed(validation.accuracyDeviation, 4)) over \(configuration.folds) folds")
  }

  private func writeProfile(_ trainer: Trainer, to path: String) throws {
    let trace = try trainer.profile()
    try AtomicFile.write(Data((trace.description + "\n").utf8), to: path)
  }
}

// MARK: - What to run

extension Train {
  struct Job {
    let configuration: TrainingConfiguration
    var run: RunDirectory?
    var checkpoint: Checkpoint?
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
    settings.merge(try givenSettings()) { _, given in given }
    for required in ["model", "data"] where settings[required] == nil {
      throw TernError(
        .usage,
        required == "model"
          ? "which model? see 'tern models'" : "which data? give --data, such as fashion-mnist")
    }
    return Job(configuration: try TrainingConfiguration(settings))
  }

  private func resumedJob(_ path: String) throws -> Job {
    let run = try RunDirectory.open(path: path)
    let stored = try run.configuration()
    guard config == nil, out == nil else {
      throw TernError(.usage, "--resume takes its settings from the run; drop --config and --out")
    }
    var settings = Dictionary(uniqueKeysWithValues: stored.settings.map { ($0.name, $0.value) })
    var differences: [(name: String, stored: AttributeValue, given: AttributeValue)] = []
    for (name, value) in try givenSettings().sorted(by: { $0.key < $1.key }) {
      var changed = settings
      changed[name] = value
      // Compared as configurations, so that 1 and 1.0 are the same.
      let isSame = try TrainingConfiguration(changed) == TrainingConfiguration(settings)
      var isExtension = false
      if name == "epochs", case .int(let epochs) = value { isExtension = epochs >= stored.epochs }
      if isSame || isExtension {
        settings = changed
      } else {
        differences.append((name, settings[name] ?? .null, value))
      }
    }
    guard differences.isEmpty else {
      let was = differences.map { "\($0.name) \($0.stored)" }.joined(separator: ", ")
      let now = differences.map { "\($0.name) \($0.given)" }.joined(separator: ", ")
      throw TernError(
        .usage,
        "\(path) was trained with \(was), not with \(now); "
          + "only a larger --epochs can be given with --resume")
    }
    return Job(
      configuration: try TrainingConfiguration(settings), run: run,
      checkpoint: try run.lastCheckpoint())
  }
}

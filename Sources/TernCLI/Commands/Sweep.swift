import ArgumentParser
import Foundation
import Tern

struct SweepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep",
    abstract: "Train many times with different settings, and rank the results.",
    discussion: """
      The file names the method, the settings all runs share, and those that vary. Methods are grid,
      random, bayesian (Parzen densities of good and bad trials) and gaussian-process (the largest
      expected improvement under a Gaussian process). A trial that cannot be done is said and recorded, and the others go on. A sweep that
      was interrupted goes on with the same command.

        method: bayesian
        trials: 20
        metric: test_accuracy
        settings: {model: lenet5, data: fashion-mnist, epochs: 2}
        parameters:
          lr: {min: 0.001, max: 0.3, scale: log}
          optimizer: [sgd, adam]

      Example:
        tern sweep lr.yaml --out runs/lr-sweep
      """)

  @Argument(help: ArgumentHelp("The sweep to run.", valueName: "FILE.yaml"))
  var file: String

  @Option(help: ArgumentHelp("The folder to write. (default: runs/FILE)", valueName: "DIR"))
  var out: String?
  @Flag(help: "Print a JSON object per trial, the best last.")
  var json = false
  @Flag(name: .shortAndLong, help: "Print the ranking only.")
  var quiet = false

  func run() throws {
    Interruption.ignoreWriteSignals()
    let sweep = try Sweep(contentsOf: file)
    let name = file.pathStem
    let directory = out ?? "runs/\(name)"
    for name in ["sweep.csv", "sweep.svg"] { try AtomicFile.refuseLink("\(directory)/\(name)") }
    Interruption.install()
    let names = sweep.space.parameters.map(\.name)
    let trials = try sweep.run(in: directory, catalog: .standard) { trial in
      guard !quiet, !json else { return }
      let values = zip(names, trial.values).map { "\($0) \(Self.text($1))" }
      Output.progress(
        "trial \(trial.number)/\(sweep.trialCount)  \(values.joined(separator: "  "))  "
          + (trial.failure.map { "failed: \($0)" }
            ?? "\(sweep.metric.name) \(Format.fixed(trial.result, 4))"))
    }
    let ranked = sweep.ranked(trials)
    if !ranked.isEmpty { try write(sweep, ranked, to: directory) }
    if json {
      for trial in ranked.reversed() { Output.result(Self.json(trial, names, sweep.metric.name)) }
    } else {
      var table = Table(
        ["TRIAL"] + names.map { $0.uppercased() } + [sweep.metric.name.uppercased()])
      for trial in ranked {
        table.append(
          ["\(trial.number)"] + trial.values.map(Self.text)
            + [trial.failure == nil ? Format.fixed(trial.result, 4) : "failed"])
      }
      Output.result(table.text)
      if !ranked.isEmpty { Output.result("\(directory)/sweep.svg".visible) }
    }
    if let stop = Interruption.stop {
      Output.progress("go on with: tern sweep \(file.shellPath) --out \(directory.shellPath)")
      throw ExitCode(128 + stop)
    }
  }

  private func write(_ sweep: Sweep, _ ranked: [Sweep.Trial], to directory: String) throws {
    var csv =
      (["trial"] + sweep.space.parameters.map(\.name) + [sweep.metric.name, "error"])
      .map(\.csvField).joined(separator: ",") + "\n"
    for trial in ranked {
      let cells = ["\(trial.number)"] + trial.values.map(Self.text)
      csv +=
        (cells + [trial.result.isFinite ? "\(trial.result)" : "", trial.failure ?? ""]).map(
          \.csvField
        )
        .joined(separator: ",") + "\n"
    }
    try AtomicFile.write(Data(csv.utf8), to: "\(directory)/sweep.csv")
    try AtomicFile.write(
      Data(ParallelPlot(sweep, ranked).svg.utf8), to: "\(directory)/sweep.svg")
  }

  private static func text(_ value: AttributeValue) -> String {
    switch value {
    case .string(let text): text
    case .double(let number): String(format: "%.4g", number)
    default: "\(value)"
    }
  }

  private static func json(_ trial: Sweep.Trial, _ names: [String], _ metric: String) -> JSON {
    let settings = zip(names, trial.values).map { JSON.Member(name: $0, value: JSON($1)) }
    return JSON.object([
      "trial": .int(trial.number), "settings": .object(settings), "metric": .string(metric),
      "value": .double(trial.result), "error": trial.failure.map(JSON.string) ?? .null,
      "run": .string(trial.directory),
    ])
  }
}

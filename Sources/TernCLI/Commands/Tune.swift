import ArgumentParser
import Foundation
import Tern
import TernConformance

struct Tune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the fastest implementation of each operation on a device.",
    discussion: """
      Every implementation of a convolution or matrix product is checked, then timed; the fastest \
      is used from then on. What is found is kept for the device, its driver and this version in \
      $XDG_CACHE_HOME/tern (by default ~/.cache/tern), also when the search is interrupted: a \
      second run goes on where the first ended.

      Examples:
        tern tune --device opencl --model lenet5 --batch-size 64 --budget 120
        tern tune --device opencl --suite resnet50 --budget 600
      """)

  @OptionGroup var device: DeviceArguments

  @Option(
    help: ArgumentHelp(
      "A network whose training step to tune, by name or file. (default: lenet5)",
      valueName: "MODEL"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "A benchmark suite, by name or file, whose operations to tune.", valueName: "FILE"))
  var suite: String?

  @Option(help: "Samples per step of the network.")
  var batchSize = 64

  @Option(help: "How long to search, in seconds.")
  var budget = 120.0

  @Flag(help: "Tune again what was tuned before.")
  var force = false

  @Flag(help: "Print a JSON line per finding.")
  var json = false

  func run() throws {
    guard batchSize >= 1 else {
      throw TernError(.usage, "batch-size: expected at least 1, got \(batchSize)")
    }
    guard budget > 0, budget <= 1e6 else {
      throw TernError(.usage, "budget: expected 0 to 1,000,000 seconds, got \(budget)")
    }
    guard device.algorithm == nil else {
      throw TernError(.usage, "algorithm: the tuner tries all of them")
    }
    let tuner = try Tuner(try device.open())
    guard model == nil || suite == nil else {
      throw TernError(.usage, "give --model or --suite, not both")
    }
    let problems =
      try suite.map { try tuner.problems(in: [BenchmarkSuite($0)]) } ?? networkProblems(tuner)
    let open = problems.filter { force || !tuner.isTuned($0) }
    Output.progress(
      "\(problems.count) to tune, \(problems.count - open.count) of them known, in "
        + (tuner.databasePath ?? "memory (TERN_CACHE=off)"))
    let clock = ContinuousClock()
    let start = clock.now
    for (index, problem) in open.enumerated() {
      guard (clock.now - start) / .seconds(1) < budget else {
        Output.progress(
          "the budget of \(Format.fixed(budget, 0)) s is spent, \(open.count - index) are left; "
            + "run it again to go on")
        break
      }
      report(try tuner.tune(problem))
    }
  }

  private func networkProblems(_ tuner: Tuner) throws -> [Tuner.Problem] {
    try tuner.problems(
      in: TrainingGraph.all(
        of: Model.named(model ?? "lenet5"), batchSize: batchSize,
        update: .init(.sgd(momentum: 0.9))
      ).map(\.graph))
  }

  private func report(_ finding: Tuner.Finding) {
    if json {
      Output.result(
        JSON.object([
          "problem": .string(finding.problem),
          "candidates": .array(
            finding.candidates.map {
              .object([
                "implementation": .string($0.name),
                "seconds": $0.seconds.map(JSON.double) ?? .null,
              ])
            }),
        ]).description)
      return
    }
    let times = finding.candidates.prefix(4).map { candidate in
      "\(candidate.name) "
        + (candidate.seconds.map { Format.fixed($0 * 1e3, 3) + " ms" } ?? "wrong")
    }
    Output.result("\(finding.problem): \(times.joined(separator: ", "))")
  }
}

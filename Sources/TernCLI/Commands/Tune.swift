import ArgumentParser
import Foundation
import Synchronization
import Tern
import TernBenchmark
import TernConformance

struct Tune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the fastest implementation of each operation on a device.",
    discussion: """
      The few most promising implementations of a convolution, matrix product or update are \
      checked, then timed; the fastest is used from then on. One that takes twice as long as the \
      best is timed once, one that cannot be faster is not run, and where the best is near what \
      the device can do the search for it ends. What is found is kept for the device, its driver, \
      its threads and this version in $XDG_CACHE_HOME/tern (by default ~/.cache/tern), also when \
      the search is interrupted or its budget is spent: a second run goes on where the first \
      ended. A package may ship such a file in the folder tern of $XDG_DATA_DIRS, for a device or, \
      as tuning-ARCHITECTURE-FAMILY.json (many-threads, sm_86), for all of its like; the user's \
      findings go before it.

      Examples:
        tern tune --device opencl --model lenet5 --batch-size 64 --budget 120
        tern tune --device opencl --suite resnet50 --budget 600
        tern tune --device cpu --model resnet18 --batch-size 16
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

  @Option(help: "How long to search, in seconds; the search ends then, whatever is left.")
  var budget = 100.0

  @Flag(help: "Tune again what was tuned before.")
  var force = false

  @Flag(help: "Print a JSON line per finding, and one that counts them.")
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
    // Measuring what the device can do takes a second.
    var tuner = try Tuner(try device.open(), measuresPeak: budget >= 10)
    guard model == nil || suite == nil else {
      throw TernError(.usage, "give --model or --suite, not both")
    }
    let problems =
      try suite.map { try tuner.problems(in: [BenchmarkSuite($0)]) } ?? networkProblems(tuner)
    let open = problems.filter { force || !tuner.isTuned($0) }
    Output.progress(
      "\(problems.count) to tune, \(problems.count - open.count) of them known, in "
        + (tuner.databasePath ?? "memory (TERN_CACHE=off)"))
    let deadline = try Deadline(
      seconds: budget, knownCount: problems.count - open.count, problemCount: open.count,
      json: json)
    var search = TuningBudget(seconds: budget)
    // What is left of the time when all have had their part is for those that needed more.
    var failures: [TernError] = []
    var round = open.map { (problem: $0, untried: Int.max) }
    while !round.isEmpty {
      var next: [(problem: Tuner.Problem, untried: Int)] = []
      for (index, entry) in round.enumerated() where search.remainingSeconds > 0 {
        search.start(problemsLeft: round.count - index)
        let finding: Tuner.Finding
        let place = "tuning \(index + 1)/\(round.count): \(entry.problem.description)"
        do {
          defer { clear() }
          finding = try tuner.tune(entry.problem, within: &search) { show("\(place), \($0)") }
        } catch let error as TernError where error.kind != .cannotWrite {
          // The other problems may have an implementation that is right.
          Output.warning(error.message)
          failures.append(error)
          continue
        }
        let untried = finding.untried.count
        deadline.note(isComplete: untried == 0, isFirst: entry.untried == Int.max)
        if untried == 0 || entry.untried == Int.max { report(finding) }
        if untried > 0, untried < entry.untried { next.append((entry.problem, untried)) }
      }
      round = search.remainingSeconds > 0 ? next : []
    }
    deadline.summarize()
    if let failure = failures.first { throw ExitCode(failure.kind.exitCode) }
  }

  private func networkProblems(_ tuner: Tuner) throws -> [Tuner.Problem] {
    try tuner.problems(
      in: TrainingGraph.all(
        of: Model.named(model ?? "lenet5"), batchSize: batchSize,
        update: .init(.sgd(momentum: 0.9))
      ).map(\.graph))
  }

  /// What is at work, in a line that is drawn over; for terminals alone.
  private func show(_ text: String) {
    guard CompilationDisplay.isTerminal else { return }
    Output.control("\r\u{1B}[K\(text.visible)")
  }

  private func clear() { if CompilationDisplay.isTerminal { Output.control("\r\u{1B}[K") } }

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
                "fault": $0.fault.map(JSON.string) ?? .null,
                "preparation_seconds": .double($0.preparationSeconds),
              ])
            }),
          "untried": .array(finding.untried.map(JSON.string)),
          "not_run": .array(finding.hopeless.map(JSON.string)),
          "share_of_roof": finding.shareOfRoof.map(JSON.double) ?? .null,
        ]))
      return
    }
    let times = finding.candidates.prefix(4).map { candidate in
      "\(candidate.name) "
        + (candidate.seconds.map { Format.fixed($0 * 1e3, 3) + " ms" }
          ?? (candidate.fault == nil ? "wrong" : "failed"))
    }
    var notes = finding.untried.isEmpty ? [] : ["no time for \(finding.untried.count) more"]
    if let share = finding.shareOfRoof, share >= 0.01 {
      notes.append("\(Format.fixed(share * 100, 0)) % of the roof")
    }
    if !finding.hopeless.isEmpty {
      notes.append("\(finding.hopeless.joined(separator: ", ")) cannot be faster")
    }
    Output.result(
      ([finding.problem + ": " + times.joined(separator: ", ")] + notes)
        .joined(separator: "; "))
  }
}

/// Ends the process when the time is over. The search looks at the clock too, but a driver's compiler
/// cannot be interrupted; whatever was found has been written by then.
private final class Deadline: Sendable {
  private let seconds: Double
  private let knownCount: Int
  private let json: Bool
  /// Problems of which every candidate was measured, some were, and none was.
  private let counts: Mutex<(complete: Int, partial: Int, untouched: Int)>
  private let hasEnded = Mutex(false)

  init(seconds: Double, knownCount: Int, problemCount: Int, json: Bool) throws {
    self.seconds = seconds
    self.knownCount = knownCount
    self.json = json
    counts = Mutex((0, 0, problemCount))
    try BackgroundThread.start("the tuner's deadline") { [self] in
      Thread.sleep(forTimeInterval: seconds)
      summarize()
      // Without the drivers' own clean-up: their compilers are at work.
      _exit(Output.failure?.kind.exitCode ?? 0)
    }
  }

  /// - Parameter isFirst: whether the problem was not searched in part before.
  func note(isComplete: Bool, isFirst: Bool) {
    counts.withLock { counts in
      if isFirst { counts.untouched -= 1 } else { counts.partial -= 1 }
      if isComplete { counts.complete += 1 } else { counts.partial += 1 }
    }
  }

  /// Says what remains, once. The second caller returns when the first has said it: the process ends
  /// then.
  func summarize() {
    hasEnded.withLock { hasEnded in
      if !hasEnded { printSummary() }
      hasEnded = true
    }
  }

  private func printSummary() {
    let (complete, partial, untouched) = counts.withLock { $0 }
    if json {
      Output.result(
        JSON.object([
          "known": .int(knownCount), "tuned": .int(complete), "partial": .int(partial),
          "left": .int(untouched),
        ]))
    }
    guard partial + untouched > 0 else {
      Output.progress(complete > 0 ? "\(complete) tuned" : "nothing left to do")
      return
    }
    Output.progress(
      "the budget of \(Format.fixed(seconds, 0)) s is spent: \(complete) tuned, \(partial) in "
        + "part, \(untouched) left; run it again to go on")
  }
}

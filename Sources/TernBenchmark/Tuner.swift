import Tern
import TernConformance
import TernRuntime

/// Finds the fastest of what a device has several implementations for: each is checked against other
/// numbers, then timed.
package struct Tuner {
  private let device: any CandidateDevice
  private let judge: any Device
  /// By which a search ends early; `nil` where it is not known.
  private var peak: DevicePeak?

  /// What was found for one problem.
  package struct Finding: Sendable {
    package struct Candidate: Sendable {
      package let name: String
      /// The least time of a run, in seconds; `nil` where the numbers were wrong, or it did not run.
      package let seconds: Double?
      /// Why it did not run.
      package var fault: String?
      /// What compiling and checking took, in seconds.
      package let preparationSeconds: Double
    }
    package let problem: String
    /// The fastest in front.
    package let candidates: [Candidate]
    /// The candidates for which there was no time.
    package let untried: [String]
    /// Those that were not run: they cannot be faster than what was measured.
    package let hopeless: [String]
    /// How much of what the device can do at most the fastest does; above 1 where it needs fewer operations,
    /// or caches hold what it reads.
    package let shareOfRoof: Double?
  }

  /// A candidate is timed for so long, or this often if that takes longer.
  private static let timedSeconds = 0.05
  private static let leastGroups = 3
  private static let groupSeconds = 0.002
  /// As near to what the device can do as any kernel comes.
  private static let nearRoof = 0.85
  /// A candidate that is so many times as slow as the best is not timed again.
  private static let slowness = 2.0

  /// - Parameter measuresPeak: whether to measure first what the device can do, for about a second.
  /// - Throws: ``TernError`` where the device has nothing to tune.
  package init(_ device: any Device, measuresPeak: Bool = true) throws {
    guard let device = device as? any CandidateDevice else {
      throw TernError(
        .usage,
        "\(device.info.id) has nothing to tune; the devices cpu and opencl have")
    }
    self.device = device
    // The CPU's own loops are held against its library's primitives.
    judge = try DeviceCatalog.standard.open(
      "cpu",
      options: DeviceOptions(threads: device.options.threads, candidates: Self.libraryAlone))
    peak = measuresPeak ? try device.measurePeak() : nil
  }

  /// The shortest time that a problem can take; what fits the caches need not be read from memory.
  private func roofSeconds(_ cost: Cost) -> Double? {
    peak.map {
      2 * cost.bytes <= device.info.cacheByteCount
        ? $0.computeSeconds(cost) : $0.roofSeconds(cost)
    }
  }

  /// Corrects a peak that was measured beside other programs.
  private mutating func note(_ cost: Cost, seconds: Double) {
    guard let old = peak else { return }
    peak = DevicePeak(gflops: max(old.gflops, Double(cost.flops) / seconds / 1e9), gbs: old.gbs)
  }

  private static let libraryAlone = CandidateRequest(wanted: ["onednn"], forbidden: ["fused"])

  /// Where findings are kept; `nil` where the user wants no cache.
  package var databasePath: String? { device.candidates.tuning.path }

  /// How many problems the database has.
  package var findingCount: Int { device.candidates.tuning.count }

  /// Whether an earlier run has measured all candidates of a problem.
  package func isTuned(_ problem: Problem) -> Bool {
    device.candidates.tuning.entry(problem.description)?.isComplete ?? false
  }

  /// Something that has several candidates, and how they are measured.
  package struct Problem {
    let measurement: CandidateMeasurement

    package var description: String { measurement.problem.description }
  }

  /// What there is to tune in graphs, each once, in order.
  package func problems(in graphs: [Graph]) throws -> [Problem] {
    var seen: Set<String> = []
    return try graphs.flatMap { try device.measurements(in: $0).map(Problem.init) }
      .filter { seen.insert($0.description).inserted }
  }

  /// What there is to tune in the cases of suites.
  package func problems(in suites: [BenchmarkSuite]) throws -> [Problem] {
    try problems(in: suites.flatMap { try $0.cases.map { try Self.graph(of: $0.opCase) } })
  }

  /// The forward and backward pass of a case, as a graph to find problems in.
  private static func graph(of opCase: OpCase) throws -> Graph {
    guard let operation = OperationSpec.named(opCase.operation) else {
      throw TernError(.badData, "no operation is named \(opCase.operation)")
    }
    let builder = GraphBuilder()
    var inputs: [String: Tensor] = [:]
    for (name, input) in opCase.inputs.sorted(by: { $0.key < $1.key }) {
      inputs[name] = try builder.input(name, input.type)
    }
    let results = try operation.build(
      Attributes(operation.name, opCase.attributes), inputs)
    let seeds = try results.enumerated().map { index, result in
      builder.output("output.\(index)", result)
      return (result, try builder.input("cotangent.\(index)", result.type))
    }
    let targets = inputs.sorted { $0.key < $1.key }.map(\.value)
      .filter { $0.type.dataType == .float32 }
    for (index, gradient) in try builder.gradients(of: seeds, withRespectTo: targets).enumerated() {
      if let gradient { builder.output("gradient.\(index)", gradient) }
    }
    return builder.graph
  }

  /// Times the candidates of a problem for which there is time, the first in any case, and lets the
  /// device use the fastest from then on.
  ///
  /// - Parameters:
  ///   - budget: shared by all problems; ``TuningBudget/start(problemsLeft:)`` has been called.
  ///   - progress: told of every candidate before it is compiled.
  /// - Throws: ``TernError`` where none computes the right numbers.
  package mutating func tune(
    _ problem: Problem, within budget: inout TuningBudget, progress: (String) -> Void = { _ in }
  ) throws -> Finding {
    let (graph, tuning) = (problem.measurement.graph, device.candidates.tuning)
    let values = graph.inputValues(seed: 0)
    let expected = try Session(device: judge).compile(graph).run(values).mapValues(\.doubles)
    let measured = problem.measurement.problem.measured(within: device.measuringMargin)
    let cost = problem.measurement.cost
    var best = Double.infinity
    var candidates: [Finding.Candidate] = []
    var (untried, hopeless): ([String], [String]) = ([], [])
    for candidate in measured {
      let name = candidate.name
      if isHopeless(candidate, cost, best: best) {
        hopeless.append(name)
        continue
      }
      guard candidates.isEmpty || budget.admits(name) else {
        untried.append(name)
        continue
      }
      progress(name)
      tuning.force(problem.description, name)
      defer { tuning.force(problem.description, nil) }
      let (executable, isRight, preparation): (Executable, Bool, Double)
      do {
        (executable, isRight, preparation) = try budget.preparing(name) {
          let executable = try Session(device: device).compile(graph)
          // One for which the device has no room has given way to another.
          guard
            problem.measurement.unnamed.contains(name)
              || executable.bound.implementations.contains(where: { Self.names($0, name) })
          else {
            throw TernError(.runtime, "the device has no room for it")
          }
          return (executable, try agrees(executable.run(values), expected))
        }
      } catch let error as TernError {
        // One of many that does not compile or run is no reason to end the search.
        candidates.append(
          .init(name: name, seconds: nil, fault: error.message, preparationSeconds: 0))
        continue
      }
      let seconds = isRight ? try time(executable, against: best) : nil
      best = min(best, seconds ?? .infinity)
      candidates.append(
        .init(name: name, seconds: seconds, preparationSeconds: preparation))
    }
    candidates.sort { ($0.seconds ?? .infinity) < ($1.seconds ?? .infinity) }
    guard let fastest = candidates[0].seconds else {
      throw TernError(
        .runtime,
        "\(problem.description): no implementation gives right numbers: "
          + candidates.map { "\($0.name): \($0.fault ?? "wrong numbers")" }.joined(separator: ", "))
    }
    try tuning.record(
      problem.description,
      .init(
        implementation: candidates[0].name, seconds: fastest, isComplete: untried.isEmpty))
    let share = roofSeconds(cost).map { $0 / fastest }
    // Winograd's algorithm does fewer operations than are counted.
    if !candidates[0].name.contains("winograd") { note(cost, seconds: fastest) }
    return Finding(
      problem: problem.description, candidates: candidates, untried: untried, hopeless: hopeless,
      shareOfRoof: share)
  }

  /// Whether an implementation, as profiles name it, is a candidate: by itself, or with what it calls in
  /// parentheses.
  private static func names(_ implementation: String, _ candidate: String) -> Bool {
    implementation == candidate || implementation.hasPrefix(candidate + " (")
  }

  /// Whether a candidate cannot be faster than the best, which is near what the device can do, or takes less
  /// time than the candidate's operations would at twice the device's peak: a peak measured beside other
  /// programs may be half of what there is.
  private func isHopeless(_ candidate: Candidate, _ cost: Cost, best: Double) -> Bool {
    guard let peak, let roof = roofSeconds(cost), best < .infinity else { return false }
    let isNearRoof = (Self.nearRoof...1 / Self.nearRoof).contains(roof / best)
    return isNearRoof || candidate.cost / (2 * peak.gflops * 1e9) >= best
  }

  /// Winograd's transforms lose a few bits; an implementation that is wrong is wrong by much more.
  private func agrees(_ got: [String: HostTensor], _ expected: [String: [Double]]) -> Bool {
    expected.allSatisfy { name, target in
      let scale = target.reduce(0) { max($0, abs($1)) }
      let tolerance = max(1e-3, 4 * device.precision.unitRoundoff)
      return zip(got[name]!.doubles, target).allSatisfy { abs($0 - $1) <= tolerance * scale }
    }
  }

  /// The least time of a run; one alone of what is far from the best.
  private func time(_ executable: Executable, against best: Double) throws -> Double {
    let clock = ContinuousClock()
    func time(_ count: Int) throws -> Double {
      // What brings values from one layout to another is not the candidate's.
      if !device.isAsynchronous {
        let operations = executable.plan.order.map { executable.plan.graph.nodes[$0].operation }
        return try (0..<count).map { _ in
          try zip(operations, executable.profile()).filter { !($0.0 is Operations.Reorder) }
            .reduce(0) { $0 + $1.1 }
        }.min()!
      }
      let start = clock.now
      for _ in 0..<count { try executable.step() }
      try executable.synchronize()
      return (clock.now - start) / .seconds(1) / Double(count)
    }
    var least = try time(1)
    if least > Self.slowness * best { return least }
    // Several at once: a short run by itself would measure the waiting for it.
    let group = max(1, min(100, Int(Self.groupSeconds / least)))
    let start = clock.now
    var groups = 0
    while groups < Self.leastGroups || (clock.now - start) / .seconds(1) < Self.timedSeconds {
      least = min(least, try time(group))
      groups += 1
      if least > Self.slowness * best { break }
    }
    return least
  }
}

import Tern
import TernOpenCL

/// Finds the fastest implementation of what a device has several for: each is checked against the
/// CPU backend's numbers, then timed.
package struct Tuner {
  private let device: OpenCLDevice
  private let judge: any Device

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
  }

  /// A candidate is timed for so long, or this often if that takes longer.
  private static let timedSeconds = 0.05
  private static let leastGroups = 3
  private static let groupSeconds = 0.002

  /// - Throws: ``TernError`` where the device has nothing to tune.
  package init(_ device: any Device) throws {
    guard let device = device as? OpenCLDevice else {
      throw TernError(
        .usage, "\(device.info.id) has nothing to tune; tune an OpenCL device (--device opencl)")
    }
    self.device = device
    judge = try DeviceCatalog.standard.open("cpu")
  }

  /// Where findings are kept; `nil` where the user wants no cache.
  package var databasePath: String? { device.tuning.path }

  /// How many problems the database has.
  package var findingCount: Int { device.tuning.count }

  /// Whether an earlier run has measured all candidates of a problem.
  package func isTuned(_ problem: Problem) -> Bool {
    device.tuning.entry(problem.description)?.isComplete ?? false
  }

  /// The operation of a node with the types of its inputs.
  package struct Problem {
    let operation: any Operation
    let inputs: [TensorType]
    let tuning: TuningProblem

    package var description: String { tuning.description }
  }

  /// What there is to tune in graphs, each once, in order.
  package func problems(in graphs: [Graph]) throws -> [Problem] {
    var seen: Set<String> = []
    return try graphs.flatMap { graph in
      let planned = try Session(device: device).plan(graph).graph
      return try planned.nodes.compactMap { node -> Problem? in
        let inputs = planned.types(node.inputs)
        return try device.tuningProblem(of: node.operation, inputs: inputs).map {
          Problem(operation: node.operation, inputs: inputs, tuning: $0)
        }
      }
    }.filter { seen.insert($0.description).inserted }
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
  /// - Parameter budget: shared by all problems; ``TuningBudget/start(problemsLeft:)`` has been called.
  /// - Throws: ``TernError`` where none computes the right numbers.
  package func tune(_ problem: Problem, within budget: inout TuningBudget) throws -> Finding {
    let builder = GraphBuilder()
    let generator = Philox(seed: 0, stream: .data)
    var values: [String: HostTensor] = [:]
    let inputs = try problem.inputs.enumerated().map { index, type in
      let name = "input.\(index)"
      values[name] = HostTensor(
        type.shape, generator.normals(type.elementCount, UInt32(index)))
      return try builder.input(name, type)
    }
    for (index, output) in try builder.apply(problem.operation, inputs).enumerated() {
      builder.output("output.\(index)", output)
    }
    let expected = try Session(device: judge).compile(builder.graph).run(values)
      .mapValues(\.doubles)
    var best = Double.infinity
    var candidates: [Finding.Candidate] = []
    var untried: [String] = []
    for name in problem.tuning.candidates {
      guard candidates.isEmpty || budget.admits(name) else {
        untried.append(name)
        continue
      }
      device.tuning.force(problem.description, name)
      defer { device.tuning.force(problem.description, nil) }
      let (executable, isRight, preparation): (Executable, Bool, Double)
      do {
        (executable, isRight, preparation) = try budget.preparing(name) {
          let executable = try Session(device: device).compile(builder.graph)
          // One for which the device has no room has given way to another.
          guard executable.bound.implementations.contains(name) else {
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
    guard candidates[0].seconds != nil else {
      throw TernError(
        .runtime,
        "\(problem.description): no implementation gives right numbers: "
          + candidates.map { "\($0.name): \($0.fault ?? "wrong numbers")" }.joined(separator: ", "))
    }
    try device.tuning.record(
      problem.description,
      .init(
        implementation: candidates[0].name, seconds: candidates[0].seconds!,
        isComplete: untried.isEmpty))
    return Finding(problem: problem.description, candidates: candidates, untried: untried)
  }

  /// Winograd's transforms lose a few bits; an implementation that is wrong is wrong by much more.
  private func agrees(_ got: [String: HostTensor], _ expected: [String: [Double]]) -> Bool {
    expected.allSatisfy { name, target in
      let scale = target.reduce(0) { max($0, abs($1)) }
      let tolerance = max(1e-3, 4 * device.precision.unitRoundoff)
      return zip(got[name]!.doubles, target).allSatisfy { abs($0 - $1) <= tolerance * scale }
    }
  }

  /// The least time of a run; no longer than needed to see that it does not come near `best`.
  private func time(_ executable: Executable, against best: Double) throws -> Double {
    let clock = ContinuousClock()
    func time(_ count: Int) throws -> Double {
      let start = clock.now
      for _ in 0..<count { try executable.step() }
      try executable.synchronize()
      return (clock.now - start) / .seconds(1) / Double(count)
    }
    var least = try time(1)
    // Another program may have had the core, for a moment as long as several short runs.
    for _ in 0..<2 where least > 2 * best && least < Self.timedSeconds {
      least = try min(least, time(1))
    }
    if least > 2 * best { return least }
    // Several at once: a short run by itself would measure the waiting for it.
    let group = max(1, min(100, Int(Self.groupSeconds / least)))
    let start = clock.now
    var groups = 0
    while groups < Self.leastGroups || (clock.now - start) / .seconds(1) < Self.timedSeconds {
      least = min(least, try time(group))
      groups += 1
      if least > 2 * best { break }
    }
    return least
  }
}

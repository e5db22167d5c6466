import Synchronization
import TernCore
import TernGraph

/// Where a device decides which candidate computes a problem: the user's word goes first, then what
/// was measured (`tern tune`), then the estimate.
package final class CandidateRegistry: Sendable {
  /// What was measured.
  package let tuning: TuningTable
  package let request: CandidateRequest
  /// Candidates of problems that turned out not to run.
  private let unfit = Mutex<Set<[String]>>([])

  package init(_ tuning: TuningTable, _ request: CandidateRequest) {
    (self.tuning, self.request) = (tuning, request)
  }

  /// The candidate that computes a problem.
  package func choice(of problem: CandidateProblem) -> Candidate {
    let fitting = problem.candidates.filter { fits($0.name, problem.description) }
    let some = request.narrowing(fitting.isEmpty ? problem.candidates : fitting)
    if let name = tuning[problem.description],
      let measured = some.first(where: { $0.name == name })
    {
      return measured
    }
    return problem.taken(among: some)
  }

  /// Whether a candidate may run, as far as is known.
  package func fits(_ candidate: String, _ problem: String) -> Bool {
    unfit.withLock { !$0.contains([problem, candidate]) }
  }

  /// Notes that a candidate does not run: the device has no room for it.
  package func passOver(_ candidate: String, _ problem: String) {
    _ = unfit.withLock { $0.insert([problem, candidate]) }
  }
}

/// A device with several implementations of some things.
package protocol CandidateDevice: Device {
  var candidates: CandidateRegistry { get }

  /// The kinds of candidates that there are; what `--algorithm` takes besides the algorithms for
  /// convolutions.
  var candidateKinds: [String] { get }

  /// What there is to choose in a graph, each once.
  func measurements(in graph: Graph) throws -> [CandidateMeasurement]

  /// How many times the least cost a candidate may have for it to be measured.
  var measuringMargin: Double { get }
}

/// How the candidates of a problem are measured: a graph that consists of the problem.
package struct CandidateMeasurement: Sendable {
  package let problem: CandidateProblem
  package let graph: Graph
  /// What any candidate has to do.
  package let cost: Cost
  /// The candidates that are no node of their own, which profiles would name.
  package let unnamed: Set<String>

  package init(
    _ problem: CandidateProblem, _ graph: Graph, cost: Cost, unnamed: Set<String> = []
  ) {
    (self.problem, self.graph, self.cost, self.unnamed) = (problem, graph, cost, unnamed)
  }

  /// Measured as a node by itself.
  package init(
    _ problem: CandidateProblem, of operation: any Operation, inputs: [TensorType]
  ) throws {
    let builder = GraphBuilder()
    let values = try inputs.enumerated().map { try builder.input("input.\($0)", $1) }
    let outputs = try builder.apply(operation, values)
    for (index, output) in outputs.enumerated() { builder.output("output.\(index)", output) }
    self.init(
      problem, builder.graph, cost: operation.cost(inputs: inputs, outputs: outputs.map(\.type)))
  }
}

extension Graph {
  /// Values to measure or check a graph with: normal numbers, and ones where integers are read.
  package func inputValues(seed: UInt64) -> [String: HostTensor] {
    let generator = Philox(seed: seed, stream: .data)
    return Dictionary(
      uniqueKeysWithValues: inputs.enumerated().map { index, id in
        let type = type(id)
        return (
          self[id].name,
          type.dataType == .int32
            ? HostTensor(type.shape, [Int32](repeating: 1, count: type.elementCount))
            : HostTensor(type.shape, generator.normals(type.elementCount, UInt32(index)))
              .cast(to: type.dataType)
        )
      })
  }
}

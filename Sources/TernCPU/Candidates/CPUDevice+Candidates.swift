import TernCore
import TernGraph
import TernRuntime

/// An operation with several implementations.
protocol CPUCandidateOperation: CPUOperation {
  /// `nil` where it has one.
  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) throws -> CandidateProblem?
}

/// An operation that is another with something done to its results on the way.
protocol WrappingOperation: CPUOperation {
  var wrapped: any CPUOperation { get }
}

extension CPUDevice: CandidateDevice {
  var candidates: CandidateRegistry { context.candidates }

  var candidateKinds: [String] {
    [
      ConvolutionCandidates.library, ConvolutionCandidates.winograd, ConvolutionCandidates.paired,
      ConvolutionCandidates.tiles,
      NarrowProduct.name, UpdateProblem.fused, UpdateProblem.apart,
    ]
  }

  var measuringMargin: Double { 4 }

  func measurements(in graph: Graph) throws -> [CandidateMeasurement] {
    context.updates.withLock { $0 = [:] }
    let planned = try Session(device: self).plan(graph).graph
    let nodes = try planned.nodes.compactMap { node -> CandidateMeasurement? in
      let operation = (node.operation as? any WrappingOperation)?.wrapped ?? node.operation
      let inputs = planned.types(node.inputs)
      guard
        let problem = try (operation as? any CPUCandidateOperation)?
          .candidateProblem(inputs, context), problem.candidates.count > 1
      else { return nil }
      return try CandidateMeasurement(problem, of: operation, inputs: inputs)
    }
    let updates = context.updates.withLock { Array($0.values) }
    return try nodes
      + updates.map { try $0.measurement() }.sorted {
        $0.problem.description < $1.problem.description
      }
  }
}

/// The update of a matrix whose gradient is a product: fused, as ``UpdateByProduct``, or apart.
struct UpdateProblem {
  let update: Operations.OptimizerUpdate
  let parameter: Shape
  /// The rows of the product's factors.
  let batch: Int

  static let fused = "fused"
  static let apart = "apart"

  /// A fused update computes tiles of the gradient that are used at once, by products that are a quarter
  /// slower; apart, the gradient is written and read where it is larger than the caches.
  private var problem: CandidateProblem {
    let products = 2 * Double(batch)
    let isCached = 4 * parameter.elementCount < 2 * HostCache.secondLevelByteCount
    // Two floats, of which a byte takes as long as eight operations.
    let gradient = isCached ? 0 : 2 * 4 * 8.0
    let count = Double(parameter.elementCount)
    return CandidateProblem(
      "update_by_product \(parameter[0])x\(parameter[1]) b\(batch) \(update.name)",
      [
        Candidate(Self.fused, cost: count * 1.25 * products),
        Candidate(Self.apart, cost: count * (products + gradient)),
      ])
  }

  func isFused(_ context: CPUContext) -> Bool {
    let problem = problem
    context.updates.withLock { $0[problem.description] = self }
    return context.candidates.choice(of: problem).name == Self.fused
  }

  /// A step that updates a matrix by the product of two others.
  func measurement() throws -> CandidateMeasurement {
    let builder = GraphBuilder()
    let w = try builder.variable("parameter", parameter)
    let gradient = try builder.apply(
      Operations.MatMul(transposesA: true, transposesB: false),
      [builder.input("a", [batch, parameter[0]]), builder.input("b", [batch, parameter[1]])])[0]
    let states = try update.stateNames.map { try builder.variable($0, parameter) }
    let results = try builder.apply(
      update,
      [
        w, gradient, builder.input("rate", Shape([])),
        builder.input("step", TensorType([], .int32)),
      ]
        + states)
    for (variable, result) in zip([w] + states, results) { builder.assign(variable, result) }
    builder.output("output", results[0])
    let graph = builder.graph
    let costs = graph.nodes.map(graph.cost)
    return CandidateMeasurement(
      problem, graph,
      cost: Cost(
        flops: costs.reduce(0) { $0 + $1.flops }, bytes: costs.reduce(0) { $0 + $1.bytes }),
      unnamed: [Self.apart])
  }
}

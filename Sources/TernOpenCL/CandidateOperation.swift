import TernCore
import TernGraph
import TernRuntime

/// An operation with several implementations.
protocol CandidateOperation: OpenCLOperation {
  /// - Returns: `nil` where there is one implementation after all.
  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws
    -> CandidateProblem?
}

extension OpenCLDevice: CandidateDevice {
  package var candidateKinds: [String] {
    ConvolutionAlgorithm.allCases.map(\.rawValue)
      + (architecture == .manyThreads ? ["tile"] : ["thin"])
      + ["rows", "dot", "packed", "clblast"] + (multipliesOnTensorCores ? [precision.rawValue] : [])
  }

  package var measuringMargin: Double { architecture.tuningMargin }

  /// What there is to choose in a node; `nil` where it has one implementation.
  package func candidateProblem(of operation: any Operation, inputs: [TensorType]) throws
    -> CandidateProblem?
  {
    guard let operation = operation as? any CandidateOperation else { return nil }
    guard let problem = try operation.candidateProblem(inputs, on: self) else { return nil }
    return problem.candidates.count > 1 ? problem : nil
  }

  package func measurements(in graph: Graph) throws -> [CandidateMeasurement] {
    let planned = try Session(device: self).plan(graph).graph
    return try planned.nodes.compactMap { node in
      let inputs = planned.types(node.inputs)
      return try candidateProblem(of: node.operation, inputs: inputs).map {
        try CandidateMeasurement($0, of: node.operation, inputs: inputs)
      }
    }
  }
}

import TernCore
import TernGraph

/// Something that several implementations can compute, and which a device may therefore be tuned for.
package struct TuningProblem: Sendable {
  /// The operation, its pass and its shapes in a line.
  package let description: String
  /// The names of the implementations, the one taken untuned in front.
  package let candidates: [String]
}

/// An operation with several implementations.
protocol TunableOperation: OpenCLOperation {
  func tuningProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws -> TuningProblem
}

extension OpenCLDevice {
  /// What there is to tune in a node; `nil` where it has one implementation.
  package func tuningProblem(
    of operation: any Operation, inputs: [TensorType]
  ) throws -> TuningProblem? {
    guard let operation = operation as? any TunableOperation else { return nil }
    let problem = try operation.tuningProblem(inputs, on: self)
    return problem.candidates.count > 1 ? problem : nil
  }
}

extension TuningProblem {
  init(_ problem: ConvolutionProblem, on device: OpenCLDevice) {
    description = problem.description
    let chosen = problem.method(on: device).name
    candidates =
      [chosen] + problem.candidates(on: device).map(\.name).filter { $0 != chosen }
  }

  init(_ product: MatrixProduct, on device: OpenCLDevice) {
    description = product.description
    candidates = product.methodNames(on: device)
  }
}

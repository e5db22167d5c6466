import TernCore
import TernGraph

/// Something that several implementations can compute, and which a device may therefore be tuned for.
package struct TuningProblem: Sendable {
  /// The operation, its pass and its shapes in a line.
  package let description: String
  /// The names of the implementations that are worth measuring: the one taken untuned, one of each
  /// other kind, then the rest, always the cheapest by estimate in front.
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
    candidates = Self.order(
      problem.candidates(on: device).map {
        ($0.name, $0.cost.operations(device.architecture))
      }, chosen: problem.method(on: device).name, device.architecture)
  }

  init(_ product: MatrixProduct, on device: OpenCLDevice) {
    description = product.description
    let names = product.methodNames(on: device)
    candidates = Self.order(
      names.map { name in
        var product = product
        product.methodName = name
        return (name, product.operationsPerTerm(device))
      }, chosen: names[0], device.architecture)
  }

  /// Leaves out what estimates say is far from the best: a compiler may take seconds for each.
  private static func order(
    _ candidates: [(name: String, cost: Double)], chosen: String, _ architecture: Architecture
  ) -> [String] {
    let limit = architecture.tuningMargin * (candidates.map(\.cost).min() ?? 0)
    let others = candidates.filter { $0.name != chosen && $0.cost <= limit }
    // Equal ones stay in the order that their maker prefers.
    let sorted = others.enumerated().sorted {
      ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset)
    }.map(\.element.name)
    func kind(_ name: String) -> Substring { name.prefix { $0 != " " } }
    var kinds: Set = [kind(chosen)]
    let firsts = sorted.filter { kinds.insert(kind($0)).inserted }
    return [chosen] + firsts + sorted.filter { !firsts.contains($0) }
  }
}

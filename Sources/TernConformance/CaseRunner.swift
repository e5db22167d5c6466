import Tern

/// Runs cases on a device.
package struct CaseRunner {
  package let device: any Device
  /// Whether results must be exact where a case says so.
  private let isHeldToExactness: Bool
  /// Whether operations are replaced by what they can be said in, and nothing is merged.
  private let takesApart: Bool

  /// - Parameter algorithm: what the user has convolutions computed by. Exactness is promised of the
  ///   device's own choice; one that rounds by nature is held to an ordinary tolerance.
  package init(
    device: any Device, algorithm: ConvolutionAlgorithm? = nil, takesApart: Bool = false
  ) {
    self.device = device
    self.takesApart = takesApart
    isHeldToExactness = algorithm?.isExact ?? true
  }

  /// Runs a case; a failure of any kind becomes the result's status.
  package func run(_ testCase: ConformanceCase) -> CaseResult {
    do {
      guard let results = try execute(testCase) else {
        return CaseResult(
          name: testCase.name, operation: testCase.operation, status: .unsupported,
          message: "no operation is named \(testCase.operation)")
      }
      let expected =
        testCase.outputs.map { ("output.\($0)", $1) }
        + testCase.gradients.map { ("gradient.\($0)", $1) }
      let isExact = testCase.relativeTolerance == 0 && testCase.absoluteTolerance == 0
      var comparison =
        isExact && !isHeldToExactness
        ? Comparison(
          relativeTolerance: 1e-4,
          absoluteTolerance: 1e-5 * (expected.flatMap { $1.doubles.map(abs) }.max() ?? 0))
        : Comparison(
          relativeTolerance: isExact
            ? PrecisionTolerance.exact(device) : testCase.relativeTolerance,
          absoluteTolerance: testCase.absoluteTolerance,
          scaledTolerance: isExact ? 0 : PrecisionTolerance.scaled(testCase.operation, device))
      for (name, tensor) in expected.sorted(by: { $0.0 < $1.0 }) {
        comparison.compare(
          name, got: results[name], expected: tensor,
          scale: PrecisionTolerance.scale(
            testCase.operation, tensor, of: expected.map(\.1)))
      }
      return CaseResult(
        name: testCase.name, operation: testCase.operation,
        status: comparison.failure == nil ? .passed : .failed,
        maximumAbsoluteError: comparison.maximumAbsoluteError,
        maximumRelativeError: comparison.maximumRelativeError,
        location: comparison.failure?.location, message: comparison.failure?.message)
    } catch {
      return CaseResult(
        name: testCase.name, operation: testCase.operation, status: .error, message: "\(error)")
    }
  }

  /// Compiles a graph as the runner is told to.
  func compile(_ graph: Graph) throws -> (Session, Executable) {
    let session = Session(device: device)
    session.fuses = !takesApart
    return (session, try session.compile(takesApart ? graph.takenApart() : graph))
  }

  /// What the device computes for a case: `output.NAME` and `gradient.NAME`; `nil` where no
  /// operation has the case's name.
  package func execute(_ testCase: ConformanceCase) throws -> [String: HostTensor]? {
    try execute(testCase, times: 1)?.first
  }

  /// The same several times: an operation is compiled once. What keeps a state is begun anew.
  package func execute(_ testCase: ConformanceCase, times: Int) throws -> [[String: HostTensor]]? {
    switch testCase.operation {
    case "train": return try (0..<times).map { _ in try TrainingCase(testCase).execute(by: self) }
    case "model": return try (0..<times).map { _ in try ModelCase(testCase).execute(by: self) }
    case let name where name.hasPrefix("optimizer."):
      return try (0..<times).map { _ in try OptimizerCase(testCase).execute(by: self) }
    default:
      guard let graph = try OperationCase(testCase)?.graph() else { return nil }
      let inputs = testCase.inputs.merging(
        testCase.cotangents.map { ("cotangent.\($0)", $1) }, uniquingKeysWith: { a, _ in a })
      let (_, executable) = try compile(graph)
      return try (0..<times).map { _ in try executable.run(inputs) }
    }
  }
}

/// A case of a single operation: one graph with its forward and backward pass.
struct OperationCase {
  let testCase: ConformanceCase
  let operation: OperationSpec

  init?(_ testCase: ConformanceCase) {
    guard let operation = OperationSpec.named(testCase.operation) else { return nil }
    self.testCase = testCase
    self.operation = operation
  }

  func graph() throws -> Graph {
    let builder = GraphBuilder()
    var inputs: [String: Tensor] = [:]
    for (name, value) in testCase.inputs.sorted(by: { $0.key < $1.key }) {
      inputs[name] = try builder.input(name, value.type)
    }
    let results = try operation.build(Attributes(operation.name, testCase.attributes), inputs)
    var seeds: [(Tensor, Tensor)] = []
    for (name, result) in zip(operation.outputs, results) {
      builder.output("output.\(name)", result)
      if let cotangent = testCase.cotangents[name] {
        guard cotangent.type == result.type else {
          throw TernError(
            .badData,
            "\(testCase.name): cotangent.\(name) is \(cotangent.type), the output \(result.type)")
        }
        seeds.append((result, try builder.input("cotangent.\(name)", cotangent.type)))
      }
    }
    let targets = testCase.gradients.keys.sorted()
    let gradients = try builder.gradients(
      of: seeds, withRespectTo: targets.map { try NamedInputs.find($0, in: inputs, testCase) })
    for (name, gradient) in zip(targets, gradients) {
      guard let gradient else {
        throw TernError(.badData, "\(testCase.name): no gradient reaches input \(name)")
      }
      builder.output("gradient.\(name)", gradient)
    }
    return builder.graph
  }

  private enum NamedInputs {
    static func find(
      _ name: String, in inputs: [String: Tensor], _ testCase: ConformanceCase
    ) throws -> Tensor {
      guard let tensor = inputs[name] else {
        throw TernError(.badData, "\(testCase.name): gradient.\(name) without input.\(name)")
      }
      return tensor
    }
  }
}

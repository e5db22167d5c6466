import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

/// An operation on small inputs, differentiated.
struct GradientCase: Sendable, CustomTestStringConvertible {
  let operation: String
  let attributes: [String: AttributeValue]
  let inputs: [String: HostTensor]
  /// The float inputs that are data, by which nothing is differentiated.
  let constants: Set<String>

  init(
    _ operation: String, _ attributes: [String: AttributeValue], _ inputs: [String: HostTensor],
    constants: Set<String> = []
  ) {
    self.operation = operation
    self.attributes = attributes
    self.inputs = inputs
    self.constants = constants
  }

  var testDescription: String {
    "\(operation) \(AttributeValue.map(attributes)) on "
      + inputs.sorted { $0.key < $1.key }.map { "\($0) \($1.shape)" }.joined(separator: ", ")
  }

  private var differentiated: [String] {
    inputs.filter { $1.type.dataType == .float32 && !constants.contains($0) }.keys.sorted()
  }

  /// The greatest difference between a computed element of a gradient and the quotient of central
  /// differences, relative to 1 + its size, and where it is.
  ///
  /// What is differentiated is the sum of the first output's elements, each times a number of its
  /// own.
  func greatestError() throws -> (error: Double, place: String) {
    let builder = GraphBuilder()
    var tensors: [String: Tensor] = [:]
    for (name, value) in inputs.sorted(by: { $0.key < $1.key }) {
      tensors[name] = try builder.input(name, value.type)
    }
    let output = try OperationSpec.named(operation)!.build(
      Attributes(operation, attributes), tensors)[0]
    let factors = HostTensor(
      output.shape, Philox(key: (3, 4)).normals(output.shape.elementCount))
    let sum = try (output * builder.constant(factors)).sum()
    builder.output("sum", sum)
    let gradients = try builder.gradients(
      of: sum, withRespectTo: differentiated.map { tensors[$0]! })
    for (name, gradient) in zip(differentiated, gradients) {
      if let gradient { builder.output("gradient.\(name)", gradient) }
    }
    let executable = try Session(device: ReferenceDevice(precision: .float64))
      .compile(builder.graph)

    let values = inputs.mapValues(\.doubles)
    let computed = try executable.runInFullPrecision(values)
    let step = 1e-6
    var greatest = (error: 0.0, place: "")
    for name in differentiated {
      for i in values[name]!.indices {
        func moved(_ distance: Double) throws -> Double {
          var values = values
          values[name]![i] += distance
          return try executable.runInFullPrecision(values)["sum"]![0]
        }
        let expected = try (moved(step) - moved(-step)) / (2 * step)
        let got = computed["gradient.\(name)"]?[i] ?? 0
        let error = abs(got - expected) / (1 + abs(expected))
        if !(error <= greatest.error) {
          greatest = (error, "\(name)[\(i)]: \(got), by differences \(expected)")
        }
      }
    }
    return greatest
  }
}

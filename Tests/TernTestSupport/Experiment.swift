import TernCore
import TernGraph
import TernRuntime

/// A graph under test: its inputs are drawn from their names, and its variables start likewise.
package struct Experiment {
  package let builder = GraphBuilder()
  package private(set) var inputs: [String: HostTensor] = [:]
  package private(set) var variables: [String: HostTensor] = [:]

  package init() {}

  package static func draw(_ name: String, _ shape: Shape, scale: Float = 1) -> HostTensor {
    let stream = name.utf8.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) }
    let values = Philox(seed: 1, stream: .data).normals(shape.elementCount, stream)
    return HostTensor(shape, values.map { $0 * scale })
  }

  package mutating func input(_ name: String, _ shape: Shape) throws -> Tensor {
    inputs[name] = Self.draw(name, shape)
    return try builder.input(name, shape)
  }

  package mutating func input(_ name: String, _ value: HostTensor) throws -> Tensor {
    inputs[name] = value
    return try builder.input(name, value.type)
  }

  package mutating func variable(_ name: String, _ shape: Shape, scale: Float = 1) throws -> Tensor
  {
    variables[name] = Self.draw(name, shape, scale: scale)
    return try builder.variable(name, shape)
  }

  /// Makes readable the gradients of Σ value ⊙ (random numbers).
  package mutating func differentiate(_ value: Tensor, by targets: [String: Tensor]) throws {
    let cotangent = try input("cotangent", value.shape)
    let names = targets.keys.sorted()
    let gradients = try builder.gradients(
      of: [(value, cotangent)], withRespectTo: names.map { targets[$0]! })
    for (name, gradient) in zip(names, gradients) {
      guard let gradient else { throw TernError(.runtime, "no gradient reaches \(name)") }
      builder.output("gradient.\(name)", gradient)
    }
  }

  /// Runs the graph `steps` times and returns the last outputs and all variables.
  ///
  /// - Parameters:
  ///   - fuses: whether the device may merge nodes.
  ///   - memoryLimit: the bytes that variables and values may take.
  package func run(
    on device: any Device, steps: Int = 1, fuses: Bool = true, memoryLimit: Int? = nil
  ) throws -> [String: HostTensor] {
    let session = Session(device: device, memoryLimit: memoryLimit)
    session.fuses = fuses
    let executable = try session.compile(builder.graph)
    try session.write(variables)
    var results: [String: HostTensor] = [:]
    for _ in 0..<steps { results = try executable.run(inputs) }
    for name in session.variableNames { results["variable.\(name)"] = try session.read(name) }
    return results
  }
}

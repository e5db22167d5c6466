import TernCore
import TernGraph
import TernReference
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

  /// The names of what runs on a device, in its order.
  package func operations(on id: String) throws -> [String] {
    let plan = try Session(device: TestDevices.open(id)).plan(builder.graph)
    return plan.order.map { plan.graph.nodes[$0].operation.name }
  }

  /// Where a device differs from the reference, with nodes merged and with each by itself: no lines if it does
  /// not by 1e-5.
  ///
  /// - Parameter ofLargest: whether errors are held against a value's largest element, not each against its own:
  ///   for sums of so many terms that what cancels leaves an error of the terms' size.
  package func disagreements(
    on id: String, steps: Int = 1, ofLargest: Bool = false
  ) throws -> [String] {
    let expected = try run(on: ReferenceDevice(), steps: steps)
    let device = try TestDevices.open(id)
    return try [true, false].flatMap { fuses in
      let got = try run(on: device, steps: steps, fuses: fuses)
      guard got.keys.sorted() == expected.keys.sorted() else {
        return ["\(got.keys.sorted()), not \(expected.keys.sorted()), fused: \(fuses)"]
      }
      return expected.sorted { $0.key < $1.key }.compactMap { name, value in
        let largest = value.floats.map(abs).max() ?? 0
        let errors = zip(got[name]!.floats, value.floats).map { a, b in
          a.isNaN != b.isNaN ? .infinity : abs(a - b) / max(1, ofLargest ? largest : abs(b))
        }
        let error = errors.max() ?? 0
        return error < 1e-5 ? nil : "\(name) by \(error), fused: \(fuses)"
      }
    }
  }
}

import TernCPU
import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

/// A graph under test: its inputs are drawn from their names, and its variables start likewise.
struct Experiment {
  let builder = GraphBuilder()
  private(set) var inputs: [String: HostTensor] = [:]
  private(set) var variables: [String: HostTensor] = [:]

  static func draw(_ name: String, _ shape: Shape, scale: Float = 1) -> HostTensor {
    let stream = name.utf8.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) }
    let values = Philox(seed: 1, stream: .data).normals(shape.elementCount, stream)
    return HostTensor(shape, values.map { $0 * scale })
  }

  mutating func input(_ name: String, _ shape: Shape) throws -> Tensor {
    inputs[name] = Self.draw(name, shape)
    return try builder.input(name, shape)
  }

  mutating func input(_ name: String, _ value: HostTensor) throws -> Tensor {
    inputs[name] = value
    return try builder.input(name, value.type)
  }

  mutating func variable(_ name: String, _ shape: Shape, scale: Float = 1) throws -> Tensor {
    variables[name] = Self.draw(name, shape, scale: scale)
    return try builder.variable(name, shape)
  }

  /// Makes readable the gradients of Σ value ⊙ (random numbers).
  mutating func differentiate(_ value: Tensor, by targets: [String: Tensor]) throws {
    let cotangent = try input("cotangent", value.shape)
    let names = targets.keys.sorted()
    let gradients = try builder.gradients(
      of: [(value, cotangent)], withRespectTo: names.map { targets[$0]! })
    for (name, gradient) in zip(names, gradients) {
      builder.output("gradient.\(name)", try #require(gradient))
    }
  }

  /// Runs the graph `steps` times and returns the last outputs and all variables.
  func run(on device: any Device, steps: Int = 1) throws -> [String: HostTensor] {
    let session = Session(device: device)
    let executable = try session.compile(builder.graph)
    try session.write(variables)
    var results: [String: HostTensor] = [:]
    for _ in 0..<steps { results = try executable.run(inputs) }
    for name in session.variableNames { results["variable.\(name)"] = try session.read(name) }
    return results
  }

  /// Expects what the reference device computes, to within `tolerance` of each value's largest
  /// element.
  func expectAgreement(
    steps: Int = 1, tolerance: Float = 2e-5, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try run(on: ReferenceDevice(), steps: steps)
    let got = try run(on: cpu(), steps: steps)
    #expect(got.keys.sorted() == expected.keys.sorted(), sourceLocation: sourceLocation)
    for (name, value) in expected {
      let fault = difference(got[name]!, value)
      #expect(fault <= tolerance, "\(name)", sourceLocation: sourceLocation)
    }
  }
}

/// The largest difference, relative to the largest element; infinite where a value is not a number.
func difference(_ got: HostTensor, _ expected: HostTensor) -> Float {
  guard got.type == expected.type else { return .infinity }
  let scale = max(expected.floats.map(abs).max() ?? 0, 1e-6)
  return zip(got.floats, expected.floats).map { a, b in
    a.isNaN ? .infinity : abs(a - b) / scale
  }.max() ?? 0
}

func cpu(threads: Int? = nil) throws -> any Device {
  let backend = CPUBackend()
  return try backend.open(backend.devices()[0], options: DeviceOptions(threads: threads))
}

import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

/// a·b with both gradients, of whole numbers: products of plain, right-transposed and left-transposed
/// operands. Sums of whole numbers are exact, so that results must be the reference's to the bit.
struct ProductExperiment {
  let graph: Graph
  let inputs: [String: HostTensor]

  /// Whole numbers of −4 to 4.
  static func whole(_ x: Float) -> Float { max(-4, min(4, (x * 2).rounded())) }

  init(_ a: Shape, _ b: Shape) throws {
    let builder = GraphBuilder()
    var values: [String: HostTensor] = [:]
    func add(_ name: String, _ shape: Shape) throws -> Tensor {
      let generator = Philox(seed: 3, stream: .data)
      values[name] = HostTensor(
        shape, generator.normals(shape.elementCount, UInt32(values.count)).map(Self.whole))
      return try builder.input(name, shape)
    }
    let (x, w) = (try add("a", a), try add("b", b))
    let y = try x.matmul(w)
    builder.output("y", y)
    for (name, gradient) in zip(
      ["da", "db"], try builder.gradients(of: [(y, add("dy", y.shape))], withRespectTo: [x, w]))
    {
      builder.output(name, try #require(gradient))
    }
    (graph, inputs) = (builder.graph, values)
  }

  func implementations(on device: any Device) throws -> [String] {
    try Session(device: device).compile(graph).bound.implementations
  }

  func results(on device: any Device) throws -> [String: HostTensor] {
    try Session(device: device).compile(graph).run(inputs)
  }

  func expectExact(on device: any Device, _ comment: String) throws {
    let expected = try results(on: ReferenceDevice())
    let got = try results(on: device)
    for (name, value) in expected {
      #expect(got[name]?.floats == value.floats, "\(name) of \(comment)")
    }
  }
}

import TernCore
import TernGraph
import TernReference
import TernRuntime

/// Runs a graph of some inputs once, on the reference device.
///
/// - Parameter build: the outputs by name, given the inputs by name.
package func evaluate(
  _ inputs: [String: HostTensor], _ build: ([String: Tensor]) throws -> [String: Tensor]
) throws -> [String: HostTensor] {
  let builder = GraphBuilder()
  var tensors: [String: Tensor] = [:]
  for (name, value) in inputs.sorted(by: { $0.key < $1.key }) {
    tensors[name] = try builder.input(name, value.type)
  }
  for (name, tensor) in try build(tensors) { builder.output(name, tensor) }
  return try Session(device: ReferenceDevice()).compile(builder.graph).run(inputs)
}

/// The gradient of a scalar `loss` with respect to `target`.
package func gradient(of loss: Tensor, withRespectTo target: Tensor) throws -> Tensor {
  try loss.builder.gradients(of: loss, withRespectTo: [target])[0]!
}

/// Whether all elements agree to within `tolerance`.
package func areClose(_ a: [Float], _ b: [Float], tolerance: Float) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
}

/// The largest difference, relative to the largest element; infinite where a value is not a number.
package func difference(_ got: HostTensor, _ expected: HostTensor) -> Float {
  guard got.type == expected.type else { return .infinity }
  let scale = max(expected.floats.map(abs).max() ?? 0, 1e-6)
  return zip(got.floats, expected.floats).map { a, b in
    a.isNaN ? .infinity : abs(a - b) / scale
  }.max() ?? 0
}

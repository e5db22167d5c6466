import TernCore

/// An operation as its users call it: by PyTorch's functional name, with named inputs and
/// attributes. Model files, conformance cases and benchmarks all go through this table.
package struct OperationSpec: Sendable {
  package let name: String
  /// The names of the inputs; `?` marks an optional one, `*` a list (`tensors.0`, `tensors.1`).
  package let inputs: [String]
  package let outputs: [String]
  private let body: @Sendable (inout Attributes, NamedTensors) throws -> [Tensor]

  init(
    _ name: String, inputs: [String] = ["input"], outputs: [String] = ["output"],
    _ body: @escaping @Sendable (inout Attributes, NamedTensors) throws -> [Tensor]
  ) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.body = body
  }

  /// Appends the operation to the graph of its inputs.
  ///
  /// - Returns: the outputs, in the order of ``outputs``.
  /// - Throws: ``ShapeError`` where attributes or inputs do not fit, or a name is unknown.
  package func build(_ attributes: Attributes, _ inputs: [String: Tensor]) throws -> [Tensor] {
    let named = NamedTensors(operation: name, tensors: inputs)
    for key in inputs.keys.sorted() {
      let base = key.split(separator: ".").first.map(String.init) ?? key
      guard self.inputs.contains(where: { $0 == base || $0 == base + "?" || $0 == base + "*" })
      else {
        throw ShapeError(
          name, key, expected: "one of the inputs \(self.inputs.joined(separator: ", "))",
          got: "an unknown input")
      }
    }
    var attributes = attributes
    let outputs = try body(&attributes, named)
    try attributes.finish()
    return outputs
  }

  /// Every operation.
  package static let all: [OperationSpec] =
    elementwise + binary + reduction + movement + matmul + convolution + pooling + interpolation
    + softmax + normalization + embedding + pixels + attention + losses + recurrent + dropout
    + random

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  package static func named(_ name: String) -> OperationSpec? { byName[name] }
}

/// The inputs of an operation, by name.
package struct NamedTensors {
  let operation: String
  let tensors: [String: Tensor]

  package func required(_ name: String) throws(ShapeError) -> Tensor {
    guard let tensor = tensors[name] else {
      throw ShapeError(operation, name, expected: "an input", got: "nothing")
    }
    return tensor
  }

  package func optional(_ name: String) -> Tensor? { tensors[name] }

  /// The inputs `name.0`, `name.1`, …
  package func list(_ name: String) throws(ShapeError) -> [Tensor] {
    var result: [Tensor] = []
    while let tensor = tensors["\(name).\(result.count)"] { result.append(tensor) }
    guard !result.isEmpty else {
      throw ShapeError(operation, name, expected: "at least one input", got: "nothing")
    }
    return result
  }
}

import TernCore

// Operations that change where or how a value is stored, never what it is. Passes and devices
// insert them; nobody writes them down.

extension Operations {
  /// Stores a value over a variable. Inputs: variable, value.
  package struct Assign: Operation {
    package init() {}

    package var name: String { "assign" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expect(inputs[0] == inputs[1], "value", "\(inputs[0])", "\(inputs[1])")
      return [inputs[0]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise([inputs[1]], outputs, flopsPerElement: 0)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0, required: true)] }
  }

  /// The same value in another ``Layout``.
  package struct Reorder: Operation {
    package init() {}

    package var name: String { "reorder" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      return inputs
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }
}

import TernCore

extension Operations {
  /// The sum of all elements of several tensors, or of their squares: of gradients the square of their common norm.
  ///
  /// Inputs: tensors of any shapes, of one type. Output: [].
  package struct SumOfTensors: Operation {
    package let isOfSquares: Bool

    package init(ofSquares: Bool) { isOfSquares = ofSquares }

    package var name: String { isOfSquares ? "sum_of_squares" : "sum_of_tensors" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...Int.max - 1)
      for (index, input) in inputs.enumerated() {
        try expectFloat(input, "input \(index)")
        try expectSameType(input, inputs[0], "input \(index)")
      }
      return [TensorType([], inputs[0].dataType)]
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      func sum(_ x: Tensor) throws -> Tensor { try (isOfSquares ? x.square() : x).sum() }
      return [try inputs.dropFirst().reduce(sum(inputs[0])) { try $0 + sum($1) }]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      let count = inputs.reduce(0) { $0 + $1.elementCount }
      return Cost(
        flops: (isOfSquares ? 2 : 1) * count,
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }
}

extension Tensor {
  /// The sum of all elements of several tensors of any shapes, [].
  package static func sum(of tensors: [Tensor]) throws(ShapeError) -> Tensor {
    try tensors[0].builder.apply(Operations.SumOfTensors(ofSquares: false), tensors)[0]
  }

  /// The sum of the squares of all elements of several tensors of any shapes, [].
  package static func sumOfSquares(of tensors: [Tensor]) throws(ShapeError) -> Tensor {
    try tensors[0].builder.apply(Operations.SumOfTensors(ofSquares: true), tensors)[0]
  }
}

import TernCore

// Operations that change where or how a value is stored. Passes and devices insert all but the cast.

extension Operations {
  /// The nearest numbers of another type, ties to even. What becomes an integer loses its fraction, and ends at
  /// the type's range; NaN becomes zero.
  package struct Cast: Operation {
    package let dataType: DataType

    package init(_ dataType: DataType) { self.dataType = dataType }

    package var name: String { "cast" }
    package var detail: String { dataType.rawValue }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      return [TensorType(inputs[0].shape, dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let source = node.inputs[0].type.dataType
      return [source.isFloat && dataType.isFloat ? try node.cotangent.cast(to: source) : nil]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }

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

extension Tensor {
  /// The nearest numbers of another type, ties to even; itself where it is of that type. Gradients come back as
  /// the type they left.
  public func cast(to dataType: DataType) throws(ShapeError) -> Tensor {
    dataType == type.dataType ? self : try apply(Operations.Cast(dataType))
  }
}

import TernCore

extension Operations {
  /// e^x / Σ e^x along one axis, or its logarithm; the maximum is subtracted first.
  package struct Softmax: Operation {
    package let axis: Int
    package let isLogarithmic: Bool

    package init(axis: Int, isLogarithmic: Bool) {
      self.axis = axis
      self.isLogarithmic = isLogarithmic
    }

    package var name: String { isLogarithmic ? "log_softmax" : "softmax" }
    package var detail: String { "dim=\(axis)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      return [inputs[0]]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [
        try node.cotangent.apply(
          SoftmaxBackward(axis: axis, isLogarithmic: isLogarithmic), node.outputs[0])
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 5)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }

  /// softmax: y · (dy − Σ dy·y); log_softmax: dy − e^y · Σ dy. Inputs: dy, y.
  package struct SoftmaxBackward: Operation {
    package let axis: Int
    package let isLogarithmic: Bool

    package init(axis: Int, isLogarithmic: Bool) {
      self.axis = axis
      self.isLogarithmic = isLogarithmic
    }

    package var name: String { (isLogarithmic ? "log_softmax" : "softmax") + "_backward" }
    package var detail: String { "dim=\(axis)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectShape(inputs[1], inputs[0].shape, "output")
      return [inputs[0]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 4)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }
}

extension Tensor {
  /// eˣ / Σ eˣ along the axis `dim`.
  public func softmax(dim: Int) throws(ShapeError) -> Tensor {
    try apply(Operations.Softmax(axis: axis(dim, "softmax"), isLogarithmic: false))
  }
  /// x − log Σ eˣ along the axis `dim`.
  public func logSoftmax(dim: Int) throws(ShapeError) -> Tensor {
    try apply(Operations.Softmax(axis: axis(dim, "log_softmax"), isLogarithmic: true))
  }
}

extension OperationSpec {
  static let softmax: [OperationSpec] = [
    OperationSpec("softmax") { a, x in [try x.required("input").softmax(dim: a.int("dim"))] },
    OperationSpec("log_softmax") { a, x in
      [try x.required("input").logSoftmax(dim: a.int("dim"))]
    },
  ]
}

import TernCore

extension Operations {
  /// The rows of a table that the indices name. Inputs: indices [*], weight [V, E] → [*, E].
  package struct Embedding: Operation {
    package init() {}

    package var name: String { "embedding" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectInteger(inputs[0], "input")
      try expectFloat(inputs[1], "weight")
      try expectRank(inputs[1], 2, "weight", "[V, E]")
      return [
        TensorType(Shape(inputs[0].shape.dimensions + [inputs[1].shape[1]]), inputs[1].dataType)
      ]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [
        nil,
        try node.cotangent.apply(
          EmbeddingBackward(rowCount: node.inputs[1].shape[0]), node.inputs[0]),
      ]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(outputs, outputs, flopsPerElement: 0)
    }
  }

  /// Every row of the table sums what arrived where it was read. Inputs: dy [*, E], indices [*].
  package struct EmbeddingBackward: Operation {
    package let rowCount: Int

    package init(rowCount: Int) { self.rowCount = rowCount }

    package var name: String { "embedding_backward" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      let dy = inputs[0].shape
      return [TensorType([rowCount, dy[dy.rank - 1]])]
    }
  }
}

extension Tensor {
  /// The rows of `weight` [V, E] that these indices name.
  public func embedding(weight: Tensor) throws(ShapeError) -> Tensor {
    try apply(Operations.Embedding(), weight)
  }
}

extension OperationSpec {
  static let embedding: [OperationSpec] = [
    OperationSpec("embedding", inputs: ["input", "weight"]) { _, x in
      [try x.required("input").embedding(weight: x.required("weight"))]
    }
  ]
}

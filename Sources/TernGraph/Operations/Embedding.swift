import TernCore

/// The rows of a table that the indices name. Inputs: indices [*], weight [V, E] → [*, E].
public struct Embedding: Operation {
  public init() {}

  public var name: String { "embedding" }

  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try expectCount(inputs, 2...2)
    try expectInteger(inputs[0], "input")
    try expectFloat(inputs[1], "weight")
    try expectRank(inputs[1], 2, "weight", "[V, E]")
    return [TensorType(Shape(inputs[0].shape.dimensions + [inputs[1].shape[1]]))]
  }

  public func gradient(_ node: NodeGradient) throws -> [Tensor?] {
    [
      nil,
      try node.cotangent.apply(
        EmbeddingBackward(rowCount: node.inputs[1].shape[0]), node.inputs[0]),
    ]
  }
  public func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    .elementwise(outputs, outputs, flopsPerElement: 0)
  }
}

/// Every row of the table sums what arrived where it was read. Inputs: dy [*, E], indices [*].
public struct EmbeddingBackward: Operation {
  public let rowCount: Int

  public init(rowCount: Int) { self.rowCount = rowCount }

  public var name: String { "embedding_backward" }

  public func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    try expectCount(inputs, 2...2)
    let dy = inputs[0].shape
    return [TensorType([rowCount, dy[dy.rank - 1]])]
  }
}

extension Tensor {
  /// The rows of `weight` [V, E] that these indices name.
  public func embedding(weight: Tensor) throws(ShapeError) -> Tensor {
    try apply(Embedding(), weight)
  }
}

extension OperationSpec {
  static let embedding: [OperationSpec] = [
    OperationSpec("embedding", inputs: ["input", "weight"]) { _, x in
      [try x.required("input").embedding(weight: x.required("weight"))]
    }
  ]
}

import TernCore

/// A value that may lie inside another one, so that nothing is copied from one to the other.
package struct PlacedPart: Hashable, Sendable {
  /// The position of the part among the node's inputs, or outputs.
  package let position: Int
  /// Where it begins in the whole, in bytes.
  package let offset: Int
}

extension Operations {
  /// Values one behind the other, each stored as the variable beside it is: what is computed element by element
  /// need not know how they are stored.
  ///
  /// Inputs: value, variable, value, variable, …, each pair of one type. Output: [P]. Of the variables nothing but the
  /// layout is looked at. ``BucketParts`` takes the values out again.
  package struct Bucket: Operation {
    package init() {}

    package var name: String { "bucket" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expect(
        inputs.count >= 2 && inputs.count % 2 == 0, "inputs", "values and variables in turn",
        "\(inputs.count)")
      var count = 0
      for index in stride(from: 0, to: inputs.count, by: 2) {
        try expectFloat(inputs[index], "values.\(index / 2)")
        try expectShape(inputs[index + 1], inputs[index].shape, "variables.\(index / 2)")
        count += inputs[index].elementCount
      }
      return [TensorType([count])]
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let values = stride(from: 0, to: inputs.count, by: 2).map { inputs[$0] }
      return [try Tensor.cat(try values.map { try $0.reshape([$0.shape.elementCount]) })]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(outputs, outputs, flopsPerElement: 0)
    }
  }

  /// The values of a ``Bucket``.
  ///
  /// Inputs: the bucket [P], then the variables. Outputs: a value of each one's type, stored as the variable is.
  package struct BucketParts: Operation {
    package init() {}

    package var name: String { "bucket_parts" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...Int.max - 1)
      let count = inputs.dropFirst().reduce(0) { $0 + $1.elementCount }
      try expectShape(inputs[0], [count], "bucket")
      return Array(inputs.dropFirst())
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      var start = 0
      return try inputs.dropFirst().map { variable in
        let count = variable.shape.elementCount
        defer { start += count }
        return try inputs[0].narrow(0, start: start, length: count).reshape(variable.shape)
      }
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(outputs, outputs, flopsPerElement: 0)
    }
  }
}

extension Operations.Bucket {
  /// Where the values of a node lie in the bucket.
  package func parts(_ node: Node, in graph: Graph) -> [PlacedPart] {
    graph.parts(of: node.inputs, by: 2)
  }
}

extension Operations.BucketParts {
  /// Where the values of a node lie in the bucket, by the node's outputs.
  package func parts(_ node: Node, in graph: Graph) -> [PlacedPart] {
    graph.parts(of: node.outputs, by: 1)
  }
}

extension Graph {
  fileprivate func parts(of values: [ValueID], by step: Int) -> [PlacedPart] {
    var offset = 0
    return stride(from: 0, to: values.count, by: step).map { position in
      defer { offset += type(values[position]).byteCount }
      return PlacedPart(position: position, offset: offset)
    }
  }
}

extension Tensor {
  /// Values one behind the other, each stored as the variable beside it is.
  package static func bucket(_ values: [(value: Tensor, variable: Tensor)]) throws(ShapeError)
    -> Tensor
  {
    try values[0].value.builder.apply(
      Operations.Bucket(), values.flatMap { [$0.value, $0.variable] })[0]
  }

  /// The values that ``bucket(_:)`` put into this one.
  package func bucketParts(_ variables: [Tensor]) throws(ShapeError) -> [Tensor] {
    try builder.apply(Operations.BucketParts(), [self] + variables)
  }
}

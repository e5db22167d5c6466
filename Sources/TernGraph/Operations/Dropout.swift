import TernCore

extension Operations {
  /// Elements dropped with probability p, the others scaled by 1/(1 − p).
  ///
  /// Element i of step s survives where the uniform number of ``Philox`` at counter
  /// (⌊i/4⌋, 0, s, `stream`), word i mod 4, is at least p: the mask depends on seed, step and
  /// position only, so the backward pass draws it again instead of storing it.
  ///
  /// Inputs: input, step [] (int32). Source: Srivastava et al., 2014.
  package struct Dropout: Operation {
    package let probability: Float
    /// The Philox key of the seed's dropout stream.
    package let key0: UInt32
    package let key1: UInt32
    /// Tells the dropout layers of a network apart.
    package let stream: UInt32

    package init(probability: Float, key: (UInt32, UInt32), stream: UInt32) {
      self.probability = probability
      (key0, key1) = key
      self.stream = stream
    }

    package var name: String { "dropout" }
    package var detail: String { "p=\(probability), stream=\(stream)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectFloat(inputs[0], "input")
      try expectInteger(inputs[1], "step")
      try expectShape(inputs[1], [], "step")
      try expect(probability >= 0 && probability < 1, "p", "0 to below 1", "\(probability)")
      return [inputs[0]]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.apply(self, node.inputs[1]), nil]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise([inputs[0]], outputs, flopsPerElement: 20)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }
}

extension Tensor {
  /// Elements set to 0 with a probability, the others divided by 1 − probability.
  /// Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, 2014.
  ///
  /// - Parameters:
  ///   - probability: 0 to below 1.
  ///   - seed: decides, with the rest, which elements are dropped.
  ///   - stream: tells the dropouts of one graph apart.
  ///   - step: the number of the step, a scalar [] of type int32: each step drops others.
  public func dropout(
    probability: Float, seed: UInt64, stream: UInt32, step: Tensor
  ) throws(ShapeError) -> Tensor {
    let key = Philox.key(seed: seed, stream: .dropout)
    return try apply(Operations.Dropout(probability: probability, key: key, stream: stream), step)
  }
}

extension OperationSpec {
  static let dropout: [OperationSpec] = [
    OperationSpec("dropout", inputs: ["input", "step"]) { a, x in
      [
        try x.required("input").dropout(
          probability: Float(a.double("p", default: 0.5)), seed: a.unsigned("seed", default: 0),
          stream: a.unsigned("stream", default: 0), step: x.required("step"))
      ]
    }
  ]
}

import TernCore

extension Operations {
  /// Numbers drawn from N(0, 1).
  ///
  /// Element i of step s comes from ``Philox`` at counter (⌊i/4⌋, 0, s, `stream`) by the method of Box
  /// and Muller, 1958: of each two words w, v the elements are r·cos 2πb and r·sin 2πb with
  /// r = √(−2 ln a), a = (⌊w/512⌋ + ½)·2⁻²³ and b = ⌊v/512⌋·2⁻²³, numbers that single precision holds
  /// exactly. The same numbers come out on every device, and again when a step is repeated.
  ///
  /// Inputs: step [] (int32).
  package struct RandomNormal: Operation {
    package let shape: Shape
    /// The Philox key of the seed's noise stream.
    package let key0: UInt32
    package let key1: UInt32
    /// Tells the draws of a graph apart.
    package let stream: UInt32

    package init(shape: Shape, key: (UInt32, UInt32), stream: UInt32) {
      self.shape = shape
      (key0, key1) = key
      self.stream = stream
    }

    package var name: String { "randn" }
    package var detail: String { "stream=\(stream)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectInteger(inputs[0], "step")
      try expectShape(inputs[0], [], "step")
      return [TensorType(shape)]
    }

    /// Noise depends on nothing.
    package func gradient(_ node: NodeGradient) throws -> [Tensor?] { [nil] }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise([], outputs, flopsPerElement: 40)
    }

    /// How two words become two numbers; `a` and `b` as above.
    @inlinable package static func unitInterval(_ word: UInt32) -> Float {
      Float(word >> 9) * 0x1p-23
    }
  }

  /// 1 with the probability that the input says, else 0.
  ///
  /// Element i of step s is 1 where the uniform number of ``Philox`` at counter (⌊i/4⌋, 0, s,
  /// `stream`), word i mod 4, is below input i. What is drawn has no derivative.
  ///
  /// Inputs: probabilities, step [] (int32).
  package struct Bernoulli: Operation {
    /// The Philox key of the seed's noise stream.
    package let key0: UInt32
    package let key1: UInt32
    /// Tells the draws of a graph apart.
    package let stream: UInt32

    package init(key: (UInt32, UInt32), stream: UInt32) {
      (key0, key1) = key
      self.stream = stream
    }

    package var name: String { "bernoulli" }
    package var detail: String { "stream=\(stream)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectFloat(inputs[0], "input")
      try expectInteger(inputs[1], "step")
      try expectShape(inputs[1], [], "step")
      return [inputs[0]]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] { [nil, nil] }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise([inputs[0]], outputs, flopsPerElement: 20)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }
}

extension Tensor {
  /// Numbers from N(0, 1), others in every step; self is the step number [].
  public func randomNormal(
    _ shape: Shape, seed: UInt64, stream: UInt32
  ) throws(ShapeError) -> Tensor {
    try apply(
      Operations.RandomNormal(
        shape: shape, key: Philox.key(seed: seed, stream: .noise), stream: stream))
  }

  /// 1 with the probability that self says, else 0.
  public func bernoulli(seed: UInt64, stream: UInt32, step: Tensor) throws(ShapeError) -> Tensor {
    try apply(
      Operations.Bernoulli(key: Philox.key(seed: seed, stream: .noise), stream: stream), step)
  }
}

extension OperationSpec {
  static let random: [OperationSpec] = [
    OperationSpec("randn", inputs: ["step"]) { a, x in
      [
        try x.required("step").randomNormal(
          Shape(a.ints("size")), seed: UInt64(truncatingIfNeeded: a.int("seed", default: 0)),
          stream: UInt32(truncatingIfNeeded: a.int("stream", default: 0)))
      ]
    },
    OperationSpec("bernoulli", inputs: ["input", "step"]) { a, x in
      [
        try x.required("input").bernoulli(
          seed: UInt64(truncatingIfNeeded: a.int("seed", default: 0)),
          stream: UInt32(truncatingIfNeeded: a.int("stream", default: 0)),
          step: x.required("step"))
      ]
    },
  ]
}

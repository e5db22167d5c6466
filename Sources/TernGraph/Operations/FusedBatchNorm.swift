import TernCore

extension Operations {
  /// Batch normalisation by the statistics of the batch, with what stands behind it: a sum with a residual,
  /// a relu, and what the running statistics become.
  ///
  /// Inputs: input [N, C, *], weight [C], bias [C], then, where there are such, the residual [N, C, *], the
  /// running mean and the running variance [C] → output [N, C, *], mean [C], variance [C] (biased), and the
  /// running statistics of the next step. Made by ``Graph/fusingBatchNorm()``.
  package struct FusedBatchNorm: RepeatableOperation {
    /// keep · (what was) + share · (the batch's)
    package struct Blend: Hashable, Sendable {
      package let keep: Float
      package let share: Float
    }

    package let epsilon: Float
    package let addsResidual: Bool
    package let rectifies: Bool
    /// Of the running mean and variance.
    package let running: [Blend]

    package var name: String {
      "batch_norm" + (running.isEmpty ? "" : "_running") + (addsResidual ? "_add" : "")
        + (rectifies ? "_relu" : "")
    }
    package var detail: String { "eps=\(epsilon)" }

    private var base: BatchNorm { BatchNorm(epsilon: epsilon) }
    private var runningStart: Int { addsResidual ? 4 : 3 }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      let count = runningStart + running.count
      try expectCount(inputs, count...count)
      let outputs = try base.outputTypes(for: Array(inputs.prefix(3)))
      if addsResidual { try expectShape(inputs[3], inputs[0].shape, "residual") }
      for statistic in inputs[runningStart...] {
        try expectShape(statistic, inputs[1].shape, "running statistic")
      }
      return outputs + inputs[runningStart...]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: 10 * inputs[0].elementCount,
        bytes: (addsResidual ? 4 : 3) * inputs[0].byteCount)
    }

    package var inPlacePairs: [InPlacePair] {
      (addsResidual ? [InPlacePair(output: 0, input: 3)] : [])
        + running.indices.map {
          InPlacePair(output: 3 + $0, input: runningStart + $0, required: true)
        }
    }

    /// The batch's statistics are there, and the running ones are not to be written twice.
    package var repetition: Repetition {
      Repetition(
        BatchNormApply(epsilon: epsilon, addsResidual: addsResidual, rectifies: rectifies),
        reading: (0...2).map { .input($0) } + [.output(1), .output(2)]
          + (addsResidual ? [.input(3)] : []),
        outputs: [0])
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      var outputs = try inputs[0].builder.apply(base, Array(inputs.prefix(3)))
      if addsResidual { outputs[0] = try outputs[0] + inputs[3] }
      if rectifies { outputs[0] = try outputs[0].relu() }
      for (index, blend) in running.enumerated() {
        outputs.append(
          try inputs[runningStart + index].affine(scale: blend.keep)
            + outputs[1 + index].affine(scale: blend.share))
      }
      return outputs
    }
  }

  /// What ``FusedBatchNorm`` computes, where the statistics of the batch are known: it is computed again so.
  ///
  /// Inputs: input [N, C, *], weight, bias, mean, variance [C], then, where there is one, the residual
  /// [N, C, *] → output [N, C, *].
  package struct BatchNormApply: Operation {
    package let epsilon: Float
    package let addsResidual: Bool
    package let rectifies: Bool

    package var name: String {
      "batch_norm_apply" + (addsResidual ? "_add" : "") + (rectifies ? "_relu" : "")
    }
    package var detail: String { "eps=\(epsilon)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      let count = addsResidual ? 6 : 5
      try expectCount(inputs, count...count)
      _ = try BatchNorm(epsilon: epsilon).outputTypes(for: Array(inputs.prefix(3)))
      for statistic in inputs[3...4] {
        try expectShape(statistic, inputs[1].shape, "statistic")
      }
      if addsResidual { try expectShape(inputs[5], inputs[0].shape, "residual") }
      return [inputs[0]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: 4 * inputs[0].elementCount,
        bytes: (addsResidual ? 3 : 2) * inputs[0].byteCount)
    }

    package var inPlacePairs: [InPlacePair] {
      [InPlacePair(output: 0, input: 0)] + (addsResidual ? [InPlacePair(output: 0, input: 5)] : [])
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let x = inputs[0]
      func along(_ statistic: Tensor) throws -> Tensor {
        try statistic.alongAxis(1, rank: x.shape.rank)
      }
      let scale = try inputs[1] * inputs[4].affine(scale: 1, shift: epsilon).rsqrt()
      var y = try (x - along(inputs[3])) * along(scale) + along(inputs[2])
      if addsResidual { y = try y + inputs[5] }
      return [rectifies ? try y.relu() : y]
    }
  }

  /// Inputs: the gradient behind the relu, input [N, C, *], mean, variance, weight, bias [C] → d input,
  /// d weight, d bias. What the relu let through is computed again.
  package struct RectifiedBatchNormBackward: Operation {
    package let epsilon: Float

    package var name: String { "batch_norm_relu_backward" }
    package var detail: String { "eps=\(epsilon)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 6...6)
      return [inputs[1], inputs[4], inputs[4]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(flops: 15 * inputs[1].elementCount, bytes: 5 * inputs[1].byteCount)
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let x = inputs[1]
      func along(_ statistic: Tensor) throws -> Tensor {
        try statistic.alongAxis(1, rank: x.shape.rank)
      }
      let scale = try inputs[4] * inputs[3].affine(scale: 1, shift: epsilon).rsqrt()
      let y = try ((x - along(inputs[2])) * along(scale) + along(inputs[5])).relu()
      let dy = try inputs[0].apply(UnaryBackward(.relu), y)
      return try x.builder.apply(BatchNormBackward(epsilon: epsilon), [dy] + inputs[1...4])
    }
  }
}

import TernCore

extension Operations {
  /// The gradients of a linear layer's weight and bias, which read the same: input [N, I], output gradient
  /// [N, O] → d weight [O, I], d bias [O], float32 both. Made by ``Graph/joiningBiasGradients()``.
  package struct LinearBackwardWeight: Operation {
    package init() {}

    package var name: String { "linear_backward_weight" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      for (type, subject) in zip(inputs, ["input", "output gradient"]) {
        try expectFloat(type, subject)
      }
      try expectRank(inputs[0], 2, "input", "[N, I]")
      try expectRank(inputs[1], 2, "output gradient", "[N, O]")
      let (x, dy) = (inputs[0].shape, inputs[1].shape)
      try expect(x[0] == dy[0], "output gradient", "[\(x[0]), O] (input \(x))", "\(dy)")
      return [TensorType([dy[1], x[1]]), TensorType([dy[1]])]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: Cost.product(2, inputs[1].elementCount, inputs[0].shape[1]),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let result: DataType? = inputs[0].type.dataType == .float32 ? nil : .float32
      return [
        try inputs[1].apply(MatMul(transposesA: true, result: result), inputs[0]),
        try inputs[1].apply(Reduce(.sum, axes: [0], keepsAxes: false, result: result)),
      ]
    }
  }
}

import TernCore

extension Operations {
  /// Max pooling and a relu behind it: input [N, C, H, W] → output, and where each maximum stands, both
  /// [N, C, OH, OW]. Made by ``Graph/movingReLUBehindMaxPool(asOne:)``.
  package struct RectifiedMaxPool2D: Operation {
    package let base: MaxPool2D

    package init(_ base: MaxPool2D) { self.base = base }

    package var name: String { "max_pool2d_relu" }
    package var detail: String { base.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try base.outputTypes(for: inputs)
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      base.cost(inputs: inputs, outputs: outputs)
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let pooled = try inputs[0].builder.apply(base, inputs)
      return [try pooled[0].relu(), pooled[1]]
    }
  }

  /// The gradients of both. Inputs: output gradient, indices, output [N, C, OH, OW] → [N, C, H, W].
  package struct RectifiedMaxPool2DBackward: Operation {
    package let base: MaxPool2DBackward

    package init(_ base: MaxPool2DBackward) { self.base = base }

    package var name: String { "max_pool2d_relu_backward" }
    package var detail: String { base.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...3)
      let outputs = try base.outputTypes(for: Array(inputs.prefix(2)))
      try expectShape(inputs[2], inputs[0].shape, "output")
      return outputs
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let arriving = try inputs[0].apply(UnaryBackward(.relu), inputs[2])
      return [try arriving.apply(base, inputs[1])]
    }
  }
}

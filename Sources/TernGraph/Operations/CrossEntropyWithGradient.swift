import TernCore

extension Operations {
  /// log_softmax over [N, C], nll_loss as a mean or a sum, and the gradient of both: the log-probabilities are
  /// never stored.
  ///
  /// Inputs: the gradient of the loss [], logits [N, C], target [N] (int32), optionally class weights [C] → the
  /// loss [], d logits [N, C]. Made by ``Graph/joiningCrossEntropyAndGradient(maximumRows:)``.
  package struct CrossEntropyWithGradient: Operation {
    package let loss: NLLLoss

    package init(_ loss: NLLLoss) { self.loss = loss }

    package var name: String { "cross_entropy_with_gradient" }
    package var detail: String { loss.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 3...4)
      try expectShape(inputs[0], [], "gradient of the loss")
      try expectRank(inputs[1], 2, "logits", "[N, C]")
      return [try loss.outputTypes(for: Array(inputs.dropFirst()))[0], inputs[1]]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 10)
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let builder = inputs[0].builder
      let scores = try inputs[1].logSoftmax(dim: 1)
      let results = try builder.apply(loss, [scores] + inputs.dropFirst(2))
      let gradient = try builder.apply(
        CrossEntropyBackward(loss),
        [inputs[0], inputs[2], results[1], scores] + inputs.dropFirst(3))
      return [results[0], gradient[0]]
    }
  }
}

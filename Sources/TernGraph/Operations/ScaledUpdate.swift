import TernCore

extension Operations {
  /// The update of a parameter by a gradient times a number: means of sums, and gradients whose norm is bounded, are
  /// multiplied on their way.
  ///
  /// Inputs: as of ``OptimizerUpdate``, with the gradient before it is multiplied, then the number []. Outputs: the
  /// parameter and its state.
  package struct ScaledUpdate: Operation {
    package let update: OptimizerUpdate

    package init(_ update: OptimizerUpdate) { self.update = update }

    package var name: String { "scaled_" + update.name }
    package var detail: String { update.detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...Int.max - 1)
      try expectShape(inputs.last!, [], "scale")
      return try update.outputTypes(for: inputs.dropLast())
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      var own = Array(inputs.dropLast())
      own[1] = try own[1] * inputs.last!
      return try own[0].builder.apply(update, own)
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 7)
    }

    package var inPlacePairs: [InPlacePair] { update.inPlacePairs }
  }
}

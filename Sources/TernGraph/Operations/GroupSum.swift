import TernCore

/// Members that compute a part of a batch each, and add up numbers while they do.
public protocol SumExchange: AnyObject, Sendable {
  /// Puts the sums over all members in place of what each has; all make the same calls in the same order.
  ///
  /// - Throws: ``TernError`` where a member cannot be reached.
  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws
}

extension Operations {
  /// The sum over the members of a group, the same for all: input [*] → [*], float32.
  package struct GroupSum: Operation {
    /// Adds up.
    package let exchange: any SumExchange

    package init(_ exchange: any SumExchange) { self.exchange = exchange }

    package var name: String { "group_sum" }

    package static func == (left: Self, right: Self) -> Bool { left.exchange === right.exchange }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(exchange)) }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      return inputs
    }

    /// Every member's part is in the sum that every member's loss depends on.
    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.groupSum(exchange)]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs)
    }
  }
}

extension Tensor {
  /// The sum over the members of a group.
  package func groupSum(_ exchange: any SumExchange) throws -> Tensor {
    try apply(Operations.GroupSum(exchange))
  }

  /// Batch normalisation by the statistics of what all members of a group compute of a batch.
  ///
  /// Counts go along with sums, since the last batch may give a member less. As for one device, the running
  /// variance moves by the unbiased one.
  package func batchNormTraining(
    over exchange: any SumExchange, runningMean: Tensor?, runningVariance: Tensor?,
    weight: Tensor?, bias: Tensor?, momentum: Float, epsilon: Float
  ) throws -> (output: Tensor, runningMean: Tensor?, runningVariance: Tensor?) {
    let (rank, channels) = (shape.rank, shape[1])
    let axes = (0..<rank).filter { $0 != 1 }
    let count = builder.constant(Float(shape.elementCount / channels), [1])
    let totals = try Tensor.cat([sum(axes), count]).groupSum(exchange)
    let total = try totals.narrow(0, start: channels, length: 1)
    let mean = try totals.narrow(0, start: 0, length: channels) / total
    let centered = try self - mean.alongAxis(1, rank: rank)
    let variance = try centered.square().sum(axes).groupSum(exchange) / total
    let rstd = try variance.affine(scale: 1, shift: epsilon).rsqrt()
    let scale = try weight.map { try rstd * $0 } ?? rstd
    var output = try centered * scale.alongAxis(1, rank: rank)
    if let bias { output = try output + bias.alongAxis(1, rank: rank) }
    func update(_ running: Tensor?, _ batch: Tensor) throws -> Tensor? {
      try running.map {
        try $0.affine(scale: 1 - momentum) + batch.affine(scale: momentum)
      }
    }
    return (
      output, try update(runningMean, mean),
      try update(runningVariance, variance * total / total.affine(scale: 1, shift: -1))
    )
  }
}

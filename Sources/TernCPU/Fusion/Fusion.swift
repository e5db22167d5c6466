import TernGraph

extension Graph {
  /// The graph with nodes merged or swapped where the processor then moves less memory. The results
  /// stay the same.
  func fusedForCPU(_ context: CPUContext) throws -> Graph {
    try movingReLUBehindMaxPool().fusingBatchNormReLU().fusingReLU().fusingReLUBackward()
      .fusingCrossEntropy().computingGradientsInUpdates(context)
      .scalingGradientsInUpdates { _, isGuarded, count in
        !isGuarded && count > Self.largestMergedUpdate
      }
      .mergingUpdates()
      .chainingElementwise(Operations.ElementwiseChain.claim)
  }
}

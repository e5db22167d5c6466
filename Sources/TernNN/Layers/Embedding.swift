import TernCore
import TernGraph

/// A learnt vector for every number of a vocabulary: indices [N, *] of type int32 → [N, *, E]. PyTorch's
/// `Embedding`.
///
/// Every index is at least 0 and below the size of the vocabulary.
public struct Embedding: Layer {
  package let count: Int
  package let size: Int

  /// - Parameters:
  ///   - count: V, how many numbers the vocabulary has; the parameter `weight` is [V, E].
  ///   - size: E, the elements of each vector.
  public init(_ count: Int, size: Int) {
    self.count = count
    self.size = size
  }

  public var kind: String { "embedding" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let weight = try context.parameter("weight", [count, size], .normal(deviation: 1))
    return try inputs[0].embedding(weight: weight)
  }
}

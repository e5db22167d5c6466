import TernCore
import TernGraph

/// Layers to one side that end in logits of their own, [N, classes], whose loss is added to the
/// network's when it is trained. The layer after reads what the head reads.
public struct AuxiliaryHead: Layer {
  /// The factor on the head's loss.
  package let weight: Float
  package let body: Sequential

  /// A head of these layers, whose loss is multiplied by `weight`.
  public init(weight: Float, @LayerBuilder _ body: () -> [NamedLayer]) {
    self.weight = weight
    self.body = Sequential(body())
  }

  public var kind: String { "auxiliary_head" }

  /// - Returns: its input.
  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    // Built for inference too, so that its parameters are known; what nothing reads is not run.
    let logits = try context.aside { try body.forward(inputs, in: context) }
    if context.mode == .training { context.addAuxiliaryOutput(logits, weight: weight) }
    return inputs[0]
  }
}

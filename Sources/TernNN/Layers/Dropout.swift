import TernCore
import TernGraph

/// Drops elements with probability p when training; passes them on otherwise.
public struct Dropout: Layer {
  package let probability: Float

  /// Drops with a probability of 0 to below 1.
  public init(_ probability: Float = 0.5) { self.probability = probability }

  public var kind: String { "dropout" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard probability >= 0, probability < 1 else {
      throw ShapeError(kind, "p", expected: "0 to below 1", got: "\(probability)")
    }
    guard context.mode == .training, probability > 0 else { return inputs[0] }
    guard let step = context.step else {
      preconditionFailure("a network with dropout needs the step number when training")
    }
    return try inputs[0].dropout(
      probability: probability, seed: context.seed, stream: context.nextDropoutStream(), step: step)
  }
}

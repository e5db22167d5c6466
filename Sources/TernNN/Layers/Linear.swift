import TernCore
import TernGraph

/// y = x Wᵀ + b with its own weight [O, I] and bias [O], on the innermost axis.
public struct Linear: Layer {
  package let outFeatures: Int
  package let hasBias: Bool
  package let initializer: WeightInitializer

  /// O = `outFeatures`; I is what the layer reads.
  public init(
    _ outFeatures: Int, hasBias: Bool = true, initializer: WeightInitializer = .standard
  ) {
    self.outFeatures = outFeatures
    self.hasBias = hasBias
    self.initializer = initializer
  }

  public var kind: String { "linear" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard let fanIn = inputs[0].shape.last, outFeatures >= 1 else {
      throw ShapeError(
        kind, "out_features", expected: "at least 1, on an input [*, I]", got: "\(outFeatures)")
    }
    let (weight, bias) = try context.weightAndBias(
      kind, [outFeatures, fanIn], biasCount: hasBias ? outFeatures : nil, initializer)
    return try inputs[0].linear(weight: weight, bias: bias)
  }
}

import TernCore
import TernGraph

/// A block that adds its input to what its layers make of it: y = activation(scale · (F(x) + S(x))).
///
/// S is the identity, or `shortcut` where the shapes differ; its layers are called `downsample`. The
/// layers of F stand directly below the block's own name, as in torchvision: `layer1.0.conv1`.
///
/// Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015.
public struct Residual: Layer {
  package let body: Sequential
  package let shortcut: Sequential?
  /// 1/√2 keeps the variance from doubling with every block.
  package let scale: Float
  package let activation: Functional?

  /// - Parameters:
  ///   - shortcut: what the input passes through on its way to the sum; `nil` for nothing.
  ///   - scale: a factor on the sum.
  ///   - activation: what is applied to the sum; `nil` for nothing.
  public init(
    shortcut: Sequential? = nil, scale: Float = 1, activation: Functional? = .relu,
    @LayerBuilder _ body: () -> [NamedLayer]
  ) {
    self.body = Sequential(body())
    self.shortcut = shortcut
    self.scale = scale
    self.activation = activation
  }

  public var kind: String { "residual" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let straight = try shortcut.map { try context.apply($0, named: "downsample", to: inputs) }
    let changed = try body.forward(inputs, in: context)
    var sum = try context.apply(
      Functional("add"), named: "add", to: [changed, straight ?? inputs[0]])
    if scale != 1 { sum = try sum.affine(scale: scale) }
    guard let activation else { return sum }
    return try context.apply(activation, named: activation.kind, to: [sum])
  }
}

import TernCore
import TernGraph

/// Branches that all read the block's input, their outputs concatenated along the channels:
/// [N, C₁ + C₂ + …, H, W].
///
/// Source: Szegedy et al., "Going deeper with convolutions", 2014.
public struct Concatenation: Layer {
  package let branches: [NamedLayer]

  /// Branches that read the same input. One without a name is called by its number.
  public init(@LayerBuilder _ branches: () -> [NamedLayer]) { self.branches = branches() }

  public var kind: String { "concatenation" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let outputs = try branches.enumerated().map { index, branch in
      try context.apply(branch.layer, named: branch.name ?? "\(index)", to: inputs)
    }
    return try context.apply(Functional.cat, named: "cat", to: outputs)
  }
}

/// A block that appends what its layers make of its input to the input: y = [x, F(x)] along the
/// channels. The layers stand directly below the block's own name.
///
/// Source: Huang et al., "Densely connected convolutional networks", 2016.
public struct SkipConcatenation: Layer {
  package let body: Sequential

  /// Layers whose output is appended to their input.
  public init(@LayerBuilder _ body: () -> [NamedLayer]) { self.body = Sequential(body()) }

  public var kind: String { "skip_concatenation" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let output = try body.forward(inputs, in: context)
    return try context.apply(Functional.cat, named: "cat", to: [inputs[0], output])
  }
}

import TernCore
import TernGraph

/// Branches that all read the block's input, their outputs concatenated along the channels:
/// [N, C₁ + C₂ + …, H, W].
///
/// Source: Szegedy et al., "Going deeper with convolutions", 2014.
public struct Concatenation: Layer {
  public let branches: [NamedLayer]

  public init(@LayerBuilder _ branches: () -> [NamedLayer]) { self.branches = branches() }

  public var kind: String { "concatenation" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let outputs = try branches.enumerated().map { index, branch in
      try context.apply(branch.layer, named: branch.name ?? "\(index)", to: inputs)
    }
    return try context.apply(Functional("cat", ["dim": .int(1)]), named: "cat", to: outputs)
  }
}

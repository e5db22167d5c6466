import TernCore
import TernGraph

/// The powers of every feature side by side: [N, F] → [N, degree·F] of x, x², ….
public struct PolynomialFeatures: Layer {
  package let degree: Int

  /// Powers up to `degree`, which is 1 to 16.
  public init(degree: Int) { self.degree = degree }

  public var kind: String { "polynomial_features" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 2 else {
      throw ShapeError(kind, "input", expected: "shape [N, F]", got: "\(x.shape)")
    }
    guard (1...16).contains(degree) else {
      throw ShapeError(kind, "degree", expected: "1 to 16", got: "\(degree)")
    }
    var powers = [x]
    for _ in 1..<degree { powers.append(try powers.last! * x) }
    return try context.apply(Functional.cat, named: "cat", to: powers)
  }
}

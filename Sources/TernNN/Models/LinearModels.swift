import TernCore
import TernGraph

extension ZooEntry {
  /// Multinomial logistic regression.
  static let linear = ZooEntry(
    "linear", source: "multinomial logistic regression", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes).named("fc")
  }

  /// Logistic regression on the powers x, x², x³ of every input.
  static let polynomial = ZooEntry(
    "polynomial", source: "regression on powers", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    Functional.flatten.named("flatten")
    PolynomialFeatures(degree: 3).named("powers")
    Linear(classes).named("fc")
  }

  /// One layer that moves only on mistakes: towards the sample in the true class, away from it in
  /// the class it was taken for. That is the gradient of its loss, `perceptron`.
  static let perceptron = ZooEntry(
    "perceptron", source: "Rosenblatt, 1958", inputShape: [1, 28, 28], classCount: 10,
    task: .perceptron
  ) { _, classes in
    Functional.flatten.named("flatten")
    Linear(classes, initializer: .zeros).named("fc")
  }
}

/// The powers of every feature side by side: [N, F] → [N, degree·F] of x, x², ….
public struct PolynomialFeatures: Layer {
  package let degree: Int

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

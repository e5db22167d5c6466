import Tern

extension OpCase {
  private static let shapes: [(String, Shape)] = [
    ("scalar", []), ("one", [1]), ("prime", [13]), ("matrix", [7, 5]), ("image", [2, 3, 5, 7]),
    ("wide", [1, 1000]), ("deep", [2, 1, 3, 1, 2, 2]),
  ]

  /// A function with settings, drawn where it is smooth.
  private static func unary(
    _ name: String, _ label: String = "", _ attributes: [String: AttributeValue] = [:],
    _ distribution: Distribution = .normal
  ) -> [OpCase] {
    shapes.map { shape in
      OpCase(
        name, [label, shape.0].filter { !$0.isEmpty }.joined(separator: "-"), attributes,
        ["input": Input(shape.1, distribution)])
    }
  }

  package static let elementwise: [OpCase] =
    unary("relu") + unary("leaky_relu")
    + unary("leaky_relu", "steep", ["negative_slope": .double(0.3)])
    + unary("elu") + unary("elu", "alpha", ["alpha": .double(0.5)]) + unary("gelu")
    + unary("gelu", "tanh", ["approximate": .string("tanh")]) + unary("silu") + unary("sigmoid")
    + unary("tanh") + unary("softplus")
    + unary("softplus", "beta", ["beta": .double(2), "threshold": .double(3)])
    + unary("hardtanh", "", [:], .uniform(-1.99, 1.99)) + unary("exp")
    + unary("log", "", [:], .uniform(0.1, 4)) + unary("sqrt", "", [:], .uniform(0.1, 4))
    + unary("rsqrt", "", [:], .uniform(0.1, 4)) + unary("reciprocal", "", [:], .uniform(0.2, 4))
    + unary("abs") + unary("neg") + unary("square")
    + unary("pow", "cube", ["exponent": .int(3)])
    + unary("pow", "root", ["exponent": .double(0.5)], .uniform(0.1, 4))
    + unary("clamp", "both", ["min": .double(-0.51), "max": .double(0.73)])
    + unary("clamp", "below", ["min": .double(-0.51)])
    + [
      OpCase("tanh", "large", [:], ["input": Input([70_001])]),
      OpCase("relu", "exact", [:], ["input": Input([3, 1021], .whole)], isExact: true),
      OpCase("prelu", "one", [:], ["input": Input([2, 3, 4]), "weight": Input([1])]),
      OpCase("prelu", "channels", [:], ["input": Input([2, 3, 5, 7]), "weight": Input([3])]),
    ]
}

import Tern

extension OpCase {
  private static let reductions = ["mean", "sum", "none"]
  private static let classShapes: [(String, Shape)] = [
    ("rows", [6, 5]), ("planes", [2, 5, 4, 3]), ("two", [7, 2]), ("one", [1, 3]),
    ("many", [3001, 10]), ("classes", [5, 301]),
  ]

  private static func target(_ logits: Shape) -> Shape {
    var result = logits.dimensions
    result.remove(at: 1)
    return Shape(result)
  }

  private static let classification: [OpCase] = ["cross_entropy", "nll_loss"].flatMap { name in
    classShapes.flatMap { label, shape in
      reductions.flatMap { reduction -> [OpCase] in
        let inputs = [
          "input": Input(shape), "target": Input(target(shape), .indices(shape[1])),
        ]
        let attributes: [String: AttributeValue] = ["reduction": .string(reduction)]
        let terms = shape.elementCount
        return [
          OpCase(name, "\(label)-\(reduction)", attributes, inputs, terms: terms),
          OpCase(
            name, "\(label)-\(reduction)-weighted",
            // With a single sample, ignoring it would leave the mean of nothing.
            shape[0] == 1
              ? attributes : attributes.merging(["ignore_index": .int(1)]) { a, _ in a },
            inputs.merging(["weight": Input([shape[1]], .uniform(0.5, 2))]) { a, _ in a },
            terms: terms),
        ]
      }
    }
  }

  private static let smoothed: [OpCase] = classShapes.flatMap { label, shape in
    reductions.map { reduction in
      OpCase(
        "cross_entropy", "\(label)-\(reduction)-smooth",
        ["reduction": .string(reduction), "label_smoothing": .double(0.1)],
        [
          "input": Input(shape), "target": Input(target(shape), .indices(shape[1])),
          "weight": Input([shape[1]], .uniform(0.5, 2)),
        ], terms: shape.elementCount)
    }
  }

  private static func pairwise(
    _ name: String, input: Distribution = .normal, target: Distribution = .normal,
    _ attributes: [String: AttributeValue] = [:]
  ) -> [OpCase] {
    ([("rows", [6, 5]), ("vector", [7]), ("image", [2, 3, 4, 5]), ("large", [70_001])]
      as [(String, Shape)]).flatMap { label, shape in
        reductions.map { reduction in
          OpCase(
            name, "\(label)-\(reduction)",
            attributes.merging(["reduction": .string(reduction)]) { a, _ in a },
            ["input": Input(shape, input), "target": Input(shape, target)],
            terms: shape.elementCount)
        }
      }
  }

  static let losses: [OpCase] =
    classification + smoothed + pairwise("mse_loss") + pairwise("l1_loss")
    + pairwise("huber_loss", ["delta": .double(0.8)])
    + pairwise("binary_cross_entropy", input: .uniform(0.05, 0.95), target: .uniform(0, 1))
    + pairwise("binary_cross_entropy_with_logits", target: .bits)
    + pairwise("kl_div", input: .uniform(-4, -0.1), target: .uniform(0.1, 1))
    + pairwise("hinge_loss", target: .signs) + pairwise("squared_hinge_loss", target: .signs)
    + pairwise("soft_margin_loss", target: .signs)
    + reductions.map { reduction in
      OpCase(
        "gaussian_nll_loss", reduction, ["reduction": .string(reduction)],
        [
          "input": Input([6, 5]), "target": Input([6, 5]), "var": Input([6, 5], .uniform(0.3, 2)),
        ],
        terms: 30)
    }
    + [
      OpCase(
        "kl_div", "batchmean", ["reduction": .string("batchmean")],
        ["input": Input([6, 5], .uniform(-4, -0.1)), "target": Input([6, 5], .probabilities)]),
      OpCase(
        "gaussian_nll_loss", "full", ["full": .bool(true)],
        ["input": Input([8]), "target": Input([8]), "var": Input([8], .uniform(0.3, 2))]),
      OpCase(
        "contrastive_loss", "basic", ["margin": .double(2)],
        ["input1": Input([6, 5]), "input2": Input([6, 5]), "target": Input([6], .bits)]),
      OpCase(
        "contrastive_loss", "wide", ["margin": .double(12)],
        ["input1": Input([3, 40]), "input2": Input([3, 40]), "target": Input([3], .bits)],
        terms: 40),
    ]
}

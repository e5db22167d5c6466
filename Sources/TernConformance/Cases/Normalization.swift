import Tern

extension OpCase {
  private static let batches: [(String, Shape)] = [
    ("image", [4, 3, 5, 5]), ("vector", [8, 6]), ("pair", [2, 1]), ("sequence", [3, 5, 7]),
    ("one-sample", [1, 4, 3, 3]), ("odd", [3, 17, 3, 5]), ("large", [8, 3, 57, 57]),
    ("quads", [8, 3, 56, 60]), ("plane-of-four", [3, 5, 2, 2]), ("plane-of-three", [3, 5, 3]),
    ("one-long-sample", [1, 2, 20_003]),
  ]

  private static func batchNorm(isTraining: Bool, withWeights: Bool) -> [OpCase] {
    batches.map { label, shape in
      let channels: Shape = [shape[1]]
      var inputs = [
        "input": Input(shape), "running_mean": Input(channels),
        "running_var": Input(channels, .uniform(0.5, 2)),
      ]
      if withWeights {
        inputs["weight"] = Input(channels)
        inputs["bias"] = Input(channels)
      }
      return OpCase(
        "batch_norm", (isTraining ? "train-" : "eval-") + (withWeights ? "" : "plain-") + label,
        ["training": .bool(isTraining)], inputs, terms: shape.elementCount)
    }
  }

  private static let layers: [OpCase] =
    ([
      ("rows", [4, 10], [10]), ("sequence", [2, 5, 8], [8]), ("planes", [3, 4, 5], [4, 5]),
      ("long", [2, 2003], [2003]), ("many", [1003, 3], [3]), ("quads", [7, 24], [24]),
      ("long-quads", [3, 2048], [2048]),
    ] as [(String, Shape, [Int])]).flatMap { label, shape, normalized in
      let size = AttributeValue.list(normalized.map(AttributeValue.int))
      return [
        OpCase(
          "layer_norm", label, ["normalized_shape": size],
          [
            "input": Input(shape), "weight": Input(Shape(normalized)),
            "bias": Input(Shape(normalized)),
          ],
          terms: shape.elementCount),
        OpCase(
          "layer_norm", "plain-\(label)", ["normalized_shape": size, "eps": .double(1e-3)],
          ["input": Input(shape)], terms: 16),
      ]
    }

  private static let groups: [OpCase] =
    ([
      ("three", [2, 6, 4, 4], 3), ("instance", [2, 4, 5, 3], 4), ("layer", [2, 4, 3, 3], 1),
      ("vector", [5, 8], 2),
    ] as [(String, Shape, Int)]).map { label, shape, count in
      OpCase(
        "group_norm", label, ["num_groups": .int(count)],
        ["input": Input(shape), "weight": Input([shape[1]]), "bias": Input([shape[1]])],
        terms: shape.elementCount)
    }

  private static let responses: [OpCase] =
    ([
      ("alexnet", [2, 8, 4, 4], 5, 1e-2, 0.75, 2), ("even", [1, 7, 3, 3], 4, 1e-1, 0.5, 1),
      ("one", [2, 3, 2, 2], 1, 1, 1, 1), ("wide", [1, 3, 2, 5], 7, 1e-1, 0.75, 1),
    ] as [(String, Shape, Int, Double, Double, Double)]).map { label, shape, size, alpha, beta, k in
      OpCase(
        "local_response_norm", label,
        ["size": .int(size), "alpha": .double(alpha), "beta": .double(beta), "k": .double(k)],
        ["input": Input(shape)])
    }

  /// Far from zero the squares of the elements are large, and their differences small.
  private static let offset: [OpCase] = [("planes", [8, 3, 9, 9]), ("quads", [4, 2, 64, 64])].map {
    (label: String, shape: Shape) in
    OpCase(
      "batch_norm", "offset-\(label)", ["training": .bool(true)],
      [
        "input": Input(shape, .uniform(100, 101)), "running_mean": Input([shape[1]]),
        "running_var": Input([shape[1]], .uniform(0.5, 2)),
      ], terms: shape.elementCount)
  }

  static let normalization: [OpCase] =
    offset + batchNorm(isTraining: true, withWeights: true)
    + batchNorm(isTraining: false, withWeights: true)
    + batchNorm(isTraining: true, withWeights: false) + layers + groups + responses
}

import Tern

extension OpCase {
  private static let products: [(String, Shape, Shape)] = [
    ("square", [8, 8], [8, 8]), ("odd", [5, 7], [7, 3]), ("one", [1, 1], [1, 1]),
    ("inner1", [4, 1], [1, 5]), ("row", [1, 9], [9, 4]), ("column", [6, 9], [9, 1]),
    ("vectors", [7], [7]), ("vector-matrix", [4], [4, 3]), ("matrix-vector", [3, 4], [4]),
    ("batch", [4, 5, 6], [4, 6, 2]), ("batch4", [2, 3, 4, 5], [2, 3, 5, 2]),
    ("shared", [2, 3, 4, 5], [5, 6]), ("broadcast", [2, 1, 3, 4], [5, 4, 2]),
    ("tall", [257, 3], [3, 17]), ("deep", [3, 1031], [1031, 5]), ("big", [130, 129], [129, 131]),
    ("few-rows", [9, 517], [517, 301]), ("one-row", [1, 700], [700, 211]),
    ("thin", [5, 262], [262, 1100]), ("thin-gradient", [300, 7], [7, 260]),
    ("tiles", [132, 68], [68, 140]), ("batch-tiles", [2, 68, 36], [2, 36, 132]),
    ("short", [70, 16], [16, 90]),
  ]

  private static let layers: [(String, Shape, Int, Bool)] = [
    ("plain", [5, 8], 3, true), ("no-bias", [5, 8], 3, false), ("vector", [8], 4, true),
    ("sequence", [2, 5, 8], 3, true), ("one", [1, 1], 1, true), ("lenet-fc1", [4, 400], 120, true),
    ("odd", [3, 17], 33, true), ("classes", [64, 84], 10, true), ("few-rows", [9, 517], 301, true),
    ("one-row", [1, 700], 211, false),
  ]

  /// The products that are also computed of whole numbers.
  private static let exactLabels = ["odd", "batch", "big", "row", "few-rows", "tiles", "deep"]

  static let matmul: [OpCase] =
    products.map { label, a, b in
      OpCase("matmul", label, [:], ["input": Input(a), "other": Input(b)], terms: a.last ?? 1)
    }
    + products.filter { exactLabels.contains($0.0) }.map { label, a, b in
      OpCase(
        "matmul", "exact-\(label)", [:], ["input": Input(a, .whole), "other": Input(b, .whole)],
        isExact: true)
    }
    + layers.map { label, input, outputs, hasBias in
      var inputs = ["input": Input(input), "weight": Input([outputs, input.last!])]
      if hasBias { inputs["bias"] = Input([outputs]) }
      return OpCase("linear", label, [:], inputs, terms: input.last!)
    }
    + [
      OpCase(
        "linear", "exact", [:],
        [
          "input": Input([9, 31], .whole), "weight": Input([13, 31], .whole),
          "bias": Input([13], .whole),
        ],
        isExact: true)
    ]
}

import Tern

extension OpCase {
  private static let rows: [(String, Shape, Int, Distribution)] = [
    ("rows", [4, 10], 1, .normal), ("columns", [4, 10], 0, .normal),
    ("channels", [2, 5, 3, 3], 1, .normal), ("negative", [2, 3, 7], -1, .normal),
    ("one", [3, 1], 1, .normal), ("large", [3, 8], 1, .uniform(-90, 90)),
    ("long", [2, 5003], 1, .normal), ("many", [66_000, 3], 1, .normal),
    ("vector", [11], 0, .normal), ("quads", [37, 20], 1, .normal),
    ("long-quads", [2, 4096], 1, .normal), ("middle", [3, 70, 5], 1, .normal),
  ]

  static let softmax: [OpCase] = ["softmax", "log_softmax"].flatMap { name in
    rows.map { label, shape, dim, distribution in
      OpCase(name, label, ["dim": .int(dim)], ["input": Input(shape, distribution)], terms: 16)
    }
  }
}

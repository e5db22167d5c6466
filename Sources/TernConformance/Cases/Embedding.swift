import Tern

extension OpCase {
  static let embedding: [OpCase] =
    ([
      ("sequence", [3, 5], 11, 6), ("vector", [7], 4, 3), ("scalar", [], 5, 2),
      ("repeated", [64], 2, 5), ("one", [1, 1], 1, 1), ("large", [70, 1000], 50, 3),
      ("popular", [1500], 2, 8), ("quads", [3, 7], 9, 12),
    ] as [(String, Shape, Int, Int)]).map { label, shape, rows, columns in
      OpCase(
        "embedding", label, [:],
        ["input": Input(shape, .indices(rows)), "weight": Input([rows, columns])],
        terms: max(shape.elementCount / rows, 1))
    }
}

import Tern

extension OpCase {
  private static let pairs: [(String, Shape, Shape)] = [
    ("same", [3, 4], [3, 4]), ("scalar", [], []), ("scalar-right", [5, 3], []),
    ("scalar-left", [], [5, 3]), ("row", [4, 7], [7]), ("column", [4, 7], [4, 1]),
    ("outer", [5, 1], [1, 6]), ("channel", [2, 3, 5, 7], [1, 3, 1, 1]),
    ("middle", [2, 3, 4], [2, 1, 4]), ("mixed", [2, 1, 4, 1], [3, 1, 5]),
    ("vector-image", [7], [2, 3, 5, 7]), ("large", [3, 22_000], [3, 22_000]),
    ("large-row", [70, 1001], [1001]), ("quads-row", [5, 12], [12]),
    ("quads-channel", [2, 3, 4, 5], [3, 1, 1]), ("quads-uneven", [3, 2, 8], [2, 1]),
    ("quads-left", [1, 8], [5, 3, 8]), ("many-axes", [2, 1, 3, 1, 2, 5], [1, 3, 1, 2, 1, 5]),
  ]

  private static func binary(_ name: String, other: Distribution = .normal) -> [OpCase] {
    pairs.map { label, a, b in
      OpCase(
        name, label, [:], ["input": Input(a), "other": Input(b, other)],
        terms: max(a.elementCount, b.elementCount))
    }
  }

  package static let binary: [OpCase] =
    binary("add") + binary("sub") + binary("mul") + binary("div", other: .uniform(0.5, 3))
    + binary("maximum") + binary("minimum")
    + [
      OpCase(
        "mul", "exact", [:], ["input": Input([9, 31], .whole), "other": Input([31], .whole)],
        isExact: true)
    ]
}

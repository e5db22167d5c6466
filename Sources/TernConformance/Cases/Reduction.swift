import Tern

extension OpCase {
  private static let axes: [(String, Shape, [Int]?, Bool)] = [
    ("all", [6, 7], nil, false), ("rows", [6, 7], [0], false), ("columns", [6, 7], [1], false),
    ("keep", [3, 4, 5], [1], true), ("ends", [3, 4, 5], [0, 2], true),
    ("channel", [4, 3, 5, 7], [0, 2, 3], false), ("plane", [2, 3, 5, 7], [2, 3], false),
    ("negative", [2, 3, 4], [-1], false), ("one", [1, 1], [0], false),
    ("size1", [5, 1, 3], [1], false),
    ("long", [2, 10_007], [1], false), ("tall", [10_007, 3], [0], false),
    ("five", [2, 3, 2, 3, 2], [1, 3], false), ("scalar", [], nil, false),
    ("many", [70_001], [0], false), ("quads-rows", [9, 64], [1], false),
    ("quads-columns", [37, 64], [0], false), ("quads-ends", [6, 5, 32], [0, 2], false),
    ("quads-tall", [3001, 8], [0], false), ("quads-long", [2, 40_000], [1], false),
    ("wide-columns", [3, 2051], [0], false), ("short-rows", [401, 6], [1], false),
    ("planes", [40, 3, 7, 7], [0, 2, 3], false),
  ]

  private static func reduce(_ name: String, _ distribution: Distribution) -> [OpCase] {
    axes.map { label, shape, dims, keeps in
      var attributes: [String: AttributeValue] = ["keepdim": .bool(keeps)]
      if let dims { attributes["dim"] = .list(dims.map(AttributeValue.int)) }
      return OpCase(
        name, label, attributes, ["input": Input(shape, distribution)], terms: shape.elementCount)
    }
  }

  static let reduction: [OpCase] =
    reduce("sum", .normal) + reduce("mean", .normal) + reduce("amax", .distinct)
    + [
      OpCase(
        "sum", "exact", ["dim": .list([.int(1)])], ["input": Input([17, 1003], .whole)],
        isExact: true)
    ]
}

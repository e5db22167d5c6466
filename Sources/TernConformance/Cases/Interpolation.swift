import Tern

extension OpCase {
  private static let sizes: [(String, Shape, [Int])] = [
    ("double", [2, 3, 4, 4], [8, 8]), ("uneven", [1, 2, 5, 3], [7, 8]),
    ("down", [2, 2, 9, 8], [4, 3]), ("same", [1, 1, 4, 5], [4, 5]), ("one", [1, 2, 1, 1], [3, 4]),
    ("to-one", [1, 2, 3, 4], [1, 1]),
  ]

  static let interpolation: [OpCase] = sizes.flatMap { label, shape, size in
    let target = AttributeValue.list(size.map(AttributeValue.int))
    return [
      OpCase(
        "interpolate", "nearest-\(label)", ["size": target, "mode": .string("nearest")],
        ["input": Input(shape)]),
      OpCase(
        "interpolate", "bilinear-\(label)",
        ["size": target, "mode": .string("bilinear"), "align_corners": .bool(false)],
        ["input": Input(shape)]),
      OpCase(
        "interpolate", "corners-\(label)",
        ["size": target, "mode": .string("bilinear"), "align_corners": .bool(true)],
        ["input": Input(shape)]),
    ]
  }
}

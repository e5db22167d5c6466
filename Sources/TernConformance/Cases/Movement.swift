import Tern

extension OpCase {
  private static func ints(_ values: [Int]) -> AttributeValue {
    .list(values.map(AttributeValue.int))
  }

  private static let reshapes: [OpCase] =
    ([
      ("flat", [2, 3, 4], [24]), ("infer", [2, 3, 4], [-1, 6]), ("same", [3, 5], [3, 5]),
      ("up", [12], [2, 1, 3, 2]), ("scalar", [1, 1], []),
    ] as [(String, Shape, [Int])]).map { label, shape, target in
      OpCase(
        "reshape", label, ["shape": ints(target)], ["input": Input(shape, .whole)], isExact: true)
    }

  private static let permutes: [OpCase] =
    ([
      ("swap", [5, 7], [1, 0]), ("same", [2, 3], [0, 1]), ("nhwc", [2, 3, 4, 5], [0, 2, 3, 1]),
      ("nchw", [2, 4, 5, 3], [0, 3, 1, 2]), ("reverse", [2, 3, 4], [2, 1, 0]),
      ("five", [2, 3, 1, 4, 2], [4, 0, 3, 1, 2]), ("large", [257, 300], [1, 0]),
      ("batch", [3, 33, 49], [0, 2, 1]), ("tiles", [2, 32, 4, 16], [0, 2, 3, 1]),
    ] as [(String, Shape, [Int])]).map { label, shape, order in
      OpCase(
        "permute", label, ["dims": ints(order)], ["input": Input(shape, .whole)], isExact: true)
    }

  private static let transposes: [OpCase] =
    ([
      ("matrix", [3, 4], 0, 1), ("ends", [2, 3, 4], 0, 2), ("negative", [2, 3, 4], -1, 1),
    ] as [(String, Shape, Int, Int)]).map { label, shape, a, b in
      OpCase(
        "transpose", label, ["dim0": .int(a), "dim1": .int(b)], ["input": Input(shape, .whole)],
        isExact: true)
    }

  private static let cats: [OpCase] =
    ([
      ("rows", 0, [[2, 3], [1, 3], [4, 3]]), ("columns", 1, [[2, 3], [2, 1]]),
      ("channels", 1, [[2, 3, 4, 5], [2, 1, 4, 5], [2, 5, 4, 5]]),
      ("last", -1, [[2, 2, 3], [2, 2, 1]]), ("quads", 1, [[3, 8], [3, 4], [3, 12]]),
      ("quads-uneven", 1, [[3, 8], [3, 3], [3, 5]]),
      ("single", 0, [[3, 2]]), ("many", 0, [[1], [1], [1], [1], [1], [1], [1], [1], [1]]),
    ] as [(String, Int, [Shape])]).map { label, dim, shapes in
      OpCase(
        "cat", label, ["dim": .int(dim)],
        Dictionary(
          uniqueKeysWithValues: shapes.enumerated().map { ("tensors.\($0)", Input($1, .whole)) }),
        isExact: true)
    }

  private static let narrows: [OpCase] =
    ([
      ("rows", [6, 3], 0, 2, 3), ("columns", [3, 6], 1, 0, 2), ("middle", [2, 7, 3], 1, 3, 4),
      ("one", [5, 4], 0, 4, 1), ("last", [2, 3, 5], -1, 1, 3), ("whole", [4, 2], 0, 0, 4),
      ("quads", [3, 16], 1, 4, 8), ("quads-uneven", [3, 16], 1, 3, 8),
    ] as [(String, Shape, Int, Int, Int)]).map { label, shape, dim, start, length in
      OpCase(
        "narrow", label, ["dim": .int(dim), "start": .int(start), "length": .int(length)],
        ["input": Input(shape, .whole)], isExact: true)
    }

  private static let pads: [OpCase] =
    (["constant", "reflect", "replicate", "circular"].flatMap { mode in
      ([
        ("image", [2, 3, 5, 6], [1, 2, 2, 1]), ("left", [1, 2, 4, 5], [2, 0, 0, 0]),
        ("most", [1, 1, 3, 4], [2, 2, 2, 2]), ("row", [2, 1, 1, 7], [3, 3, 0, 0]),
      ] as [(String, Shape, [Int])]).map { label, shape, amounts in
        OpCase(
          "pad", "\(mode)-\(label)", ["pad": ints(amounts), "mode": .string(mode)],
          ["input": Input(shape, .whole)], isExact: true)
      }
    })
    + [
      OpCase(
        "pad", "value", ["pad": ints([1, 1]), "value": .double(2.5)], ["input": Input([3, 4])]),
      OpCase("pad", "crop", ["pad": ints([-1, 2, 0, -1])], ["input": Input([2, 4, 5])]),
    ]

  static let movement: [OpCase] = reshapes + permutes + transposes + cats + narrows + pads
}

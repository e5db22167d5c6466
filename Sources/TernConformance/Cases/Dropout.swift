import Tern

extension OpCase {
  /// The masks are drawn from the same stream on every device, so that even the zeros are checked.
  static let dropout: [OpCase] =
    ([
      ("half", [8, 16], 0.5, 1, 0), ("tenth", [3, 5, 7], 0.1, 2, 1), ("most", [1001], 0.9, 77, 3),
      ("none", [5], 0, 3, 0), ("quads", [3, 8], 0.4, 5, 1), ("large", [70_001], 0.3, 123_456, 2),
    ] as [(String, Shape, Double, Int32, Int)]).map { label, shape, p, step, stream in
      OpCase(
        "dropout", label, ["p": .double(p), "seed": .int(42), "stream": .int(stream)],
        ["input": Input(shape), "step": Input([], .integer(step))])
    }
}

import Tern

extension OpCase {
  private static func pair(_ values: [Int]) -> AttributeValue {
    .list(values.map(AttributeValue.int))
  }

  private static let windows: [(String, Shape, [Int], [Int], [Int], Bool)] = [
    // input, kernel, stride, padding, ceil mode
    ("basic", [2, 3, 8, 8], [2, 2], [2, 2], [0, 0], false),
    ("overlap", [2, 3, 9, 9], [3, 3], [2, 2], [1, 1], false),
    ("ceil", [1, 2, 7, 7], [3, 3], [2, 2], [0, 0], true),
    ("ceil-padding", [1, 2, 8, 6], [3, 3], [2, 2], [1, 1], true),
    ("dense", [1, 2, 6, 7], [3, 3], [1, 1], [1, 1], false),
    ("uneven", [2, 1, 9, 10], [2, 3], [2, 1], [1, 0], false),
    ("whole", [2, 3, 5, 4], [5, 4], [5, 4], [0, 0], false),
    ("one", [2, 2, 3, 3], [1, 1], [1, 1], [0, 0], false),
    ("skip", [1, 1, 11, 11], [2, 2], [3, 3], [0, 0], false),
    ("odd", [1, 3, 13, 7], [2, 2], [2, 2], [0, 0], false),
    ("lenet", [4, 6, 28, 28], [2, 2], [2, 2], [0, 0], false),
    ("large", [1, 1, 300, 301], [3, 3], [2, 2], [1, 1], false),
    ("wide-window", [1, 2, 11, 12], [5, 5], [2, 3], [2, 2], false),
  ]

  static let pooling: [OpCase] =
    windows.flatMap { label, shape, kernel, stride, padding, ceil in
      let attributes: [String: AttributeValue] = [
        "kernel_size": pair(kernel), "stride": pair(stride), "padding": pair(padding),
        "ceil_mode": .bool(ceil),
      ]
      return [
        OpCase("max_pool2d", label, attributes, ["input": Input(shape, .distinct)]),
        OpCase("avg_pool2d", label, attributes, ["input": Input(shape)]),
        OpCase(
          "avg_pool2d", "\(label)-no-pad",
          attributes.merging(["count_include_pad": .bool(false)]) { a, _ in a },
          ["input": Input(shape)]),
      ]
    }
    + [
      OpCase(
        "max_pool2d", "dilated",
        ["kernel_size": .int(3), "stride": .int(1), "dilation": .int(2)],
        ["input": Input([1, 2, 10, 10], .distinct)]),
      OpCase(
        "max_pool2d", "exact", ["kernel_size": .int(2)],
        ["input": Input([2, 3, 8, 8], .distinct)], isExact: true),
    ]
    + ([
      ("global", [2, 3, 8, 8], [1, 1]), ("even", [2, 2, 8, 6], [4, 3]),
      ("uneven", [2, 3, 13, 13], [6, 6]), ("same", [1, 2, 4, 5], [4, 5]),
      ("up", [1, 2, 3, 3], [5, 7]), ("alexnet", [1, 3, 7, 7], [6, 6]),
    ] as [(String, Shape, [Int])]).map { label, shape, size in
      OpCase("adaptive_avg_pool2d", label, ["output_size": pair(size)], ["input": Input(shape)])
    }
    + [
      OpCase(
        "max_unpool2d", "basic", ["kernel_size": .int(2)],
        ["input": Input([1, 2, 1, 1]), "indices": Input([1, 2, 1, 1], .indices(4))]),
      // Several elements on one place: the last remains, and each is given the place's gradient, as by
      // PyTorch, which no difference quotient gives.
      OpCase(
        "max_unpool2d", "crowded", ["kernel_size": .int(2), "output_size": pair([4, 5])],
        ["input": Input([2, 2, 5, 6], .whole), "indices": Input([2, 2, 5, 6], .indices(20))],
        isExact: true),
      OpCase(
        "max_unpool2d", "sized", ["kernel_size": .int(2), "output_size": pair([3, 5])],
        ["input": Input([2, 3, 1, 1]), "indices": Input([2, 3, 1, 1], .indices(15))]),
    ]
}

import Tern

extension OpCase {
  private static let sequences: [(String, [Int], Int, Int, Int, Int)] = [
    // batch axes, L, S, E, V
    ("self", [2, 2], 5, 5, 8, 8), ("cross", [1, 3], 6, 9, 4, 4), ("values", [2], 3, 5, 4, 7),
    ("single", [1, 1], 1, 1, 1, 1), ("flat", [], 7, 7, 3, 3), ("long", [1, 2], 130, 130, 16, 16),
    ("wide", [1, 1], 17, 33, 64, 64), ("head128", [1, 1], 20, 20, 128, 128),
    ("odd", [2], 70, 45, 45, 33), ("head32", [1, 2], 66, 80, 32, 32),
    ("head256", [1], 5, 9, 256, 256),
  ]

  static let attention: [OpCase] = sequences.flatMap { label, batch, l, s, e, v in
    let inputs = [
      "query": Input(Shape(batch + [l, e])), "key": Input(Shape(batch + [s, e])),
      "value": Input(Shape(batch + [s, v])),
    ]
    let name = "scaled_dot_product_attention"
    return [
      OpCase(name, label, [:], inputs, terms: s),
      OpCase(name, "causal-\(label)", ["is_causal": .bool(true)], inputs, terms: s),
    ] + (label == "self" ? [OpCase(name, "scale", ["scale": .double(0.3)], inputs, terms: s)] : [])
  }
}

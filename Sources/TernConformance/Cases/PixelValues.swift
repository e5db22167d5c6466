import Tern

extension OpCase {
  static let pixels: [OpCase] =
    ([
      ("quads", [2, 3, 8, 8]), ("odd", [2, 3, 5, 7]), ("vectors", [5, 4]),
      ("grey", [3, 1, 28, 28]),
    ] as [(String, Shape)]).map { label, shape in
      OpCase(
        "pixel_values", label, [:],
        ["input": Input(shape, .indices(256)), "table": Input([shape[1], 256])],
        terms: shape.elementCount / shape[1] / 256 + 1)
    }
}

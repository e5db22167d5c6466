import Tern

extension OpCase {
  /// Drawn from the same stream on every device, so that every number is checked.
  static let random: [OpCase] =
    ([("four", [4], 1, 0), ("odd", [3, 5, 7], 2, 1), ("large", [70_001], 123_456, 2)]
    as [(String, Shape, Int32, Int)]).flatMap { label, shape, step, stream in
      let settings: [String: AttributeValue] = ["seed": .int(42), "stream": .int(stream)]
      return [
        OpCase(
          "randn", label,
          settings.merging(["size": .list(shape.map(AttributeValue.int))]) { a, _ in a },
          ["step": Input([], .integer(step))]),
        OpCase(
          "bernoulli", label, settings,
          ["input": Input(shape, .uniform(-0.1, 1.1)), "step": Input([], .integer(step))]),
      ]
    }
}

import Tern

extension OpCase {
  private struct Geometry {
    let label: String
    let input: Shape
    let out: Int
    let kernel: [Int]
    var stride = [1, 1]
    var padding = [0, 0]
    var dilation = [1, 1]
    var groups = 1
    var hasBias = true

    var attributes: [String: AttributeValue] {
      func pair(_ values: [Int]) -> AttributeValue { .list(values.map(AttributeValue.int)) }
      return [
        "stride": pair(stride), "padding": pair(padding), "dilation": pair(dilation),
        "groups": .int(groups),
      ]
    }

    func inputs(_ distribution: Distribution) -> [String: Input] {
      var result = [
        "input": Input(input, distribution),
        "weight": Input([out, input[1] / groups, kernel[0], kernel[1]], distribution),
      ]
      if hasBias { result["bias"] = Input([out], distribution) }
      return result
    }

    var terms: Int { max(input.elementCount, out * kernel[0] * kernel[1]) }
  }

  private static let geometries: [Geometry] = [
    .init(label: "basic", input: [2, 3, 8, 8], out: 4, kernel: [3, 3]),
    .init(label: "same", input: [2, 3, 9, 7], out: 5, kernel: [3, 3], padding: [1, 1]),
    .init(label: "pointwise", input: [2, 5, 6, 7], out: 8, kernel: [1, 1]),
    .init(
      label: "pointwise-stride", input: [2, 4, 7, 9], out: 6, kernel: [1, 1], stride: [2, 2]),
    .init(label: "one-pixel", input: [3, 2, 1, 1], out: 3, kernel: [1, 1]),
    .init(label: "whole", input: [2, 3, 5, 4], out: 7, kernel: [5, 4]),
    .init(
      label: "stride2", input: [2, 4, 11, 11], out: 6, kernel: [5, 5], stride: [2, 2],
      padding: [2, 2]),
    .init(
      label: "stride-uneven", input: [1, 2, 13, 10], out: 3, kernel: [3, 3], stride: [3, 2],
      padding: [1, 0]),
    .init(
      label: "dilated", input: [1, 2, 13, 13], out: 3, kernel: [3, 3], padding: [2, 2],
      dilation: [2, 2]),
    .init(
      label: "dilated-uneven", input: [2, 2, 12, 15], out: 2, kernel: [2, 3], dilation: [3, 2]),
    .init(
      label: "grouped", input: [2, 6, 9, 9], out: 4, kernel: [3, 3], padding: [1, 1], groups: 2),
    .init(
      label: "depthwise", input: [2, 6, 9, 9], out: 6, kernel: [3, 3], padding: [1, 1], groups: 6),
    .init(
      label: "depthwise-stride", input: [1, 5, 10, 11], out: 5, kernel: [3, 3], stride: [2, 2],
      padding: [1, 1], groups: 5),
    .init(label: "depthwise-multiplier", input: [2, 3, 7, 7], out: 6, kernel: [3, 3], groups: 3),
    .init(
      label: "depthwise-multiplier-stride", input: [2, 3, 9, 8], out: 6, kernel: [5, 5],
      stride: [2, 3], padding: [2, 1], groups: 3),
    .init(
      label: "depthwise-dilated", input: [1, 3, 13, 11], out: 3, kernel: [3, 3], stride: [1, 2],
      padding: [2, 2], dilation: [2, 3], groups: 3),
    .init(
      label: "depthwise-large-kernel", input: [1, 2, 9, 10], out: 2, kernel: [9, 9],
      padding: [4, 4], groups: 2),
    .init(
      label: "depthwise-many", input: [2, 2, 40, 41], out: 2, kernel: [7, 7], padding: [3, 3],
      groups: 2, hasBias: false),
    .init(
      label: "row", input: [1, 3, 6, 10], out: 4, kernel: [1, 5], padding: [0, 2], hasBias: false),
    .init(label: "column", input: [1, 3, 10, 6], out: 4, kernel: [7, 1], padding: [3, 0]),
    .init(label: "odd-channels", input: [2, 17, 5, 5], out: 33, kernel: [3, 3], padding: [1, 1]),
    .init(
      label: "stem", input: [1, 3, 23, 23], out: 8, kernel: [7, 7], stride: [2, 2],
      padding: [3, 3], hasBias: false),
    .init(
      label: "alexnet", input: [1, 3, 35, 35], out: 8, kernel: [11, 11], stride: [4, 4],
      padding: [2, 2]),
    .init(label: "lenet1", input: [3, 1, 28, 28], out: 6, kernel: [5, 5], padding: [2, 2]),
    .init(label: "lenet2", input: [3, 6, 14, 14], out: 16, kernel: [5, 5]),
    .init(label: "vgg", input: [1, 32, 14, 14], out: 32, kernel: [3, 3], padding: [1, 1]),
    .init(label: "bottleneck", input: [2, 64, 7, 7], out: 16, kernel: [1, 1], hasBias: false),
    .init(label: "wide-padding", input: [1, 1, 3, 3], out: 2, kernel: [3, 3], padding: [3, 4]),
    .init(label: "pointwise-even", input: [3, 8, 4, 6], out: 12, kernel: [1, 1]),
    .init(
      label: "stride-dilated", input: [2, 2, 14, 15], out: 3, kernel: [3, 4], stride: [2, 3],
      padding: [3, 2], dilation: [2, 3]),
    .init(
      label: "stride-over-kernel", input: [1, 2, 9, 11], out: 3, kernel: [2, 3], stride: [4, 5],
      padding: [1, 1]),
    .init(
      label: "long-row", input: [1, 2, 4, 45], out: 3, kernel: [2, 33], stride: [1, 2],
      padding: [1, 16]),
    .init(label: "many", input: [1, 3, 150, 150], out: 4, kernel: [3, 3], padding: [1, 1]),
  ]

  private static let transposed: [(String, Shape, Shape, [Int], [Int], [Int], [Int], Int)] = [
    // input, weight [C, O/groups, KH, KW], stride, padding, output padding, dilation, groups
    ("basic", [2, 4, 5, 5], [4, 3, 3, 3], [1, 1], [0, 0], [0, 0], [1, 1], 1),
    ("upsample", [2, 4, 5, 6], [4, 3, 2, 2], [2, 2], [0, 0], [0, 0], [1, 1], 1),
    ("dcgan", [1, 3, 4, 4], [3, 2, 4, 4], [2, 2], [1, 1], [0, 0], [1, 1], 1),
    ("output-padding", [1, 2, 5, 4], [2, 3, 3, 3], [2, 2], [1, 1], [1, 1], [1, 1], 1),
    ("dilated", [1, 2, 4, 4], [2, 2, 3, 3], [1, 1], [0, 0], [0, 0], [2, 2], 1),
    ("grouped", [2, 4, 4, 5], [4, 2, 3, 3], [2, 1], [1, 1], [0, 0], [1, 1], 2),
    ("pointwise", [2, 3, 4, 4], [3, 5, 1, 1], [1, 1], [0, 0], [0, 0], [1, 1], 1),
  ]

  private static let sequences: [(String, Shape, Shape, Int, Int, Int, Int)] = [
    // input, weight, stride, padding, dilation, groups
    ("basic", [2, 3, 16], [4, 3, 3], 1, 0, 1, 1), ("stride", [2, 4, 20], [5, 4, 5], 2, 2, 1, 1),
    ("dilated", [1, 2, 17], [3, 2, 3], 1, 2, 2, 1), ("grouped", [2, 4, 9], [6, 2, 3], 1, 1, 1, 2),
    ("pointwise", [3, 5, 7], [2, 5, 1], 1, 0, 1, 1),
    ("long", [1, 1, 1001], [2, 1, 9], 1, 4, 1, 1),
  ]

  static let convolution: [OpCase] =
    geometries.map {
      OpCase("conv2d", $0.label, $0.attributes, $0.inputs(.normal), terms: $0.terms)
    }
    + geometries.map {
      OpCase("conv2d", "exact-\($0.label)", $0.attributes, $0.inputs(.whole), isExact: true)
    }
    + transposed.map { label, input, weight, stride, padding, outputPadding, dilation, groups in
      func pair(_ values: [Int]) -> AttributeValue { .list(values.map(AttributeValue.int)) }
      return OpCase(
        "conv_transpose2d", label,
        [
          "stride": pair(stride), "padding": pair(padding), "output_padding": pair(outputPadding),
          "dilation": pair(dilation), "groups": .int(groups),
        ],
        ["input": Input(input), "weight": Input(weight), "bias": Input([weight[1] * groups])],
        terms: weight.elementCount)
    }
    + sequences.map { label, input, weight, stride, padding, dilation, groups in
      OpCase(
        "conv1d", label,
        [
          "stride": .int(stride), "padding": .int(padding), "dilation": .int(dilation),
          "groups": .int(groups),
        ],
        ["input": Input(input), "weight": Input(weight), "bias": Input([weight[0]])],
        terms: input.elementCount)
    }
}

import TernCore
import TernGraph
import Testing

/// Every backward pass against finite differences, in geometries where an index is easily mistaken.
@Suite struct GradientTests {
  @Test(arguments: elementwise + planes + matrices + losses)
  func matchesFiniteDifferences(_ gradientCase: GradientCase) throws {
    let (error, place) = try gradientCase.greatestError()
    #expect(error < 1e-5, "\(place)")
  }

  private static func normal(_ shape: Shape, _ substream: UInt32 = 0) -> HostTensor {
    HostTensor(shape, Philox(key: (1, 2)).normals(shape.elementCount, substream))
  }

  /// From 0.5 to 1.5, on either side of 0 if `isSigned`: away from every corner of the functions.
  private static func away(_ shape: Shape, isSigned: Bool = false) -> HostTensor {
    HostTensor(
      shape,
      Philox(key: (5, 6)).uniforms(shape.elementCount).enumerated().map {
        (isSigned && $0 % 2 == 1 ? -1 : 1) * (0.5 + $1)
      })
  }

  private static func pair(_ a: Int, _ b: Int) -> AttributeValue { .list([.int(a), .int(b)]) }

  static let elementwise: [GradientCase] =
    [
      "relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus", "abs", "square", "neg",
      "leaky_relu", "exp", "reciprocal",
    ].map { GradientCase($0, [:], ["input": away([2, 5], isSigned: true)]) }
    + ["log", "sqrt", "rsqrt"].map { GradientCase($0, [:], ["input": away([2, 5])]) }
    + [
      GradientCase("gelu", ["approximate": .string("tanh")], ["input": normal([7])]),
      GradientCase(
        "softplus", ["beta": .double(2), "threshold": .double(1)],
        ["input": away([6], isSigned: true)]),
      GradientCase("hardtanh", ["max_val": .double(0.8)], ["input": away([9], isSigned: true)]),
      GradientCase("clamp", ["min": .double(-0.7)], ["input": away([9], isSigned: true)]),
      GradientCase("pow", ["exponent": .double(-0.75)], ["input": away([6])]),
      GradientCase(
        "prelu", [:], ["input": away([2, 3, 2], isSigned: true), "weight": normal([3])]),
    ]
    + ["add", "sub", "mul", "div", "maximum", "minimum"].map {
      GradientCase(
        $0, [:], ["input": normal([2, 1, 3]), "other": away([4, 1], isSigned: true)])
    }
    + ["sum", "mean", "amax"].map {
      GradientCase($0, ["dim": pair(0, 2)], ["input": normal([2, 3, 4])])
    }

  static let planes: [GradientCase] =
    [
      GradientCase(
        "conv2d",
        [
          "stride": pair(2, 1), "padding": pair(1, 2), "dilation": pair(1, 2), "groups": .int(2),
        ],
        ["input": normal([2, 4, 5, 6]), "weight": normal([6, 2, 3, 2], 1), "bias": normal([6])]),
      GradientCase(
        "conv_transpose2d",
        [
          "stride": pair(2, 3), "padding": pair(1, 0), "output_padding": pair(1, 2),
          "groups": .int(2),
        ],
        ["input": normal([2, 4, 3, 2]), "weight": normal([4, 1, 3, 2], 1), "bias": normal([2])]),
      GradientCase(
        "max_pool2d",
        [
          "kernel_size": pair(3, 2), "stride": pair(2, 1), "padding": pair(1, 0),
          "ceil_mode": .bool(true),
        ],
        ["input": normal([2, 2, 6, 5])]),
      GradientCase(
        "avg_pool2d",
        [
          "kernel_size": pair(3, 2), "stride": pair(2, 3), "padding": pair(1, 1),
          "ceil_mode": .bool(true),
        ],
        ["input": normal([2, 2, 6, 5])]),
      GradientCase(
        "avg_pool2d",
        [
          "kernel_size": pair(3, 3), "stride": pair(2, 2), "padding": pair(1, 1),
          "ceil_mode": .bool(true), "count_include_pad": .bool(false),
        ], ["input": normal([1, 2, 6, 5])]),
      GradientCase(
        "adaptive_avg_pool2d", ["output_size": pair(3, 2)], ["input": normal([2, 2, 5, 3])]),
      GradientCase(
        "max_unpool2d", ["kernel_size": pair(2, 2)],
        [
          "input": normal([1, 1, 2, 2]),
          "indices": HostTensor([1, 1, 2, 2], [5, 2, 8, 15] as [Int32]),
        ]),
      GradientCase("interpolate", ["size": pair(7, 3)], ["input": normal([1, 2, 4, 5])]),
      GradientCase(
        "interpolate", ["size": pair(7, 3), "mode": .string("bilinear")],
        ["input": normal([1, 2, 4, 5])]),
      GradientCase(
        "interpolate",
        ["size": pair(1, 8), "mode": .string("bilinear"), "align_corners": .bool(true)],
        ["input": normal([1, 2, 4, 5])]),
      GradientCase(
        "pad", ["pad": .list([.int(-1), .int(2), .int(3), .int(-2)])], ["input": normal([2, 4, 3])]),
    ]
    + ["reflect", "replicate", "circular"].map {
      GradientCase(
        "pad", ["pad": .list([.int(2), .int(1), .int(0), .int(3)]), "mode": .string($0)],
        ["input": normal([2, 4, 3])])
    }
    + [
      GradientCase(
        "batch_norm", ["training": .bool(true)],
        [
          "input": normal([2, 3, 2, 2]), "weight": normal([3], 1), "bias": normal([3], 2),
          "running_mean": normal([3], 3), "running_var": away([3]),
        ], constants: ["running_mean", "running_var"]),
      GradientCase(
        "layer_norm", ["normalized_shape": pair(3, 2)],
        ["input": normal([2, 3, 2]), "weight": normal([3, 2], 1), "bias": normal([3, 2], 2)]),
      GradientCase(
        "local_response_norm", ["size": .int(3), "alpha": .double(0.5)],
        ["input": normal([2, 5, 2])]),
    ]

  static let matrices: [GradientCase] =
    [
      GradientCase(
        "matmul", [:], ["input": normal([2, 1, 2, 3]), "other": normal([4, 3, 2], 1)]),
      GradientCase(
        "linear", [:],
        ["input": normal([2, 2, 3]), "weight": normal([4, 3], 1), "bias": normal([4], 2)]),
      GradientCase(
        "permute", ["dims": .list([.int(1), .int(2), .int(0)])], ["input": normal([2, 3, 4])]),
      GradientCase(
        "cat", ["dim": .int(1)],
        ["tensors.0": normal([2, 1, 2]), "tensors.1": normal([2, 3, 2], 1)]),
      GradientCase(
        "narrow", ["dim": .int(-2), "start": .int(1), "length": .int(2)],
        ["input": normal([2, 4, 3])]),
      GradientCase(
        "embedding", [:],
        ["input": HostTensor([2, 2], [1, 0, 1, 3] as [Int32]), "weight": normal([4, 3])]),
      GradientCase("softmax", ["dim": .int(1)], ["input": normal([2, 4, 3])]),
      GradientCase("log_softmax", ["dim": .int(1)], ["input": normal([2, 4, 3])]),
    ]
    + [(4, 3), (3, 4)].map { queries, keys in
      GradientCase(
        "scaled_dot_product_attention", ["is_causal": .bool(true)],
        [
          "query": normal([2, queries, 3]), "key": normal([2, keys, 3], 1),
          "value": normal([2, keys, 2], 2),
        ])
    }

  static let losses: [GradientCase] = ["none", "sum", "mean"].map {
    GradientCase(
      "cross_entropy",
      ["reduction": .string($0), "label_smoothing": .double(0.2), "ignore_index": .int(1)],
      [
        "input": normal([2, 3, 2]), "target": HostTensor([2, 2], [0, 1, 2, 0] as [Int32]),
        "weight": away([3]),
      ], constants: ["weight"])
  }
}

import TernCore
import TernGraph

/// LeNet-5 as it was published.
///
/// Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
/// recognition", 1998.
extension ZooEntry {
  /// Parameters: C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164; the codes of the output units
  /// are fixed. Images smaller than 32×32 get a border.
  static let lenet1998 = ZooEntry(
    "lenet5-1998", source: "LeCun et al., 1998, as published", inputShape: [1, 32, 32],
    classCount: 10
  ) { input, classes in
    if input.rank == 3, input[1] < 32, input[2] < 32 {
      let (height, width) = (32 - input[1], 32 - input[2])
      Functional.pad([width / 2, width - width / 2, height / 2, height - height / 2]).named(
        "border")
    }
    Conv2D(6, kernel: 5).named("C1")
    ScaledTanh().named("C1_tanh")
    Subsampling().named("S2")
    ScaledTanh().named("S2_tanh")
    TableConvolution(LeNet1998.table, kernel: 5).named("C3")
    ScaledTanh().named("C3_tanh")
    Subsampling().named("S4")
    ScaledTanh().named("S4_tanh")
    Conv2D(120, kernel: 5).named("C5")
    ScaledTanh().named("C5_tanh")
    Functional.flatten.named("flatten")
    Linear(84).named("F6")
    ScaledTanh().named("F6_tanh")
    // With a variance of 1, 84 units put the classes so far apart that usual learning rates overshoot.
    RadialBasis(codes: LeNet1998.codes(classes), variance: 10).named("output")
  }
}

private enum LeNet1998 {
  /// The paper's table 1: which maps of S2 each map of C3 reads.
  static let table = [
    [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
    [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
    [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5],
    [0, 1, 2, 3, 4, 5],
  ]

  /// What F6 is to show for each class, 84 numbers of ±1: pictures of the digits, 7 wide and 12
  /// high, and beyond ten classes codes at random, which the paper offers as the other way.
  static func codes(_ classes: Int) -> [[Float]] {
    let rows = glyphs.split(separator: "\n").map { $0.split(separator: " ") }
    return (0..<classes).map { label in
      if classes <= 10 {
        return rows.flatMap { row in row[label].map { $0 == "#" ? 1 : -1 } }
      }
      return Philox(seed: 0, stream: .initialization).uniforms(84, UInt32(label))
        .map { $0 < 0.5 ? -1 : 1 }
    }
  }

  private static let glyphs = """
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    ..###.. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
    .##.##. ..##... ##...## ##...## ...###. ##..... .##.... .....## ##...## ##...##
    ##...## .###... .....## .....## ..####. ##..... ##..... ....##. ##...## ##...##
    ##...## ...#... .....## .....## .##.##. ######. ##..... ....##. .##.##. ##...##
    ##...## ...#... ....##. ..####. ##..##. .....## ######. ...##.. ..###.. .######
    ##...## ...#... ...##.. .....## ##..##. .....## ##...## ...##.. .##.##. .....##
    ##...## ...#... ..##... .....## ####### .....## ##...## ..##... ##...## .....##
    ##...## ...#... .##.... .....## ....##. .....## ##...## ..##... ##...## ....##.
    .##.##. ...#... ##..... ##...## ....##. ##...## ##...## .##.... ##...## ...##..
    ..###.. .#####. ####### .#####. ....##. .#####. .#####. .##.... .#####. .###...
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    """
}

/// y = A tanh(S x) with A = 1.7159 and S = 2/3, so that f(±1) = ±1.
public struct ScaledTanh: Layer {
  public init() {}

  public var kind: String { "scaled_tanh" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try inputs[0].affine(scale: 2 / 3).tanh().affine(scale: 1.7159)
  }
}

/// The average over 2×2 pixels, times a weight and plus a bias per channel [C].
public struct Subsampling: Layer {
  public init() {}

  public var kind: String { "subsampling" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 4 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, H, W]", got: "\(x.shape)")
    }
    let channels = x.shape[1]
    let weight = try context.parameter("weight", [channels], .ones)
    let bias = try context.parameter("bias", [channels], .zeros)
    let average = try x.avgPool2d(PoolingWindow(kernel: [2, 2], stride: [2, 2]))
    let y =
      try average * weight.reshape([1, channels, 1, 1]) + bias.reshape([1, channels, 1, 1])
    context.recordWindow(y, from: x, kernel: 2, stride: 2, dilation: 1)
    return y
  }
}

/// A convolution in which each output channel reads only some of the input channels.
///
/// Its weight is [L, K, K] for L links in the order of the table, its bias [O].
public struct TableConvolution: Layer {
  /// Per output channel: the input channels it reads.
  package let table: [[Int]]
  package let kernel: Int

  public init(_ table: [[Int]], kernel: Int) {
    self.table = table
    self.kernel = kernel
  }

  public var kind: String { "table_convolution" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    let channels = table.flatMap(\.self).max()! + 1
    guard x.shape.rank == 4, x.shape[1] == channels else {
      throw ShapeError(kind, "input", expected: "shape [N, \(channels), H, W]", got: "\(x.shape)")
    }
    let area = kernel * kernel
    let fanIn = table.map(\.count).max()! * area
    let links = table.enumerated().flatMap { output, inputs in inputs.map { (output, $0) } }
    let weight = try context.parameter(
      "weight", [links.count, kernel, kernel], .inverseSqrt(fanIn: fanIn))
    let bias = try context.parameter("bias", [table.count], .inverseSqrt(fanIn: fanIn))
    // A product with a matrix of zeros and ones puts each link at its place in [O, C, K, K].
    var places = [Float](repeating: 0, count: table.count * channels * links.count)
    for (link, (output, input)) in links.enumerated() {
      places[(output * channels + input) * links.count + link] = 1
    }
    let dense = try context.builder.constant(
      HostTensor([table.count * channels, links.count], places)
    ).matmul(weight.reshape([links.count, area]))
    let y = try x.conv2d(
      weight: dense.reshape([table.count, channels, kernel, kernel]), bias: bias)
    context.recordWindow(y, from: x, kernel: kernel, stride: 1, dilation: 1)
    return y
  }
}

/// Units that measure how far their input [N, F] is from a fixed code each:
/// y = −‖x − code‖² / (2 · variance), so that the nearest code has the largest output, and softmax
/// makes the probabilities of Gaussians.
public struct RadialBasis: Layer {
  /// Per output: F numbers.
  package let codes: [[Float]]
  package let variance: Float

  public init(codes: [[Float]], variance: Float) {
    self.codes = codes
    self.variance = variance
  }

  public var kind: String { "radial_basis" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    let width = codes[0].count
    guard x.shape.rank == 2, x.shape[1] == width else {
      throw ShapeError(kind, "input", expected: "shape [N, \(width)]", got: "\(x.shape)")
    }
    let centers = context.builder.constant(
      HostTensor([1, codes.count, width], codes.flatMap(\.self)))
    return try (x.reshape([x.shape[0], 1, width]) - centers).square().sum([2])
      .affine(scale: -0.5 / variance)
  }
}

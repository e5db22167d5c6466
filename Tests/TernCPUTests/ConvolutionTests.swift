import TernCore
import TernGraph
import TernRuntime
import TernTestSupport
import Testing

@Suite struct ConvolutionTests {
  struct Shape2D: Sendable, CustomTestStringConvertible {
    let label: String
    var batch = 2
    let channels: (input: Int, output: Int)
    var extent = (height: 7, width: 8)
    var kernel = [3, 3]
    var stride = [1, 1]
    var padding = [1, 1]
    var dilation = [1, 1]
    var groups = 1
    var testDescription: String { label }
  }

  static let shapes = [
    Shape2D(
      label: "an image to pairs of columns", channels: (1, 6), kernel: [5, 5], padding: [2, 2]),
    Shape2D(
      label: "pairs of columns, strided", channels: (3, 8), extent: (9, 15), stride: [2, 3],
      padding: [1, 2]),
    Shape2D(
      label: "pairs of columns that leave some unused", channels: (2, 5), extent: (8, 13),
      kernel: [2, 3], stride: [1, 3], padding: [0, 0]),
    Shape2D(label: "an odd number of columns", channels: (1, 6), extent: (7, 7)),
    Shape2D(
      label: "an image to a padded block", channels: (3, 20), extent: (9, 9), stride: [2, 2]),
    Shape2D(label: "channels last", channels: (6, 16), kernel: [5, 5], padding: [0, 0]),
    Shape2D(label: "channels last, few outputs", channels: (12, 5)),
    Shape2D(label: "whole blocks", channels: (16, 32)),
    Shape2D(label: "whole blocks, an odd batch", batch: 5, channels: (16, 32), extent: (12, 14)),
    Shape2D(label: "padded blocks", channels: (24, 40), kernel: [1, 1], padding: [0, 0]),
    Shape2D(
      label: "whole blocks to tiles, strided", batch: 3, channels: (32, 64), extent: (9, 12),
      stride: [2, 2]),
    Shape2D(
      label: "tiles of a wide stride, dilated", channels: (16, 128), extent: (11, 40),
      kernel: [2, 3], stride: [1, 3], padding: [0, 2], dilation: [3, 2]),
    Shape2D(
      label: "an image to tiles", batch: 3, channels: (3, 64), extent: (20, 21), kernel: [7, 7],
      stride: [2, 2], padding: [3, 3]),
    Shape2D(
      label: "an image to tiles, smaller than its padding", channels: (2, 128), extent: (2, 3),
      kernel: [4, 3], stride: [2, 1], padding: [4, 3]),
    Shape2D(label: "dilated", channels: (16, 32), padding: [2, 1], dilation: [2, 1]),
    Shape2D(label: "depthwise", channels: (32, 32), groups: 32),
    Shape2D(label: "depthwise, few channels", channels: (6, 6), groups: 6),
    Shape2D(label: "groups of a block", channels: (32, 32), groups: 2),
    Shape2D(label: "groups of four", channels: (32, 32), groups: 8),
  ]

  @Test(arguments: shapes) func agreesWithTheReference(_ shape: Shape2D) throws {
    var experiment = Experiment()
    let x = try experiment.input(
      "x", [shape.batch, shape.channels.input, shape.extent.height, shape.extent.width])
    let w = try experiment.input(
      "w",
      [
        shape.channels.output, shape.channels.input / shape.groups, shape.kernel[0],
        shape.kernel[1],
      ])
    let b = try experiment.input("b", [shape.channels.output])
    let y = try x.conv2d(
      weight: w, bias: b, stride: shape.stride, padding: .symmetric(shape.padding),
      dilation: shape.dilation,
      groups: shape.groups)
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x, "w": w, "b": b])
    try experiment.expectAgreement()
  }

  /// Two convolutions, so that one reads what the other wrote: oneDNN's reference would be a thousand times
  /// slower than its kernels, and takes whatever no kernel does.
  @Test(arguments: [
    [1, 16, 16], [3, 16, 16], [3, 16, 32], [16, 16, 16], [32, 16, 8], [3, 64, 128],
  ])
  func nothingIsLeftToTheReference(channels: [Int]) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, channels[0], 8, 8])
    let v = try experiment.input("v", [channels[1], channels[0], 3, 3])
    let w = try experiment.input("w", [channels[2], channels[1], 3, 3])
    let y = try x.conv2d(weight: v, padding: [1, 1]).relu().conv2d(weight: w, padding: [1, 1])
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["v": v, "w": w])
    let implementations = try Session(device: cpu()).compile(experiment.builder.graph).bound
      .implementations
    #expect(implementations.count > 4)
    #expect(!implementations.contains { $0.contains("ref:") }, "\(implementations)")
    try experiment.expectAgreement()
  }

  /// Batches of eight are many enough tiles for Winograd's algorithm, single images too few.
  @Test func winogradAgreesWithTheDirectAlgorithm() throws {
    let (batch, channels, extent) = (8, 64, 16)
    func convolution(_ images: Range<Int>) throws -> [String: HostTensor] {
      var experiment = Experiment()
      let plane = channels * extent * extent
      func slice(_ name: String) -> HostTensor {
        let all = Experiment.draw(name, [batch, channels, extent, extent]).floats
        return HostTensor(
          [images.count, channels, extent, extent],
          Array(all[images.lowerBound * plane..<images.upperBound * plane]))
      }
      let x = try experiment.input("x", slice("x"))
      let w = try experiment.input("w", [channels, channels, 3, 3])
      let dy = try experiment.input("dy", slice("dy"))
      let y = try x.conv2d(weight: w, padding: [1, 1])
      let gradients = try experiment.builder.gradients(of: [(y, dy)], withRespectTo: [x, w])
      experiment.builder.output("y", y)
      experiment.builder.output("dx", gradients[0]!)
      experiment.builder.output("dw", gradients[1]!)
      return try experiment.run(on: cpu())
    }
    let together = try convolution(0..<batch)
    var (y, dx) = ([Float](), [Float]())
    var dw = [Float](repeating: 0, count: channels * channels * 9)
    for image in 0..<batch {
      let alone = try convolution(image..<image + 1)
      y += alone["y"]!.floats
      dx += alone["dx"]!.floats
      dw = zip(dw, alone["dw"]!.floats).map(+)
    }
    for (name, values) in ["y": y, "dx": dx, "dw": dw] {
      #expect(difference(together[name]!, HostTensor(together[name]!.shape, values)) < 2e-5)
    }
  }

  /// Sums of products of small whole numbers are exact in every order.
  @Test func wholeNumbersComeOutExactly() throws {
    for channels in [(1, 6), (3, 20), (6, 16), (32, 32)] {
      func whole(_ name: String, _ shape: Shape) -> HostTensor {
        HostTensor(shape, Experiment.draw(name, shape, scale: 2).floats.map { $0.rounded() })
      }
      var experiment = Experiment()
      let x = try experiment.input("x", whole("x", [2, channels.0, 8, 8]))
      let w = try experiment.input("w", whole("w", [channels.1, channels.0, 3, 3]))
      experiment.builder.output("y", try x.conv2d(weight: w, padding: [1, 1]))
      try experiment.expectAgreement(tolerance: 0)
    }
  }

  /// A window of one pixel that leaves pixels out, on a few channels: oneDNN's threads wrote into each
  /// other's room (found by random networks).
  @Test(arguments: [1, 2, 3, 4, 6, 7, 12, 20], [1, 3])
  func fewChannelsByStridesOfOnePixel(channels: Int, batch: Int) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [batch, channels, 8, 10])
    let w = try experiment.input("w", [8, channels, 1, 1])
    let y = try x.conv2d(weight: w, stride: [2, 2])
    let gradients = try experiment.builder.gradients(of: y.square().sum(), withRespectTo: [x, w])
    experiment.builder.output("y", y)
    experiment.builder.output("x.gradient", gradients[0]!)
    experiment.builder.output("w.gradient", gradients[1]!)
    // A race shows now and then.
    for _ in 0..<4 { try experiment.expectAgreement() }
  }
}

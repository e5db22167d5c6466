import Foundation
import Tern
import TernTestSupport
import Testing

/// Pictures that are trained: features, Gram matrices, descent.
@Suite struct StyleTests {
  /// A picture [3, 16, 16] of a wave.
  private static func picture(_ wave: (Double) -> Double) -> HostTensor {
    HostTensor([3, 16, 16], (0..<768).map { Float(0.5 + 0.5 * wave(Double($0))) })
  }
  private static let content = picture { sin(0.37 * $0) }
  private static let style = picture { cos(0.23 * $0) }

  /// Weights of VGG's first three convolutions, by formulas.
  private static let weights: [String: HostTensor] = {
    var result: [String: HostTensor] = [:]
    for (number, (place, out, width)) in [(0, 64, 3), (2, 64, 64), (5, 128, 64)].enumerated() {
      let scale = (4 / Double(width * 9)).squareRoot()
      result["features.\(place).weight"] = HostTensor(
        [out, width, 3, 3],
        (0..<out * width * 9).map { Float(scale * sin(0.61 * Double($0) + Double(number))) })
      result["features.\(place).bias"] = HostTensor(
        [out], (0..<out).map { Float(0.1 * cos(Double($0))) })
    }
    return result
  }()

  private static func options(averages: Bool = false) -> StyleTransfer.Options {
    var options = StyleTransfer.Options()
    options.contentLayers = [("relu1_2", 2)]
    options.styleLayers = [("relu1_1", 0.5), ("relu2_1", 0.5)]
    options.averages = averages
    return options
  }

  private static func transfer(
    _ options: StyleTransfer.Options, on device: String
  ) throws -> StyleTransfer {
    try StyleTransfer(
      content: content, style: style, features: ZooEntry.named("vgg16").model(), weights: weights,
      options: options, on: TestDevices.open(device))
  }

  /// Recorded from PyTorch 2.15 in double precision: the beginning of the first row, the sum and the
  /// trace of both Gram matrices, and the style's loss of the content picture.
  private static let recorded: [Bool: [String: (row: [Double], sum: Double, trace: Double)]] = [
    false: [
      "relu1_1": (
        [0.0229469381, 0.00191726042, 0.011722765, 0.0145307634, 4.6136619e-06], 41.8190605,
        1.61120135
      ),
      "relu2_1": (
        [6.42222659e-05, 3.73283632e-05, 7.37237409e-06, 1.52710307e-06, 4.54463091e-06],
        0.242391211, 0.00535690527
      ),
    ],
    true: [
      "relu1_1": (
        [0.0229469381, 0.00191726042, 0.011722765, 0.0145307634, 4.6136619e-06], 41.8190605,
        1.61120135
      ),
      "relu2_1": (
        [5.86169192e-05, 2.96292504e-05, 7.25783957e-08, 0, 4.73493966e-08], 0.147020324,
        0.00303946133
      ),
    ],
  ]

  @Test(arguments: TestDevices.ids, [false, true])
  func gramMatricesAndLossAreThoseOfPyTorch(device: String, averages: Bool) throws {
    let transfer = try Self.transfer(Self.options(averages: averages), on: device)
    for (name, expected) in Self.recorded[averages]! {
      let matrix = try #require(transfer.gramMatrices[name])
      let width = matrix.shape[0]
      let values = matrix.doubles
      let largest = values.map(abs).max() ?? 0
      for (got, value) in zip(values, expected.row) {
        #expect(abs(got - value) <= 1e-4 * largest, "\(name): \(got) for \(value)")
      }
      let trace = (0..<width).reduce(0) { $0 + values[$1 * (width + 1)] }
      #expect(abs(values.reduce(0, +) - expected.sum) <= 1e-4 * expected.sum, "\(name)")
      #expect(abs(trace - expected.trace) <= 1e-4 * expected.trace, "\(name)")
    }
    try transfer.step()
    let losses = try transfer.losses()
    let style = averages ? 46.6605526 : 46.660917
    #expect(losses.content == 0, "the picture starts as the content")
    #expect(abs(losses.style - style) <= 1e-4 * style, "\(losses.style)")
  }

  @Test(arguments: TestDevices.ids, StyleTransfer.PictureOptimizer.allCases)
  func theLossFalls(device: String, optimizer: StyleTransfer.PictureOptimizer) throws {
    var options = Self.options()
    options.optimizer = optimizer
    options.variationWeight = 0.1
    options.startsFromNoise = true
    let transfer = try Self.transfer(options, on: device)
    try transfer.step()
    let first = try transfer.losses()
    #expect(first.content > 0 && first.style > 0 && first.variation > 0)
    for _ in 1..<30 { try transfer.step() }
    let last = try transfer.losses()
    #expect(last.total < 0.2 * first.total, "\(first.total) \(last.total)")
    let parts = last.content + last.style + last.variation
    #expect(abs(last.total - parts) <= 1e-5 * parts)
    let image = try transfer.image()
    #expect(image.shape == [3, 16, 16] && image.floats.allSatisfy { 0...1 ~= $0 })
    #expect(image != Self.content)
  }

  /// L-BFGS, written again in double precision beside it, on a bowl with axes of very different lengths.
  @Test(arguments: TestDevices.ids) func limitedMemoryStepsAreThoseOfTheRecursion(device: String)
    throws
  {
    let (count, target) = (6, [0.31, 0.62, 0.45, 0.53, 0.27, 0.71])
    let curvatures = (0..<count).map { pow(3, Double($0)) }
    let rule = PictureLBFGS(historyCount: 3)
    let builder = GraphBuilder()
    let x = try builder.variable("x", [count])
    let residual = try x - builder.constant(HostTensor([count], target.map(Float.init)))
    let gradient = try residual * builder.constant(HostTensor([count], curvatures.map(Float.init)))
    try Optimizer(rule).update(
      [(x, gradient)], in: builder, learningRate: builder.constant(1),
      step: builder.input(Optimizer.stepInput, TensorType([], .int32)))
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    try session.write(["x": HostTensor(repeating: 0.5, [count])])

    var place = [Double](repeating: 0.5, count: count)
    var history: [(s: [Double], y: [Double])] = []
    var last: (place: [Double], gradient: [Double])?
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    func sum(_ a: [Double], _ b: [Double], _ factor: Double) -> [Double] {
      zip(a, b).map { $0 + factor * $1 }
    }
    for step in 1...60 {
      _ = try executable.run([Optimizer.stepInput: HostTensor([], [Int32(step)])])
      let g = zip(zip(place, target), curvatures).map { ($0.0 - $0.1) * $1 }
      if let last { history.insert((sum(place, last.place, -1), sum(g, last.gradient, -1)), at: 0) }
      history = Array(history.prefix(4))
      last = (place, g)
      var direction = g
      var factors: [Double] = []
      for (s, y) in history {
        factors.append(dot(s, direction) / dot(s, y))
        direction = sum(direction, y, -factors.last!)
      }
      if let (s, y) = history.first { direction = direction.map { $0 * dot(s, y) / dot(y, y) } }
      for ((s, y), factor) in zip(history, factors).reversed() {
        direction = sum(direction, s, factor - dot(y, direction) / dot(s, y))
      }
      let length = (dot(direction, direction) / Double(count)).squareRoot()
      let part = history.isEmpty ? 0.02 / length : min(1, 0.02 / length)
      place = zip(place, direction).map { min(1, max(0, $0 - part * $1)) }
      // Rounding of single precision grows from step to step.
      guard step <= 8 else { continue }
      for (got, value) in zip(try session.read("x").doubles, place) {
        #expect(abs(got - value) < 1e-4, "step \(step): \(got) for \(value)")
      }
    }
    for (got, value) in zip(try session.read("x").doubles, target) {
      #expect(abs(got - value) < 1e-3)
    }
  }

  @Test func theSameSeedGivesTheSamePicture() throws {
    let pictures = try (0..<2).map { _ in
      var options = Self.options()
      (options.startsFromNoise, options.seed) = (true, 4)
      let transfer = try Self.transfer(options, on: "cpu")
      for _ in 0..<3 { try transfer.step() }
      return try transfer.image()
    }
    #expect(pictures[0] == pictures[1])
  }

  /// Layers have the names of the paper and of torchvision, and none is built below the deepest.
  @Test func layersAreBuiltToTheDeepestThatIsRead() throws {
    let features = try StyleFeatures(of: ZooEntry.named("vgg16").model())
    for (name, other, place) in [
      ("conv1_1", "features.0", 0), ("relu1_1", "features.1", 1), ("pool1", "features.4", 4),
      ("conv4_2", "features.19", 19), ("relu4_2", "features.20", 20), ("pool5", "features.30", 30),
    ] {
      #expect(try features.place(of: name) == place)
      #expect(try features.place(of: other) == place)
    }
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let read = try features.append(
      to: builder.input("image", [1, 3, 32, 32]), reading: [1, 11], in: context)
    #expect(read.keys.sorted() == [1, 11])
    #expect(read[11]?.shape == [1, 256, 8, 8])
    #expect(context.parameters.count == 2 * 5, "two blocks and the first convolution of the third")
    let error = #expect(throws: TernError.self) { try features.place(of: "relu1_9") }
    #expect(error?.message.contains("did you mean 'relu1_") == true, "\(error?.message ?? "")")
  }
}

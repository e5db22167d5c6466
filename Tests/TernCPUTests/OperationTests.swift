import TernCore
import TernGraph
import TernTestSupport
import Testing

/// What the shared cases are too small to reach: several blocks, vectors with a tail, both sides of
/// a threshold.
@Suite struct OperationTests {
  @Test(arguments: [false, true]) func attentionOverSeveralBlocks(isCausal: Bool) throws {
    var experiment = Experiment()
    let q = try experiment.input("q", [1, 150, 5])
    let k = try experiment.input("k", [1, 200, 5])
    let v = try experiment.input("v", [1, 200, 9])
    let y = try q.scaledDotProductAttention(key: k, value: v, isCausal: isCausal)
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["q": q, "k": k, "v": v])
    try experiment.expectAgreement(tolerance: 5e-5)
  }

  @Test(arguments: 1...17) func vectorsWithATail(count: Int) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [3, count])
    let y = try x.softmax(dim: 1) + x.relu().square() * x.logSoftmax(dim: 0)
    experiment.builder.output("y", y)
    experiment.builder.output("mean", try y.mean([1]))
    experiment.builder.output("maximum", try y.amax([0]))
    try experiment.differentiate(y, by: ["x": x])
    try experiment.expectAgreement()
  }

  @Test func softplusOverItsWholeRange() throws {
    var experiment = Experiment()
    let values = stride(from: Float(-100), through: 100, by: 0.37).map { $0 }
    let x = try experiment.input("x", HostTensor([values.count], values))
    for (beta, threshold) in [(1, 20), (0.5, 20), (2, 3)] as [(Float, Float)] {
      let y = try x.softplus(beta: beta, threshold: threshold)
      experiment.builder.output("y\(beta)", y)
    }
    try experiment.differentiate(x.softplus(), by: ["x": x])
    try experiment.expectAgreement(tolerance: 1e-6)
  }

  @Test func powersWithAndWithoutRoots() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [100]).square().affine(scale: 1, shift: 0.1)
    for exponent in [-0.75, 0.25, 1.5, 3, -2, 0.3, 2.7] as [Float] {
      experiment.builder.output("y\(exponent)", try x.pow(exponent))
    }
    try experiment.expectAgreement(tolerance: 1e-6)
  }

  @Test(arguments: [[2, 3, 1, 5], [2, 1, 4, 1], [1, 3, 4, 5], [5], [4, 1]]) func broadcasting(
    shape: [Int]
  ) throws {
    var experiment = Experiment()
    let a = try experiment.input("a", [2, 3, 4, 5])
    let b = try experiment.input("b", Shape(shape))
    let y = try a * b - b
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["a": a, "b": b])
    try experiment.expectAgreement()
  }

  /// The same pooling on planes and, behind a convolution, on blocks of channels.
  @Test(arguments: [
    PoolingWindow(kernel: [2, 2]),
    PoolingWindow(kernel: [3, 3], stride: [2, 2], padding: [1, 1]),
    PoolingWindow(kernel: [3, 2], stride: [2, 1], dilation: [2, 1], ceilMode: true),
    PoolingWindow(kernel: [9, 10]),
  ]) func poolingInEveryFormat(window: PoolingWindow) throws {
    for channels in [1, 4, 6, 16, 20] {
      var experiment = Experiment()
      let x = try experiment.input("x", [2, 3, 9, 10])
      let w = try experiment.input("w", [channels, 3, 1, 1])
      let features = try x.conv2d(weight: w)
      var y = try features.maxPool2d(window)
      if window.dilationHeight == 1 { y = try y + features.avgPool2d(window) }
      experiment.builder.output("y", y)
      experiment.builder.output("planes", try x.maxPool2d(window))
      try experiment.differentiate(y, by: ["w": w])
      try experiment.expectAgreement()
    }
  }
}

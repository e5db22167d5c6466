import TernCore
import TernGraph
import TernReference
import TernRuntime
import TernTestSupport
import Testing

/// Products and convolutions with what is done to their results, and max pooling with a relu, as one.
@Suite struct EpilogueFusionTests {
  /// Two convolutions with relus and a shortcut around the second, and the gradient of all: the relus forward,
  /// the sum, and backward the relus and the sum of the gradients of two branches.
  private func block(
    _ shape: Shape, kernel: Int, stride: Int = 1, groups: Int = 1
  ) throws -> Experiment {
    var experiment = Experiment()
    let channels = shape[1]
    let x = try experiment.input("x", shape)
    let weights = try ["first", "second"].map {
      try experiment.input($0, [channels, channels / groups, kernel, kernel])
    }
    let bias = try experiment.input("bias", [channels])
    let padding = ConvolutionPadding.symmetric([kernel / 2, kernel / 2])
    let a = try x.conv2d(
      weight: weights[0], bias: bias, stride: [stride, stride], padding: padding, groups: groups
    ).relu()
    let b = try (a.conv2d(weight: weights[1], padding: padding, groups: groups) + a).relu()
    experiment.builder.output("y", b)
    try experiment.differentiate(
      b, by: ["x": x, "first": weights[0], "second": weights[1], "bias": bias])
    return experiment
  }

  /// Kernels of one tap and of several, by Winograd's tiles and by others, strided, in groups; planes that
  /// vectors divide and that they do not.
  @Test(arguments: TestDevices.openCL) func convolutionsTakeWhatFollows(id: String) throws {
    for (shape, kernel, stride, groups) in [
      (Shape([2, 8, 8, 8]), 1, 1, 1), ([4, 16, 16, 16], 3, 1, 1), ([2, 6, 7, 9], 3, 1, 1),
      ([3, 8, 9, 9], 3, 2, 1), ([2, 8, 10, 10], 5, 1, 2), ([2, 4, 6, 6], 3, 1, 4),
    ] {
      let experiment = try block(shape, kernel: kernel, stride: stride, groups: groups)
      if id == "opencl/many-threads" {
        let names = try experiment.operations(on: id)
        #expect(names.contains("conv2d_relu") && names.contains("conv2d_add_relu"))
        #expect(names.contains("conv2d_backward_input_add_relu_backward"))
        #expect(!names.contains("relu") && !names.contains("add"))
      }
      #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
    }
  }

  /// Layers of products, some with so many terms that parts of them are summed.
  @Test(arguments: TestDevices.openCL, [[5, 7, 9, 3], [4, 3000, 24, 8], [64, 400, 120, 84]])
  func productsTakeWhatFollows(id: String, extents: [Int]) throws {
    var experiment = Experiment()
    let (rows, inputs, hidden, outputs) = (extents[0], extents[1], extents[2], extents[3])
    let x = try experiment.input("x", [rows, inputs])
    let first = try experiment.input("first", [hidden, inputs])
    let second = try experiment.input("second", [outputs, hidden])
    let bias = try experiment.input("bias", [hidden])
    let a = try x.linear(weight: first, bias: bias).relu()
    let b = try a.linear(weight: second)
    let c = try (a.matmul(experiment.input("square", [hidden, hidden])) + a).relu()
    experiment.builder.output("y", b)
    experiment.builder.output("z", c)
    try experiment.differentiate(
      Tensor.cat([b, c], dim: 1), by: ["x": x, "first": first, "second": second, "bias": bias])
    if id == "opencl/many-threads" {
      let names = try experiment.operations(on: id)
      #expect(names.contains("linear_relu") && names.contains("matmul_add_relu"))
      #expect(!names.contains("relu"))
    }
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// What another reads is stored as it is.
  @Test(arguments: TestDevices.openCL) func whatOthersReadStays(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [6, 10])
    let product = try x.matmul(experiment.input("w", [10, 4]))
    experiment.builder.output("product", product)
    experiment.builder.output("y", try product.relu())
    // A sum with itself, and one with a row.
    let other = try x.matmul(experiment.input("v", [10, 4]))
    experiment.builder.output("twice", try (other + other).relu())
    experiment.builder.output(
      "rows", try x.matmul(experiment.input("u", [10, 4])) + experiment.input("row", [4]))
    let names = try experiment.operations(on: id)
    #expect(names.filter { $0 == "matmul" }.count == 3)
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// The merged operations and what they stand for are one.
  @Test func productsAreTakenApart() throws {
    let experiment = try block([2, 4, 5, 5], kernel: 3)
    let fused = try experiment.builder.graph.fusingEpilogues()
    let names = Set(fused.nodes.map(\.operation.name))
    #expect(
      names.isSuperset(of: [
        "conv2d_relu", "conv2d_add_relu", "conv2d_backward_input_add_relu_backward",
      ]))
    let expected = try experiment.run(on: ReferenceDevice())
    let got = try Session(device: ReferenceDevice()).compile(fused).run(experiment.inputs)
    #expect(got == expected)
  }

  /// Windows that tile the plane, that overlap, that lie over its border, and of which nothing is positive.
  @Test(arguments: TestDevices.ids) func poolingRectifies(id: String) throws {
    for (kernel, stride, padding, dilation) in [
      (2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (2, 2, 1, 2), (3, 3, 0, 1),
    ] {
      for shape in [Shape([2, 3, 12, 12]), [1, 2, 7, 37]] {
        var experiment = Experiment()
        let x = try experiment.input("x", shape)
        let below = try x.affine(scale: 1, shift: -0.7)
        let window = PoolingWindow(
          kernel: [kernel, kernel], stride: [stride, stride], padding: [padding, padding],
          dilation: [dilation, dilation])
        let y = try below.relu().maxPool2d(window)
        experiment.builder.output("y", y)
        try experiment.differentiate(y, by: ["x": x])
        if id.hasPrefix("opencl") {
          let names = try experiment.operations(on: id)
          #expect(names.contains("max_pool2d_relu") && names.contains("max_pool2d_relu_backward"))
          #expect(!names.contains { $0.hasPrefix("relu") })
        }
        #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
      }
    }
  }

  /// The gradient of pooling and a relu, added up and by itself.
  @Test(arguments: TestDevices.openCL) func averagesTakeWhatFollows(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [3, 4, 9, 7])
    let a = try x.affine(scale: 1, shift: 0.1).relu()
    let b = try a.affine(scale: 2, shift: -0.3).relu()
    let pooled = try b.adaptiveAvgPool2d(1, 1)
    let coarse = try b.adaptiveAvgPool2d(4, 3)
    experiment.builder.output("y", pooled)
    try experiment.differentiate(
      Tensor.cat([pooled.reshape([3, 4]), coarse.reshape([3, 48])], dim: 1), by: ["x": x])
    if id == "opencl/many-threads" {
      #expect(
        try experiment.operations(on: id).contains {
          $0.hasPrefix("adaptive_avg_pool2d_backward_add")
        })
    }
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// Cross-entropy's gradient in every mode: reductions, smoothing, class weights, ignored targets, rows that a
  /// work-item and that many have.
  @Test(arguments: TestDevices.openCL) func lossesHaveOneGradient(id: String) throws {
    for (rows, classes, reduction, smoothing, weighs) in [
      (7, 3, LossReduction.mean, Float(0), false), (7, 10, .sum, 0.1, true),
      (7, 300, .none, 0, true), (7, 1000, .mean, 0.2, true), (65, 10, .mean, 0, true),
      (600, 12, .mean, 0, false), (40, 513, .sum, 0, true),
    ] {
      var experiment = Experiment()
      let logits = try experiment.input("logits", [rows, classes])
      let target = try experiment.input(
        "target", HostTensor([rows], (0..<rows).map { $0 == 3 ? -100 : Int32($0 * 31 % classes) }))
      let weight = weighs ? try experiment.input("weight", [classes]).square() : nil
      let loss = try logits.crossEntropy(
        target, weight: weight, reduction: reduction, labelSmoothing: smoothing)
      experiment.builder.output("loss", loss)
      try experiment.differentiate(loss, by: ["logits": logits])
      if id == "opencl/many-threads" {
        let names = try experiment.operations(on: id)
        let name = reduction == .none ? "cross_entropy_backward" : "cross_entropy_with_gradient"
        #expect(names.contains(name) && !names.contains("nll_loss_backward"))
        #expect(names.contains("log_softmax") == (reduction == .none))
      }
      #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
    }
  }

  /// What others read of a loss stays: log-probabilities, and a gradient that arrives only behind it.
  @Test(arguments: TestDevices.openCL) func lossesThatOthersReadStay(id: String) throws {
    var experiment = Experiment()
    let logits = try experiment.input("logits", [5, 6])
    let target = try experiment.input("target", HostTensor([5], [Int32(0), 5, 2, -100, 3]))
    let scores = try logits.logSoftmax(dim: 1)
    let loss = try scores.nllLoss(target)
    experiment.builder.output("scores", scores)
    experiment.builder.output("loss", loss)
    try experiment.differentiate(loss, by: ["logits": logits])
    #expect(try experiment.operations(on: id).contains("log_softmax"))
    #expect(try experiment.disagreements(on: id) == [])

    var other = Experiment()
    let again = try other.input("logits", [5, 6])
    let mean = try again.crossEntropy(
      other.input("target", HostTensor([5], [Int32(0), 5, 2, -100, 3])))
    // The gradient that arrives is the loss itself.
    let squared = try mean.square()
    other.builder.output("loss", squared)
    try other.differentiate(squared, by: ["logits": again])
    #expect(try other.operations(on: id).contains("log_softmax"))
    #expect(try other.disagreements(on: id) == [])
  }

  /// The gradients of a weight and a bias come from one operation: tiles that are full and that are not, rows that
  /// are summed in parts, and products so large that the sums are a launch of their own.
  @Test(
    arguments: TestDevices.openCL,
    [[5, 7, 3], [64, 400, 120], [1500, 24, 10], [700, 1, 130], [1024, 1024, 512]])
  func biasesComeWithWeights(id: String, extents: [Int]) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [extents[0], extents[1]])
    let weight = try experiment.input("weight", [extents[2], extents[1]])
    let bias = try experiment.input("bias", [extents[2]])
    let y = try x.linear(weight: weight, bias: bias)
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x, "weight": weight, "bias": bias])
    if id == "opencl/many-threads" {
      let names = try experiment.operations(on: id)
      #expect(names.contains("linear_backward_weight") && !names.contains("sum"))
    }
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// A sum that is read before the product is computed stays.
  @Test(arguments: TestDevices.openCL) func sumsThatAreReadBeforeStay(id: String) throws {
    var experiment = Experiment()
    let dy = try experiment.input("dy", [6, 4])
    let sum = try dy.sum([0])
    let x = try experiment.input("x", [6, 4]) * sum
    experiment.builder.output(
      "y", try experiment.builder.apply(Operations.MatMul(transposesA: true), [dy, x])[0])
    #expect(try experiment.operations(on: id).contains("sum"))
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// The merged operations of gradients and what they stand for are one.
  @Test func gradientsAreTakenApart() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [6, 5])
    let weight = try experiment.input("weight", [4, 5])
    let bias = try experiment.input("bias", [4])
    let target = try experiment.input("target", HostTensor([6], [Int32(0), 3, 1, -100, 2, 2]))
    let loss = try x.linear(weight: weight, bias: bias).crossEntropy(target, labelSmoothing: 0.1)
    experiment.builder.output("loss", loss)
    try experiment.differentiate(loss, by: ["x": x, "weight": weight, "bias": bias])
    let fused = try experiment.builder.graph.joiningBiasGradients().fusingCrossEntropyBackward()
      .joiningCrossEntropyAndGradient(maximumRows: 6)
    #expect(
      Set(fused.nodes.map(\.operation.name)) == [
        "linear", "cross_entropy_with_gradient", "matmul", "linear_backward_weight",
      ])
    let expected = try experiment.run(on: ReferenceDevice())
    let got = try Session(device: ReferenceDevice()).compile(fused).run(experiment.inputs)
    #expect(got == expected)
    // Of more samples than it is to be done for.
    let kept = try experiment.builder.graph.fusingCrossEntropyBackward()
      .joiningCrossEntropyAndGradient(maximumRows: 5)
    #expect(kept.nodes.contains { $0.operation is Operations.NLLLoss })
  }
}

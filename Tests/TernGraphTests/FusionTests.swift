import TernCore
import TernGraph
import TernReference
import TernRuntime
import TernTestSupport
import Testing

/// Nodes that a device merges compute what each of them would.
@Suite struct FusionTests {
  /// Lengths that vectors divide, and one that they do not.
  @Test(arguments: TestDevices.ids, [[4, 32], [7, 331], [1]]) func chainsOfOneShape(
    id: String, extents: [Int]
  ) throws {
    var experiment = Experiment()
    let shape = Shape(extents)
    let (a, b) = (try experiment.input("a", shape), try experiment.input("b", shape))
    let y = try ((a * b + a.square()).abs() - b).sigmoid()
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["a": a, "b": b])
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// Values of a bucket come out as they went in, however their variables are stored.
  @Test(arguments: TestDevices.ids) func bucketsKeepTheirValues(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [2, 16, 6, 6])
    let odd = try experiment.variable("odd", [10])
    let weight = try experiment.variable("weight", [16, 16, 3, 3])
    let bias = try experiment.variable("bias", [16])
    let y = try x.conv2d(weight: weight, bias: bias, padding: [1, 1])
    let variables = [weight, bias, odd]
    let gradients = try experiment.builder.gradients(
      of: y.square().sum() + odd.square().sum(), withRespectTo: variables)
    let bucket = try Tensor.bucket(zip(gradients, variables).map { ($0!, $1) })
    for (index, part) in try bucket.bucketParts(variables).enumerated() {
      experiment.builder.output("part\(index)", part)
      experiment.builder.output("whole\(index)", gradients[index]!)
    }
    let results = try experiment.run(on: TestDevices.open(id))
    for index in variables.indices {
      #expect(results["part\(index)"] == results["whole\(index)"], "\(index)")
    }
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// Scalars, constants, numbers per channel and per row, and values that are read twice or kept.
  @Test(arguments: TestDevices.ids) func operandsAreRepeated(id: String) throws {
    for (rows, columns) in [(5, 12), (3, 7)] {
      var experiment = Experiment()
      let x = try experiment.input("x", [2, 3, rows, columns])
      let scalar = try experiment.input("scalar", [])
      let channel = try experiment.input("channel", [1, 3, 1, 1])
      let row = try experiment.input("row", [rows, 1])
      let column = try experiment.input("column", [columns])
      let scaled = try x * channel + column
      let y =
        try (scaled * experiment.builder.constant(3) - row).tanh()
        / (scaled.square() + scalar.square() + experiment.builder.constant(1, [1]))
      experiment.builder.output("scaled", scaled)
      experiment.builder.output("y", y)
      try experiment.differentiate(y, by: ["x": x, "channel": channel, "row": row])
      #expect(try experiment.disagreements(on: id) == [])
    }
  }

  /// Gates that are packed along an axis, and gradients that are packed again.
  @Test(arguments: TestDevices.ids) func partsAreReadWhereTheyAre(id: String) throws {
    for (axis, shape) in [(1, Shape([5, 12])), (1, [4, 9]), (0, [6, 8]), (2, [2, 3, 15, 4])] {
      var experiment = Experiment()
      let x = try experiment.input("x", shape)
      let other = try experiment.input("other", shape)
      let sum = try x + other
      let length = shape[axis] / 3
      let parts = try (0..<3).map { try sum.narrow(axis, start: $0 * length, length: length) }
      let y = try parts[0].sigmoid() * parts[1].tanh() + parts[2]
      experiment.builder.output("y", y)
      experiment.builder.output("joined", try Tensor.cat([y.square(), y.exp()], dim: axis))
      try experiment.differentiate(y, by: ["x": x])
      #expect(try experiment.disagreements(on: id) == [])
    }
  }

  @Test(arguments: TestDevices.openCL) func recurrentCellsAreOneLaunch(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [3, 4, 5])
    let results = try x.lstm(
      weightIH: experiment.input("ih", [24, 5]), weightHH: experiment.input("hh", [24, 6]),
      biasIH: nil, biasHH: experiment.input("bias", [24]))
    experiment.builder.output("y", results.output)
    experiment.builder.output("c", results.cell)
    let names = try experiment.operations(on: id)
    #expect(names.filter { $0 == "elementwise" }.count == 3)
    #expect(Set(names) == ["elementwise", "linear", "cat"])
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// A value that is read behind what it would run with, and variables that are written on the way.
  @Test(arguments: TestDevices.ids) func whatIsReadBetweenIsThere(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [6, 6])
    let state = try experiment.variable("state", [6, 6])
    let average = try experiment.variable("average", [6, 6])
    let activated = try (x + state).relu()
    let product = try activated.matmul(x)
    let y = try product * activated + state
    experiment.builder.output("y", y)
    experiment.builder.output("before", try average.square().exp())
    experiment.builder.assign(state, try y.tanh())
    experiment.builder.assign(
      average, try average.affine(scale: 0.75) + x.affine(scale: 0.25, shift: 1))
    #expect(try experiment.disagreements(on: id, steps: 3) == [])
  }

  /// Every function, in a chain of it alone and with its derivative.
  @Test(arguments: TestDevices.fast) func everyFunctionFitsAChain(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [3, 37])
    let positive = try x.square().affine(scale: 1, shift: 0.5)
    let results: [(String, Tensor)] = [
      ("relu", try x.relu()), ("leaky", try x.leakyReLU()), ("elu", try x.elu()),
      ("gelu", try x.gelu()), ("gelu_tanh", try x.gelu(tanh: true)), ("silu", try x.silu()),
      ("softplus", try x.softplus()), ("hardtanh", try x.hardtanh()), ("exp", try x.exp()),
      ("log", try positive.log()), ("sqrt", try positive.sqrt()),
      ("rsqrt", try positive.rsqrt()), ("reciprocal", try positive.reciprocal()),
      ("abs", try x.abs()), ("pow", try positive.pow(1.3)), ("quarters", try positive.pow(-0.75)),
      ("clamp", try x.clamp(min: -0.5)), ("maximum", try x.maximum(positive)),
      ("minimum", try x.minimum(positive)), ("equal", try x.equal(x)),
    ]
    for (name, result) in results {
      let y = try result * x
      experiment.builder.output(name, y)
      let gradient = try experiment.builder.gradients(
        of: [(y, x)], withRespectTo: [x])[0]
      experiment.builder.output("d" + name, try #require(gradient))
    }
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// A chain and the nodes that it gives back are one graph.
  @Test func chainsAreTakenApart() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [4, 6])
    let parts = try (0..<2).map { try x.narrow(1, start: 3 * $0, length: 3) }
    let y = try (parts[0] * experiment.builder.constant(2) + parts[1]).tanh()
    experiment.builder.output("y", y)
    experiment.builder.output("joined", try Tensor.cat([y, y.square()], dim: 0))
    let claim = ElementwiseClaim(links: 9, tensors: 9, outputs: 9, readsAnyPlace: true)
    let chained = try experiment.builder.graph.chainingElementwise(claim)
    #expect(chained.nodes.map(\.operation.name) == ["elementwise"])
    let apart = try chained.decomposing { node, _ in
      !(node.operation is Operations.ElementwiseChain)
    }
    #expect(apart.nodes.count == experiment.builder.graph.nodes.count)
    func run(_ graph: Graph) throws -> [String: HostTensor] {
      try Session(device: ReferenceDevice()).compile(graph).run(experiment.inputs)
    }
    #expect(try run(apart) == run(experiment.builder.graph))
    #expect(try run(chained) == run(experiment.builder.graph))
  }

  /// What can be said in simpler operations is, forward and backward.
  @Test func operationsAreSaidInSimplerOnes() throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [6, 5])
    let weight = try experiment.input("weight", [4, 5])
    let y = try x.linear(weight: weight, bias: experiment.input("bias", [4]))
      .batchNormTraining(runningMean: nil, runningVariance: nil).output.layerNorm([4])
    let attended = try y.softmax(dim: 1).reshape([1, 6, 4])
      .scaledDotProductAttention(
        key: y.reshape([1, 6, 4]), value: y.reshape([1, 6, 4]), isCausal: true)
    experiment.builder.output("y", attended)
    try experiment.differentiate(attended, by: ["x": x, "weight": weight])
    let apart = try experiment.builder.graph.takenApart()
    #expect(
      Set(apart.nodes.map(\.operation.name)).isSubset(of: [
        "matmul", "add", "sub", "mul", "div", "sum", "mean", "amax", "affine", "square", "rsqrt",
        "exp", "log", "reshape",
      ]))
    let expected = try experiment.run(on: ReferenceDevice())
    let got = try Session(device: ReferenceDevice()).compile(apart).run(experiment.inputs)
    for (name, value) in expected {
      for (a, b) in zip(got[name]!.floats, value.floats) {
        #expect(abs(a - b) < 1e-5 * max(1, abs(b)), "\(name)")
      }
    }
  }

  /// What a summary tells is what a step does.
  @Test(arguments: TestDevices.ids) func launchesAreTold(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [4, 6])
    experiment.builder.output("y", try (x.square() + x).tanh())
    let session = Session(device: try TestDevices.open(id))
    let graph = experiment.builder.graph
    let summary = try PlanSummary([graph], [session.plan(graph)], on: session.device)
    #expect(try summary.launchCount == session.compile(graph).launchCount)
    #expect(summary.writtenCount == 3)
    let isFused = id != "reference"
    #expect(summary.nodeCount == (isFused ? 1 : 3))
    #expect(summary.fused.map(\.name) == (isFused ? ["elementwise"] : []))
    #expect(
      summary.text
        == (isFused
          ? "a training step: 1 nodes of 3, 1 launches; fused: 1 elementwise"
          : "a training step: 3 nodes of 3, 3 launches"))
  }
}

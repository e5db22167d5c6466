import TernCore
import TernGraph
import TernReference
import TernRuntime
import TernTestSupport
import Testing

/// Batch normalisation with what stands behind it, and sums of products, as one.
@Suite struct BatchNormFusionTests {
  /// A normalisation with its running statistics, a residual and a relu, as asked for.
  private func block(
    _ shape: Shape, addsResidual: Bool, rectifies: Bool, running: Bool
  ) throws -> Experiment {
    var experiment = Experiment()
    let channels = shape[1]
    let x = try experiment.input("x", shape)
    let weight = try experiment.input("weight", [channels])
    let bias = try experiment.input("bias", [channels])
    let statistics = running ? ["mean", "variance"] : []
    let variables = try statistics.map { try experiment.variable($0, [channels]) }
    let result = try x.batchNormTraining(
      runningMean: variables.first, runningVariance: variables.last, weight: weight, bias: bias)
    for (variable, value) in zip(variables, [result.runningMean, result.runningVariance]) {
      experiment.builder.assign(variable, value!)
    }
    var y = result.output
    var targets = ["x": x, "weight": weight, "bias": bias]
    if addsResidual {
      targets["residual"] = try experiment.input("residual", shape)
      y = try y + targets["residual"]!
    }
    if rectifies { y = try y.relu() }
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: targets)
    return experiment
  }

  /// Planes that vectors divide and that they do not, channels that one group has and that many share.
  @Test(
    arguments: TestDevices.ids,
    [[4, 3, 8, 8], [3, 5, 7, 7], [2, 70, 4, 4], [8, 2, 64, 64], [16, 6]])
  func normalizationHasWhatStandsBehindIt(id: String, extents: [Int]) throws {
    for (addsResidual, rectifies, running) in [
      (false, false, true), (false, true, false), (true, true, true), (true, false, false),
      (false, true, true),
    ] {
      let experiment = try block(
        Shape(extents), addsResidual: addsResidual, rectifies: rectifies, running: running)
      if id.hasPrefix("opencl") {
        let names = try experiment.operations(on: id)
        #expect(!names.contains("relu") && !names.contains("add") && !names.contains("affine"))
        #expect(!names.contains("assign"))
        #expect(names.contains("batch_norm_relu_backward") == (rectifies && !addsResidual))
      }
      #expect(try experiment.disagreements(on: id, steps: running ? 2 : 1) == [])
    }
  }

  /// On a large GPU few channels are cut into so many parts that a group puts their sums together.
  @Test func manyPartsOfAChannelArePutTogether() throws {
    let experiment = try block(
      [2, 1, 384, 400], addsResidual: false, rectifies: true, running: true)
    let id = "opencl/many-threads/compute-units=132"
    #expect(try experiment.disagreements(on: id, ofLargest: true) == [])
  }

  /// What another reads stays: the normalisation's output, a running mean, a relu's gradient.
  @Test(arguments: TestDevices.openCL) func whatOthersReadStays(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [4, 3, 5, 5])
    let mean = try experiment.variable("mean", [3])
    let variance = try experiment.variable("variance", [3])
    let result = try x.batchNormTraining(runningMean: mean, runningVariance: variance)
    experiment.builder.assign(mean, result.runningMean!)
    experiment.builder.assign(variance, result.runningVariance!)
    experiment.builder.output("mean before", try mean.square())
    experiment.builder.output("normalized", result.output)
    let y = try result.output.relu()
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x])
    let names = try experiment.operations(on: id)
    #expect(names.contains("batch_norm") && names.contains("batch_norm_backward"))
    #expect(try experiment.disagreements(on: id, steps: 2) == [])
  }

  /// Two normalisations that are added up: the later one takes the sum.
  @Test(arguments: TestDevices.openCL) func branchesMeet(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [4, 4, 6, 6])
    let w = try experiment.input("w", [4, 4, 3, 3])
    let main = try x.conv2d(weight: w, padding: .symmetric([1, 1]))
      .batchNormTraining(runningMean: nil, runningVariance: nil).output
    let side = try x.conv2d(weight: w.narrow(2, start: 0, length: 1).narrow(3, start: 1, length: 1))
      .batchNormTraining(runningMean: nil, runningVariance: nil).output
    let y = try (main + side).relu()
    experiment.builder.output("y", y)
    try experiment.differentiate(y, by: ["x": x, "w": w])
    let names = try experiment.operations(on: id)
    #expect(names.filter { $0.hasPrefix("batch_norm_add_relu") }.count == 1)
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// The merged operations and what they stand for are one.
  @Test func normalizationIsTakenApart() throws {
    let experiment = try block([4, 3, 5, 5], addsResidual: false, rectifies: true, running: true)
    let fused = try experiment.builder.graph.fusingBatchNorm()
    #expect(
      Set(fused.nodes.map(\.operation.name)) == [
        "batch_norm_running_relu", "batch_norm_relu_backward",
      ])
    func run(_ graph: Graph) throws -> [String: HostTensor] {
      let session = Session(device: ReferenceDevice())
      let executable = try session.compile(graph)
      try session.write(experiment.variables)
      return try executable.run(experiment.inputs)
    }
    let (expected, got) = (try run(experiment.builder.graph), try run(fused))
    for (name, value) in expected {
      for (a, b) in zip(got[name]!.floats, value.floats) { #expect(abs(a - b) < 1e-5, "\(name)") }
    }
  }

  /// What is computed of known statistics is what the first run gave, to the bit where the device claims both.
  @Test(arguments: TestDevices.ids, [(false, false), (false, true), (true, false), (true, true)])
  func whatRunsAgainIsTheSame(id: String, behind: (addsResidual: Bool, rectifies: Bool)) throws {
    let (addsResidual, rectifies) = behind
    let shape = Shape([4, 3, 7, 5])
    let pattern = try block(
      shape, addsResidual: addsResidual, rectifies: rectifies, running: true)
    let fused = try #require(
      pattern.builder.graph.fusingBatchNorm().nodes
        .compactMap { $0.operation as? Operations.FusedBatchNorm }.first)
    var experiment = Experiment()
    let builder = experiment.builder
    var inputs = [try experiment.input("x", shape)]
    for name in ["weight", "bias"] { inputs.append(try experiment.input(name, [3])) }
    let residual = addsResidual ? [try experiment.input("residual", shape)] : []
    let running = try ["mean", "variance"].map { try experiment.variable($0, [3]) }
    let first = try builder.apply(fused, inputs + residual + running)
    let again = try builder.apply(
      fused.repetition.operation, inputs + first[1...2] + residual)
    for (variable, value) in zip(running, first[3...]) { builder.assign(variable, value) }
    builder.output("first", first[0])
    builder.output("again", again[0])
    if id.hasPrefix("opencl") {
      let name = "batch_norm_apply" + (addsResidual ? "_add" : "") + (rectifies ? "_relu" : "")
      #expect(try experiment.operations(on: id).contains(name))
      let got = try experiment.run(on: TestDevices.open(id))
      #expect(got["first"] == got["again"])
    }
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// Too little memory for all activations: what is computed again has the same bits, and the running statistics
  /// are those of one pass.
  @Test(arguments: TestDevices.fast, [false, true])
  func normalizationRunsAgain(id: String, addsResidual: Bool) throws {
    var experiment = Experiment()
    let channels = 6
    let x = try experiment.input("x", [4, channels, 20, 20])
    var y = x
    var targets = ["x": x]
    for layer in 0..<8 {
      func parameter(_ name: String, _ shape: Shape) throws -> Tensor {
        let tensor = try experiment.input("\(name)\(layer)", shape)
        targets["\(name)\(layer)"] = tensor
        return tensor
      }
      let running = try ["mean", "variance"].map {
        try experiment.variable("\($0)\(layer)", [channels])
      }
      let result = try y.conv2d(
        weight: parameter("filter", [channels, channels, 3, 3]), padding: .symmetric([1, 1])
      ).batchNormTraining(
        runningMean: running[0], runningVariance: running[1],
        weight: parameter("weight", [channels]), bias: parameter("bias", [channels]))
      for (variable, value) in zip(running, [result.runningMean, result.runningVariance]) {
        experiment.builder.assign(variable, value!)
      }
      y = try (addsResidual ? result.output + y : result.output).relu()
    }
    try experiment.differentiate(y, by: targets)
    let device = try TestDevices.open(id)
    func plan(memoryLimit: Int? = nil) throws -> Plan {
      try Session(device: device, memoryLimit: memoryLimit).compile(experiment.builder.graph).plan
    }
    let whole = try plan()
    let limit = whole.peakByteCount - whole.arenaByteCount / 4
    let less = try plan(memoryLimit: limit)
    #expect(whole.recomputation == nil && less.recomputation != nil)
    func normalizations(_ plan: Plan, again: Bool) -> [String] {
      plan.order.map { plan.graph.nodes[$0].operation.name }.filter {
        $0.hasPrefix("batch_norm") && !$0.contains("backward")
          && $0.hasPrefix("batch_norm_apply") == again
      }
    }
    #expect(normalizations(less, again: false) == normalizations(whole, again: false))
    // Where there is a residual, what else is there is computed again for less.
    if id.hasPrefix("opencl"), !addsResidual {
      #expect(Set(normalizations(less, again: true)) == ["batch_norm_apply_relu"])
    }
    #expect(
      try experiment.run(on: device, steps: 3, memoryLimit: limit)
        == experiment.run(on: device, steps: 3))
  }

  /// The weights of a recurrent network get one product for all steps.
  @Test(arguments: TestDevices.openCL) func productsOfTimeStepsAreOne(id: String) throws {
    var experiment = Experiment()
    let x = try experiment.input("x", [6, 4, 5])
    let weights = [
      "ih": try experiment.input("ih", [24, 5]), "hh": try experiment.input("hh", [24, 6]),
      "bias": try experiment.input("bias", [24]),
    ]
    let results = try x.lstm(
      weightIH: weights["ih"]!, weightHH: weights["hh"]!, biasIH: nil, biasHH: weights["bias"]!)
    experiment.builder.output("y", results.output)
    try experiment.differentiate(results.output, by: weights)
    let names = try experiment.operations(on: id)
    // One for each weight, and one for the state of each step but the first.
    #expect(names.filter { $0 == "matmul" }.count == 2 + 5)
    #expect(names.filter { $0 == "sum" }.count == 1)
    #expect(names.filter { $0 == "elementwise" }.count <= 2 * 6)
    #expect(try experiment.disagreements(on: id) == [])
  }

  /// Sums of a few products, and of products that others read, stay as they are.
  @Test(arguments: TestDevices.openCL) func sumsOfOtherThingsStay(id: String) throws {
    var experiment = Experiment()
    let products = try (0..<5).map { index in
      try experiment.builder.apply(
        Operations.MatMul(transposesA: true),
        [experiment.input("a\(index)", [3, 4]), experiment.input("b\(index)", [3, 7])])[0]
    }
    let few = try products[0] + products[1]
    experiment.builder.output("few", few)
    experiment.builder.output("all", try few + products[2] + products[3] + products[4])
    // On devices of many threads, products take sums along, each by itself.
    let names = try experiment.operations(on: id)
    #expect(names.filter { $0.hasPrefix("matmul") }.count == 5)
    #expect(!names.contains("cat"))
    #expect(try experiment.disagreements(on: id) == [])
    // Two would be joined, were they enough.
    let joined = try experiment.builder.graph.joiningSummedProducts(fewest: 2)
    #expect(joined.nodes.filter { $0.operation is Operations.MatMul }.count == 4)
  }

  /// More parts than a launch joins, of one shape and of several.
  @Test(arguments: TestDevices.ids) func manyPartsAreJoined(id: String) throws {
    for axis in 0...2 {
      var experiment = Experiment()
      let parts = try (0..<23).map { index in
        var shape = Shape([3, 5, 8])
        if index % 11 == 10 { shape[axis] = 2 }
        return try experiment.input("x\(index)", shape)
      }
      experiment.builder.output("y", try Tensor.cat(parts, dim: axis))
      let expected = try experiment.run(on: ReferenceDevice())
      #expect(try experiment.run(on: TestDevices.open(id)) == expected)
    }
  }
}
